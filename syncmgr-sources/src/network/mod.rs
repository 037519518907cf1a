//! The network, on every system.

// The other cfg is for a check of this code on Linux.
#[cfg(any(not(target_os = "linux"), syncmgr_other_place))]
#[path = "monitor.rs"]
mod changes;
#[cfg(all(target_os = "linux", not(syncmgr_other_place)))]
#[path = "netlink.rs"]
mod changes;
mod interfaces;

use std::time::Duration;

use futures::stream::BoxStream;
use syncmgr_core::environment::Environment;
use syncmgr_runtime::environment::EnvironmentSource;
use tokio::time::sleep;
use tracing::{info, warn};

use self::changes::{Change, Changes, Error};
use crate::running::{Publisher, Readiness, Running};

/// The shortest time between two looks at the interfaces. One event of the network often consists of many changes.
const GAP: Duration = Duration::from_millis(100);
/// The waits between attempts to watch the network.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The links and the default route, on every system.
///
/// With a default route over a link that is up, the network is online, and [`Environment::link`] is the interface. Without
/// one, but with an address on another link, it is online with [`Limited`](syncmgr_core::environment::Connectivity::Limited)
/// reach. Otherwise it is offline. This source cannot tell whether the internet is reached, or whether the network is metered.
///
/// Linux reports changes by itself. On other systems a task looks at its clock every 15 s, and reports that the machine has
/// been asleep as a change with equal values; on Linux, [`Logind`](crate#features) reports sleep.
#[derive(Debug)]
pub struct NetworkMonitor {
    running: Running,
}

impl NetworkMonitor {
    /// Starts the source.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start() -> Self {
        Self { running: Running::spawn(follow) }
    }

    /// Resolves once the source has read its values, or knows that it cannot.
    pub async fn ready(&self) {
        self.readiness().wait().await;
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.running.readiness()
    }
}

impl EnvironmentSource for NetworkMonitor {
    fn now(&self) -> Environment {
        self.running.now()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        self.running.changes()
    }
}

/// Follows the network until the task ends.
async fn follow(publisher: Publisher) {
    let mut wait = FIRST_WAIT;
    let mut is_lost = false;
    loop {
        let error = match Changes::open().await {
            Ok(changes) => {
                if std::mem::take(&mut is_lost) {
                    info!("the network is watched again");
                }
                wait = FIRST_WAIT;
                follow_changes(changes, &publisher).await
            }
            Err(error) => error,
        };
        if !is_lost {
            warn!("the network cannot be watched and is unknown: {error}");
            is_lost = true;
        }
        publisher.publish(Environment::UNKNOWN);
        sleep(wait).await;
        wait = wait.saturating_mul(2).min(LONGEST_WAIT);
    }
}

/// Publishes the state of the network after each change. Returns the error that ends the changes.
async fn follow_changes(mut changes: Changes, publisher: &Publisher) -> Error {
    publisher.publish(interfaces::environment().await);
    loop {
        let change = match changes.next().await {
            Ok(change) => change,
            Err(error) => return error,
        };
        let environment = interfaces::environment().await;
        match change {
            Change::Network => publisher.publish(environment),
            #[cfg(any(not(target_os = "linux"), syncmgr_other_place))]
            Change::Wake => publisher.publish_again(environment),
        }
        sleep(GAP).await;
    }
}
