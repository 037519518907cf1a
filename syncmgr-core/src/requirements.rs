//! The conditions that automatic work requires.

use std::fmt;

/// A condition that automatic work requires.
///
/// A condition that is not known counts as met. While a condition is known not to be met, an automatic run waits
/// ([`Hold`](crate::decision::hold::Hold)) and starts once it is met. Work that the user or a program requests runs anyway.
///
/// | requirement | not met while |
/// |---|---|
/// | `UnmeteredNetwork` | the network is offline or metered |
/// | `Internet` | the network is offline, or is known not to reach the internet (no connection, a captive portal, limited) |
/// | `Mains` | the power comes from a battery |
/// | `BatteryNotLow` | the battery is low and the machine is not known to be on mains power |
/// | `IdleUser` | the user is known to be active |
/// | `ActiveUser` | the user is known to be idle or absent |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Requirement {
    /// A network that is not metered.
    UnmeteredNetwork = 1,
    /// A connection to the internet, and not only to a local network or a captive portal.
    Internet = 1 << 1,
    /// Mains power.
    Mains = 1 << 2,
    /// A battery that is not low, or mains power.
    BatteryNotLow = 1 << 3,
    /// A user who is idle or absent.
    IdleUser = 1 << 4,
    /// A user who is at the machine and active. Excludes [`IdleUser`](Self::IdleUser).
    ActiveUser = 1 << 5,
}

impl Requirement {
    pub(crate) const ALL: [Self; 6] =
        [Self::UnmeteredNetwork, Self::Internet, Self::Mains, Self::BatteryNotLow, Self::IdleUser, Self::ActiveUser];
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnmeteredNetwork => "an unmetered network",
            Self::Internet => "the internet",
            Self::Mains => "mains power",
            Self::BatteryNotLow => "a battery that is not low",
            Self::IdleUser => "an idle user",
            Self::ActiveUser => "an active user",
        })
    }
}

/// The requirements of a handler or an item.
///
/// ```
/// # use syncmgr_core::requirements::{Requirement, Requirements};
/// let backup = Requirements::NONE.with(Requirement::Mains).with(Requirement::IdleUser);
/// assert!(backup.contains(Requirement::Mains) && backup.contradiction().is_none());
/// let never = backup.with(Requirement::ActiveUser);
/// assert_eq!(never.contradiction(), Some((Requirement::IdleUser, Requirement::ActiveUser)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirements {
    /// The bits of the required conditions.
    conditions: u8,
}

impl Requirements {
    /// No requirements.
    pub const NONE: Self = Self { conditions: 0 };

    /// Adds a requirement.
    #[must_use]
    pub const fn with(mut self, requirement: Requirement) -> Self {
        self.conditions |= requirement as u8;
        self
    }

    /// Returns the requirements of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { conditions: self.conditions | other.conditions }
    }

    /// Returns `true` if nothing is required.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Returns `true` if this condition is required.
    pub const fn contains(&self, requirement: Requirement) -> bool {
        self.conditions & requirement as u8 != 0
    }

    /// Returns the required conditions, in the order of their declaration.
    pub fn iter(&self) -> impl Iterator<Item = Requirement> {
        Requirement::ALL.into_iter().filter(|requirement| self.contains(*requirement))
    }

    /// Returns two requirements that exclude each other, if there are any.
    pub fn contradiction(&self) -> Option<(Requirement, Requirement)> {
        let pair = (Requirement::IdleUser, Requirement::ActiveUser);
        (self.contains(pair.0) && self.contains(pair.1)).then_some(pair)
    }
}

/// The treatment of an automatic run whose conditions end while it runs: a requirement, or a network that is now metered.
///
/// Two ends of a condition stop a run with either policy: the user returns during a run that started because the user was
/// idle, and the system announces that the machine or the network goes down.
///
/// A stopped item has not failed and has no backoff. It runs again once the conditions are met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConditionPolicy {
    /// The run goes on to its end, including its items that have not begun. The default: a condition that changes often
    /// stops no work that is almost done.
    #[default]
    Finish,
    /// The run is stopped, with the reason [`ConditionEnded`](crate::cancel::CancelReason::ConditionEnded). A requirement of
    /// single items stops only these items, with [`ItemConditionEnded`](crate::cancel::CancelReason::ItemConditionEnded).
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_a_set() {
        let both = Requirements::NONE.with(Requirement::Mains).with(Requirement::Internet).with(Requirement::Mains);
        assert_eq!(both.iter().collect::<Vec<_>>(), [Requirement::Internet, Requirement::Mains]);
        assert_eq!(both.and(&Requirements::NONE), both);
        assert!(!both.is_empty() && Requirements::NONE.is_empty());
    }

    #[test]
    fn every_requirement_has_a_bit_and_a_text_of_its_own() {
        let all = Requirement::ALL.into_iter().fold(Requirements::NONE, Requirements::with);
        assert_eq!(all.iter().collect::<Vec<_>>(), Requirement::ALL);
        let texts: std::collections::BTreeSet<_> = Requirement::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), Requirement::ALL.len());
    }

    #[test]
    fn only_an_idle_and_an_active_user_exclude_each_other() {
        for one in Requirement::ALL {
            for other in Requirement::ALL {
                let excludes = Requirements::NONE.with(one).with(other).contradiction().is_some();
                let users = [Requirement::IdleUser, Requirement::ActiveUser];
                assert_eq!(excludes, one != other && users.contains(&one) && users.contains(&other));
            }
        }
    }
}
