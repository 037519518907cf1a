//! The environment of a manager: network, power and user.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr_core::facts::{Facts, Network, Power, Presence};
use tokio::sync::watch;

/// A source for the state of network, power and user.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// use futures::{StreamExt, stream::BoxStream};
///
/// struct Desktop; // always on mains power, with the user present
///
/// impl FactSource for Desktop {
///     fn now(&self) -> Facts {
///         Facts::UNKNOWN.with_power(Power::Mains).with_user(Presence::Present)
///     }
///
///     fn changes(&self) -> BoxStream<'static, Facts> {
///         futures::stream::empty().boxed() // the values never change
///     }
/// }
///
/// assert!(SyncManager::builder().facts(Desktop).build().run(Mail).await?.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait FactSource: Send + Sync + 'static {
    /// Returns the current values.
    fn now(&self) -> Facts;

    /// Returns a stream of the new values after each change. The stream may skip intermediate values, and it ends if
    /// the values can no longer change.
    fn changes(&self) -> BoxStream<'static, Facts>;
}

/// A source whose values are set by the program or by a test. Clones share the same values.
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
    /// Creates a source with these values.
    pub fn new(facts: Facts) -> Self {
        Self { sender: Arc::new(watch::Sender::new(facts)) }
    }

    /// Replaces the current values.
    pub fn set(&self, facts: Facts) {
        self.sender.send_if_modified(|known| std::mem::replace(known, facts) != facts);
    }

    /// Sets the state of the network.
    pub fn set_network(&self, network: Network) {
        self.set(self.now().with_network(network));
    }

    /// Sets the power source.
    pub fn set_power(&self, power: Power) {
        self.set(self.now().with_power(power));
    }

    /// Sets the presence of the user.
    pub fn set_user(&self, user: Presence) {
        self.set(self.now().with_user(user));
    }
}

impl Default for ManualFacts {
    /// Creates a source whose values are all unknown.
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
