//! What is known of the world around a manager: network, power, the user.

use serde::{Deserialize, Serialize};

/// What is known of the world. What nobody has said is unknown, and holds nothing back.
///
/// ```
/// # use syncmgr_core::facts::{Facts, Network, Power};
/// let train = Facts::UNKNOWN.with_network(Network::Metered).with_power(Power::Battery);
/// assert!(train.network.is_up());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Facts {
    /// The network.
    pub network: Network,
    /// Where the power comes from.
    pub power: Power,
    /// Whether somebody is there.
    pub user: Presence,
}

impl Facts {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { network: Network::Unknown, power: Power::Unknown, user: Presence::Unknown };

    /// With this network.
    pub const fn with_network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// With this power.
    pub const fn with_power(self, power: Power) -> Self {
        Self { power, ..self }
    }

    /// With the user there or not.
    pub const fn with_user(self, user: Presence) -> Self {
        Self { user, ..self }
    }
}

/// What is known of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Network {
    /// Nobody has said.
    #[default]
    Unknown,
    /// There is none.
    Offline,
    /// It is up, and what goes over it is paid for by amount.
    Metered,
    /// It is up.
    Online,
}

impl Network {
    /// Whether it is known to be up.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Metered | Self::Online)
    }
}

/// Where the power comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Power {
    /// Nobody has said.
    #[default]
    Unknown,
    /// From a battery.
    Battery,
    /// From the mains.
    Mains,
}

/// Whether somebody is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// Nobody has said.
    #[default]
    Unknown,
    /// Nobody is.
    Absent,
    /// Somebody is.
    Present,
}
