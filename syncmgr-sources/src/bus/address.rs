//! The address of a message bus.

use std::str::FromStr;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::{Address, Connection};

/// A message bus, and the waits between attempts to connect to it.
#[derive(Clone, Debug)]
pub struct Bus {
    /// `None` is the system bus.
    address: Option<Address>,
    first_wait: Duration,
    longest_wait: Duration,
    answer_limit: Duration,
}

/// An address that is not a D-Bus address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not a D-Bus address: {address}")]
#[non_exhaustive]
pub struct BusAddressError {
    /// The address.
    pub address: String,
    #[source]
    source: zbus::Error,
}

impl Bus {
    /// The system bus: the address in `DBUS_SYSTEM_BUS_ADDRESS`, or else `/var/run/dbus/system_bus_socket`.
    pub const fn system() -> Self {
        Self {
            address: None,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            answer_limit: Duration::from_secs(25),
        }
    }

    /// The bus at this D-Bus address.
    ///
    /// ```
    /// # use syncmgr_sources::Bus;
    /// assert!(Bus::at("unix:path=/run/my_bus").is_ok());
    /// assert!(Bus::at("/run/my_bus").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If the address is none of the forms of the D-Bus specification.
    pub fn at(address: &str) -> Result<Self, BusAddressError> {
        let parsed = Address::from_str(address);
        let parsed = parsed.map_err(|source| BusAddressError { address: address.to_owned(), source })?;
        Ok(Self { address: Some(parsed), ..Self::system() })
    }

    /// Sets the wait before the second attempt to connect, 500 ms by default. Each further wait is twice as long, up to the
    /// longest, a minute by default.
    #[must_use]
    pub fn with_waits(self, first: Duration, longest: Duration) -> Self {
        Self { first_wait: first, longest_wait: longest, ..self }
    }

    /// Sets the time that a daemon has for an answer, 25 s by default. The value that was asked for is unknown after that,
    /// and the daemon is asked again.
    #[must_use]
    pub fn with_answer_limit(self, limit: Duration) -> Self {
        Self { answer_limit: limit, ..self }
    }

    /// Returns the wait before the second attempt.
    pub(super) fn first_wait(&self) -> Duration {
        self.first_wait.min(self.longest_wait)
    }

    /// Returns the wait after this one.
    pub(super) fn next_wait(&self, wait: Duration) -> Duration {
        wait.saturating_mul(2).min(self.longest_wait)
    }

    /// Connects on the current tokio runtime.
    pub(super) async fn connect(&self) -> zbus::Result<Connection> {
        let builder = match &self.address {
            Some(address) => Builder::address(address.clone()),
            None => Builder::system(),
        };
        builder.method_timeout(self.answer_limit).build().await
    }
}
