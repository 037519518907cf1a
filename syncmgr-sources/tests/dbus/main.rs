//! The sources on D-Bus, with a private bus and stand-ins for the daemons from python-dbusmock.
#![expect(clippy::unwrap_used, reason = "a test that cannot talk to its bus has failed")]

mod clock;
mod daemons;
mod log;
mod logind;
mod manager;
mod networkmanager;
mod private_bus;
mod skip;
mod upower;

use std::time::Duration;

use syncmgr_core::environment::Environment;
use syncmgr_runtime::environment::EnvironmentSource;

/// The time after which a test that waits fails.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Waits until the environment is as expected.
async fn until(source: &impl EnvironmentSource, is_expected: impl Fn(&Environment) -> bool) -> Environment {
    use futures::StreamExt;
    let mut changes = source.changes();
    loop {
        let now = source.now();
        if is_expected(&now) {
            return now;
        }
        let change = tokio::time::timeout(TOO_LONG, changes.next()).await;
        assert!(matches!(change, Ok(Some(_))), "still {now:?}");
    }
}
