//! The conditions that automatic work requires.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::schedule::{Opening, Window};
use crate::text::{Escaped, bounded};

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

impl Requirement {
    /// Returns the word for the requirement in settings. The words are stable.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnmeteredNetwork => "unmetered-network",
            Self::Internet => "internet",
            Self::Mains => "mains",
            Self::BatteryNotLow => "battery-not-low",
            Self::IdleUser => "idle-user",
            Self::ActiveUser => "active-user",
        }
    }
}

impl FromStr for Requirement {
    type Err = UnknownRequirement;

    /// Parses the [word](Self::word).
    fn from_str(word: &str) -> Result<Self, UnknownRequirement> {
        let known = Self::ALL.into_iter().find(|requirement| requirement.word() == word);
        known.ok_or_else(|| UnknownRequirement { word: bounded(word, MAX_WORD).into_owned() })
    }
}

/// The maximum length of a refused word in an error, in bytes.
const MAX_WORD: usize = 128;

/// A word that is not that of a [`Requirement`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not known; write `unmetered-network`, `internet`, `mains`, `battery-not-low`, `idle-user` or `active-user`",
    Escaped(.word)
)]
#[non_exhaustive]
pub struct UnknownRequirement {
    /// The word, truncated.
    pub word: String,
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

/// The requirements of a handler or an item: conditions, and the windows in which automatic work may run.
///
/// ```
/// # use syncmgr_core::requirements::{Requirement, Requirements};
/// let backup = Requirements::NONE.with(Requirement::Mains).with(Requirement::IdleUser);
/// assert!(backup.contains(Requirement::Mains) && backup.contradiction().is_none());
/// let never = backup.with(Requirement::ActiveUser);
/// assert_eq!(never.contradiction(), Some((Requirement::IdleUser, Requirement::ActiveUser)));
/// let nights = Requirements::NONE.within("22:00-06:00 in Europe/Berlin".parse()?);
/// assert_eq!(nights.windows().count(), 1);
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirements {
    /// The bits of the required conditions.
    conditions: u8,
    /// The windows that have to be open; `None` if there are none.
    windows: Option<Arc<BTreeSet<Window>>>,
}

impl Requirements {
    /// No requirements.
    pub const NONE: Self = Self { conditions: 0, windows: None };

    /// Adds a requirement.
    #[must_use]
    pub const fn with(mut self, requirement: Requirement) -> Self {
        self.add(requirement);
        self
    }

    pub(crate) const fn add(&mut self, requirement: Requirement) {
        self.conditions |= requirement as u8;
    }

    /// Adds a window: automatic work runs only while it is open. While several windows are required, all have to be open;
    /// for work that may run in either of two, join them with [`Window::or`].
    #[must_use]
    pub fn within(mut self, window: Window) -> Self {
        Arc::make_mut(self.windows.get_or_insert_default()).insert(window);
        self
    }

    /// Returns the requirements of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let windows = self.windows.clone().or_else(|| other.windows.clone());
        let both = Self { conditions: self.conditions | other.conditions, windows };
        if self.windows.is_some() { other.windows().cloned().fold(both, Self::within) } else { both }
    }

    /// Replaces the conditions. The windows stay.
    #[must_use]
    pub fn with_conditions(self, conditions: impl IntoIterator<Item = Requirement>) -> Self {
        conditions.into_iter().fold(Self { conditions: 0, ..self }, Self::with)
    }

    /// Replaces the windows, with `None` by none. The conditions stay.
    #[must_use]
    pub fn with_window(self, window: Option<Window>) -> Self {
        window.into_iter().fold(Self { windows: None, ..self }, Self::within)
    }

    /// Returns the windows that have to be open.
    pub fn windows(&self) -> impl Iterator<Item = &Window> + Clone {
        self.windows.iter().flat_map(|windows| windows.iter())
    }

    /// Returns `true` if the windows are never open at the same time, from `now` on.
    pub fn never_open(&self, now: SystemTime) -> bool {
        self.opening(now) == Opening::Never
    }

    /// Returns the first time from `time` on at which the windows are open; `time` itself if they never are.
    pub(crate) fn opens(&self, time: SystemTime) -> SystemTime {
        if let Opening::At(opens) = self.opening(time) { opens } else { time }
    }

    /// Returns whether the windows are open.
    pub(crate) fn opening(&self, now: SystemTime) -> Opening {
        Opening::of(self.windows(), now)
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

/// The words of the conditions, and the text forms of the windows.
#[derive(Serialize, Deserialize)]
struct Texts {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requires: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    windows: Vec<Window>,
}

impl Serialize for Requirements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let requires = self.iter().map(|requirement| requirement.word().to_owned()).collect();
        Texts { requires, windows: self.windows().cloned().collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Requirements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Texts { requires, windows } = Texts::deserialize(deserializer)?;
        let words = requires.iter().map(|word| word.parse());
        let conditions: Vec<_> = words.collect::<Result<_, _>>().map_err(de::Error::custom)?;
        Ok(windows.into_iter().fold(Self::NONE.with_conditions(conditions), Self::within))
    }
}

/// The treatment of an automatic run whose conditions end while it runs: a requirement, a window that closes, or a network that
/// is now metered.
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
        let texts: BTreeSet<_> = Requirement::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), Requirement::ALL.len());
        let read = Requirement::ALL.map(|requirement| requirement.word().parse());
        assert_eq!(read, Requirement::ALL.map(Ok));
    }

    #[test]
    fn an_unknown_word_is_refused_with_all_known_ones() {
        let refused = "main".parse::<Requirement>().unwrap_err().to_string();
        assert!(Requirement::ALL.iter().all(|known| refused.contains(known.word())), "{refused}");
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
