//! The environment of a manager: network, power, user, and what is about to end.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A snapshot of the environment. An unknown value holds no run.
///
/// Serialized as a map with the field names below; times are whole milliseconds since 1970, and what is not known may be
/// left out.
///
/// ```
/// # use syncmgr_core::environment::{Environment, Network, Power};
/// let on_train = Environment::UNKNOWN.with_network(Network::Metered).with_power(Power::Battery);
/// assert!(on_train.network.is_up());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// The state of the network.
    pub network: Network,
    /// The reach of the network.
    pub connectivity: Connectivity,
    /// The link that carries the traffic, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// The power source.
    pub power: Power,
    /// The charge of the battery.
    pub battery: Battery,
    /// The presence of the user.
    pub user: Presence,
    /// The time since which the user has been idle. `None` if the user is not idle, or it is not known.
    #[serde(skip_serializing_if = "Option::is_none", with = "crate::time::option")]
    pub idle_since: Option<SystemTime>,
    /// What is about to end, for example because the machine goes to sleep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

impl Environment {
    /// An environment with nothing known.
    pub const UNKNOWN: Self = Self {
        network: Network::Unknown,
        connectivity: Connectivity::Unknown,
        link: None,
        power: Power::Unknown,
        battery: Battery::Unknown,
        user: Presence::Unknown,
        idle_since: None,
        ending: None,
    };

    /// Sets the state of the network.
    #[must_use]
    pub fn with_network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// Sets the reach of the network.
    #[must_use]
    pub fn with_connectivity(self, connectivity: Connectivity) -> Self {
        Self { connectivity, ..self }
    }

    /// Sets or removes the link.
    #[must_use]
    pub fn with_link(self, link: impl Into<Option<Link>>) -> Self {
        Self { link: link.into(), ..self }
    }

    /// Sets the power source.
    #[must_use]
    pub fn with_power(self, power: Power) -> Self {
        Self { power, ..self }
    }

    /// Sets the charge of the battery.
    #[must_use]
    pub fn with_battery(self, battery: Battery) -> Self {
        Self { battery, ..self }
    }

    /// Sets the presence of the user.
    #[must_use]
    pub fn with_user(self, user: Presence) -> Self {
        Self { user, ..self }
    }

    /// Sets or removes the time since which the user has been idle.
    #[must_use]
    pub fn with_idle_since(self, time: impl Into<Option<SystemTime>>) -> Self {
        Self { idle_since: time.into(), ..self }
    }

    /// Sets or removes what is about to end.
    #[must_use]
    pub fn with_ending(self, ending: impl Into<Option<Ending>>) -> Self {
        Self { ending: ending.into(), ..self }
    }
}

/// A link: a network connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Link {
    /// The name that the system gives it, such as `Wired connection 1` or the name of a wireless network.
    pub name: Arc<str>,
    /// The kind.
    pub kind: LinkKind,
}

impl Link {
    /// Creates a link with this name and kind.
    pub fn new(name: impl Into<Arc<str>>, kind: LinkKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The kind of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LinkKind {
    /// Another kind, or not known.
    #[default]
    Other,
    /// A cable.
    Wired,
    /// A wireless network.
    Wireless,
    /// A mobile network.
    Mobile,
    /// A connection through a telephone or another device over Bluetooth.
    Bluetooth,
    /// A virtual private network.
    Vpn,
}

/// The reach of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Connectivity {
    /// Not known.
    #[default]
    Unknown,
    /// There is no connection.
    None,
    /// A captive portal: the user has to log in on a web page first.
    Portal,
    /// The network is up, but does not reach the internet.
    Limited,
    /// The internet is reached.
    Full,
}

/// The charge of the battery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Battery {
    /// Not known, or there is none.
    #[default]
    Unknown,
    /// Low.
    Low,
    /// Not low.
    Normal,
}

/// The announced end of the network or of the machine's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ending {
    /// The kind.
    pub kind: EndingKind,
    /// The time until which the system waits.
    #[serde(with = "crate::time")]
    pub deadline: SystemTime,
}

impl Ending {
    /// Creates an announcement.
    pub const fn new(kind: EndingKind, deadline: SystemTime) -> Self {
        Self { kind, deadline }
    }
}

/// The kinds of announced ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndingKind {
    /// The network connection is about to go down.
    Disconnect,
    /// The machine is about to sleep.
    Sleep,
    /// The machine is about to shut down.
    Shutdown,
}

/// The state of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Network {
    /// Not known.
    #[default]
    Unknown,
    /// There is no network.
    Offline,
    /// The network is up, and its traffic is paid for by volume.
    Metered,
    /// The network is up.
    Online,
}

impl Network {
    /// Returns `true` if the network is known to be up.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Metered | Self::Online)
    }
}

/// The power source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Power {
    /// Not known.
    #[default]
    Unknown,
    /// A battery.
    Battery,
    /// The mains.
    Mains,
}

/// The presence of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// Not known.
    #[default]
    Unknown,
    /// The user is away.
    Absent,
    /// The user is present.
    Present,
}
