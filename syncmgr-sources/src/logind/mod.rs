//! Sleep, shutdown and idle users, from systemd-logind.

mod lock;
mod session;

use std::sync::Arc;

use futures::stream::BoxStream;
use syncmgr_core::environment::{Ending, Environment};
use syncmgr_runtime::environment::EnvironmentSource;

use self::lock::Lock;
use self::session::LoginState;
use crate::Settings;
use crate::bus::follow;
use crate::running::{Readiness, Running};

/// Sleep, shutdown and idle users, from systemd-logind (`org.freedesktop.login1`).
///
/// It announces [`EndingKind::Sleep`](syncmgr_core::environment::EndingKind::Sleep) and
/// [`EndingKind::Shutdown`](syncmgr_core::environment::EndingKind::Shutdown), and holds an inhibitor lock of the kind `delay`,
/// so that the system waits until [`release`](EnvironmentSource::release) is called, but at most until the deadline:
/// `InhibitDelayMaxSec` after the announcement, 5 s by default. After each wake it takes a new lock. Without a lock, for
/// example because the system refuses it, the deadline is the time of the announcement.
///
/// It sets [`Environment::user`] and [`Environment::idle_since`] from the idle hint of all sessions. A desktop that sets no
/// hint counts as present; a machine on which no user is logged in counts as idle.
#[derive(Debug)]
pub struct Logind {
    running: Running,
    lock: Arc<Lock>,
}

impl Logind {
    /// Starts the source with the default settings.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// Starts the source.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start_with(settings: &Settings) -> Self {
        let (bus, clock) = (settings.bus.clone(), settings.clock.clone());
        let lock = Arc::new(Lock::default());
        let service = LoginState::new(lock.clone(), settings.who.clone());
        Self { running: Running::spawn(|publisher| follow(service, bus, clock, publisher)), lock }
    }

    /// Resolves once the source has read its values, or knows that systemd-logind is missing. A lock is held by then, if the
    /// system grants one.
    pub async fn ready(&self) {
        self.readiness().wait().await;
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.running.readiness()
    }
}

impl EnvironmentSource for Logind {
    fn now(&self) -> Environment {
        self.running.now()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        self.running.changes()
    }

    fn release(&self, ending: Ending) {
        self.lock.release(ending);
    }
}
