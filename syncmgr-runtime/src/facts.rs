//! What is known of the world, as a port.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr_core::facts::{Facts, Network, Power, Presence};
use tokio::sync::watch;

/// Where a manager learns of the network, the power and the user.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// use futures::{StreamExt, stream::BoxStream};
///
/// struct Desktop; // stays on the mains, and somebody is always there
///
/// impl FactSource for Desktop {
///     fn now(&self) -> Facts {
///         Facts::UNKNOWN.with_power(Power::Mains).with_user(Presence::Present)
///     }
///
///     fn changes(&self) -> BoxStream<'static, Facts> {
///         futures::stream::empty().boxed() // nothing changes any more
///     }
/// }
///
/// assert!(SyncManager::builder().facts(Desktop).build().run(Mail).await?.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait FactSource: Send + Sync + 'static {
    /// What is known now.
    fn now(&self) -> Facts;

    /// What is known, whenever it changes. It may leave out what was soon outdated, and ends when nothing will change
    /// any more.
    fn changes(&self) -> BoxStream<'static, Facts>;
}

/// Facts somebody sets: for tests, and for programs that know better. Cloning gives another handle of the same facts.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// use futures::StreamExt;
///
/// let facts = ManualFacts::default();
/// let mut changes = facts.changes();
/// facts.set_network(Network::Metered);
/// assert_eq!(changes.next().await.map(|facts| facts.network), Some(Network::Metered));
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualFacts {
    sender: Arc<watch::Sender<Facts>>,
}

impl ManualFacts {
    /// These facts hold.
    pub fn new(facts: Facts) -> Self {
        Self { sender: Arc::new(watch::Sender::new(facts)) }
    }

    /// From now on these hold.
    pub fn set(&self, facts: Facts) {
        self.sender.send_if_modified(|known| std::mem::replace(known, facts) != facts);
    }

    /// The network is like this now.
    pub fn set_network(&self, network: Network) {
        self.set(self.now().with_network(network));
    }

    /// The power comes from there now.
    pub fn set_power(&self, power: Power) {
        self.set(self.now().with_power(power));
    }

    /// Somebody is there now, or nobody.
    pub fn set_user(&self, user: Presence) {
        self.set(self.now().with_user(user));
    }
}

impl Default for ManualFacts {
    /// Nothing is known.
    fn default() -> Self {
        Self::new(Facts::UNKNOWN)
    }
}

impl FactSource for ManualFacts {
    fn now(&self) -> Facts {
        *self.sender.borrow()
    }

    fn changes(&self) -> BoxStream<'static, Facts> {
        let receiver = self.sender.subscribe();
        let next = |mut receiver: watch::Receiver<Facts>| async move {
            receiver.changed().await.ok()?;
            let facts = *receiver.borrow_and_update();
            Some((facts, receiver))
        };
        futures::stream::unfold(receiver, next).boxed()
    }
}
