//! The environment of a manager: network, power and user.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr_core::environment::{Ending, Environment, Network, Power, Presence};
use tokio::sync::watch;

/// A source for the state of network, power and user.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// use futures::{StreamExt, stream::BoxStream};
///
/// struct Desktop; // always on mains power, with the user present
///
/// impl EnvironmentSource for Desktop {
///     fn now(&self) -> Environment {
///         Environment::UNKNOWN.with_power(Power::Mains).with_user(Presence::Present)
///     }
///
///     fn changes(&self) -> BoxStream<'static, Environment> {
///         futures::stream::empty().boxed() // the values never change
///     }
/// }
///
/// assert!(SyncManager::builder().environment(Desktop).build().run(Mail).await?.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait EnvironmentSource: Send + Sync + 'static {
    /// Returns the current values.
    fn now(&self) -> Environment;

    /// Returns a stream of the new values after each change. The stream may skip intermediate values, and it ends if
    /// the values can no longer change.
    fn changes(&self) -> BoxStream<'static, Environment>;

    /// Called once the manager has nothing left to do before what [`Environment::ending`] announced. A source that makes
    /// the system wait, for example with an inhibitor lock of systemd-logind, lets it go on. Must not block.
    ///
    /// Called once for each value of `ending`, at its deadline at the latest, and only while the manager's scheduler runs
    /// ([`start_scheduler`](crate::manager::SyncManager::start_scheduler)). The default does nothing.
    fn release(&self, ending: Ending) {
        let _ = ending;
    }
}

/// A source whose values the program or a test sets. Clones share the same values.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// use futures::StreamExt;
///
/// let environment = ManualEnvironment::default();
/// let mut changes = environment.changes();
/// environment.set_network(Network::Metered);
/// assert_eq!(changes.next().await.map(|environment| environment.network), Some(Network::Metered));
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualEnvironment {
    sender: Arc<watch::Sender<Environment>>,
}

impl ManualEnvironment {
    /// Creates a source with these values.
    pub fn new(environment: Environment) -> Self {
        Self { sender: Arc::new(watch::Sender::new(environment)) }
    }

    /// Replaces the current values.
    pub fn set(&self, environment: Environment) {
        self.sender.send_if_modified(|known| {
            let changes = *known != environment;
            *known = environment;
            changes
        });
    }

    /// Sets the state of the network.
    pub fn set_network(&self, network: Network) {
        self.set(self.now().with_network(network));
    }

    /// Changes the current values.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # use syncmgr_core::environment::Battery;
    /// let environment = ManualEnvironment::default();
    /// environment.update(|known| known.with_power(Power::Battery).with_battery(Battery::Low));
    /// assert_eq!(environment.now().battery, Battery::Low);
    /// ```
    pub fn update(&self, change: impl FnOnce(Environment) -> Environment) {
        self.set(change(self.now()));
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

impl Default for ManualEnvironment {
    /// Creates a source whose values are all unknown.
    fn default() -> Self {
        Self::new(Environment::UNKNOWN)
    }
}

impl EnvironmentSource for ManualEnvironment {
    fn now(&self) -> Environment {
        self.sender.borrow().clone()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        let receiver = self.sender.subscribe();
        let next = |mut receiver: watch::Receiver<Environment>| async move {
            receiver.changed().await.ok()?;
            let environment = receiver.borrow_and_update().clone();
            Some((environment, receiver))
        };
        futures::stream::unfold(receiver, next).boxed()
    }
}
