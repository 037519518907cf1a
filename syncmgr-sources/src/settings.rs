//! The settings of the sources.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_runtime::clock::{Clock, SystemClock};

/// The settings of the sources. Each source uses those that concern it.
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_sources::Settings;
/// let settings = Settings::default().with_who("Photo Mirror").with_disconnect_budget(Duration::from_secs(5));
/// assert_eq!(settings.low_battery, 20);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The message bus of the daemons. The default is the system bus.
    #[cfg(all(unix, feature = "dbus"))]
    pub bus: crate::Bus,
    /// The time that remains once NetworkManager deactivates the connection, 2 s by default. NetworkManager waits for its
    /// dispatcher scripts, but not for programs, so there may be less.
    pub disconnect_budget: Duration,
    /// The charge in percent up to which a battery is low, 20 by default. It is also low if UPower warns.
    pub low_battery: u8,
    /// The name of the program that `systemd-inhibit --list` prints. The default is `syncmgr`.
    pub who: Arc<str>,
    /// The clock for the deadlines and for the time since which the user is idle.
    pub clock: Arc<dyn Clock>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            #[cfg(all(unix, feature = "dbus"))]
            bus: crate::Bus::system(),
            disconnect_budget: Duration::from_secs(2),
            low_battery: 20,
            who: "syncmgr".into(),
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl Settings {
    /// Sets the message bus of the daemons.
    #[cfg(all(unix, feature = "dbus"))]
    #[must_use]
    pub fn with_bus(self, bus: crate::Bus) -> Self {
        Self { bus, ..self }
    }

    /// Sets the time that remains once NetworkManager deactivates the connection.
    #[must_use]
    pub fn with_disconnect_budget(self, disconnect_budget: Duration) -> Self {
        Self { disconnect_budget, ..self }
    }

    /// Sets the charge in percent up to which a battery is low.
    #[must_use]
    pub fn with_low_battery(self, percent: u8) -> Self {
        Self { low_battery: percent, ..self }
    }

    /// Sets the name of the program that `systemd-inhibit --list` prints.
    #[must_use]
    pub fn with_who(self, who: impl Into<Arc<str>>) -> Self {
        Self { who: who.into(), ..self }
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("disconnect_budget", &self.disconnect_budget)
            .field("low_battery", &self.low_battery)
            .field("who", &self.who)
            .finish_non_exhaustive()
    }
}
