//! The environment of a manager: network, power, user.

use serde::{Deserialize, Serialize};

/// A snapshot of the environment. An unknown value holds no run.
///
/// ```
/// # use syncmgr_core::environment::{Environment, Network, Power};
/// let on_train = Environment::UNKNOWN.with_network(Network::Metered).with_power(Power::Battery);
/// assert!(on_train.network.is_up());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Environment {
    /// The state of the network.
    pub network: Network,
    /// The power source.
    pub power: Power,
    /// The presence of the user.
    pub user: Presence,
}

impl Environment {
    /// An environment with nothing known.
    pub const UNKNOWN: Self = Self { network: Network::Unknown, power: Power::Unknown, user: Presence::Unknown };

    /// Sets the state of the network.
    pub const fn with_network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// Sets the power source.
    pub const fn with_power(self, power: Power) -> Self {
        Self { power, ..self }
    }

    /// Sets the presence of the user.
    pub const fn with_user(self, user: Presence) -> Self {
        Self { user, ..self }
    }
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
