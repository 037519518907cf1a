//! What a host objects to in a plan, what it asks then, and what an answer allows.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Side};
use crate::record::ItemRecord;
use crate::text::Escaped;
use crate::time::Utc;

mod ask;

#[cfg(test)]
mod tests;

pub use ask::{KEY, clearance, question};

/// Of so few entries any number may go at once.
const FEW: u64 = 10;

/// When a host objects, and what happens where nobody answers.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::guard::{GuardPolicy, object}, plan::Plan};
/// let careful = GuardPolicy::DEFAULT.with_deletions(5, 10);
/// let plan = Plan::new().with_deletes(100, 900); // a ninth of what there is
/// assert!(object(&plan, None, &GuardPolicy::DEFAULT, SystemTime::UNIX_EPOCH).is_none());
/// assert!(object(&plan, None, &careful, SystemTime::UNIX_EPOCH).is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "`with_` methods return the changed value"]
pub struct GuardPolicy {
    /// So many deletions are never objected to; 10 unless said otherwise.
    pub most_deletions: u64,
    /// Nor are deletions of up to so many percent of what is there; 50 unless said otherwise.
    pub share: u32,
    /// How far the clock may go back; 1 h unless said otherwise.
    pub clock_slack: Duration,
    /// What happens while nobody has answered.
    pub headless: WhenGuarded,
}

/// What happens to a plan that is objected to while nobody has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenGuarded {
    /// It is held.
    #[default]
    Refuse,
    /// It is carried out.
    Allow,
}

impl GuardPolicy {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        most_deletions: FEW,
        share: 50,
        clock_slack: Duration::from_secs(60 * 60),
        headless: WhenGuarded::Refuse,
    };

    /// Objecting to more than so many deletions, if they are more than so many percent of what is there.
    pub const fn with_deletions(self, most: u64, percent: u32) -> Self {
        Self { most_deletions: most, share: percent, ..self }
    }

    /// Objecting to a clock that went back further than this.
    pub const fn with_clock_slack(self, slack: Duration) -> Self {
        Self { clock_slack: slack, ..self }
    }

    /// With this where nobody answers.
    pub const fn with_headless(self, headless: WhenGuarded) -> Self {
        Self { headless, ..self }
    }
}

impl Default for GuardPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What looks like a mistake in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Objection {
    /// A side is another than it was: a swapped disk, another mailbox.
    PeerChanged {
        /// What people call the side.
        side: Arc<str>,
    },
    /// A side that had entries at the last success has none.
    SideEmpty {
        /// What people call the side.
        side: Arc<str>,
        /// How many entries it had.
        before: u64,
    },
    /// More is deleted than people delete.
    TooManyDeletions {
        /// How many entries.
        deletes: u64,
        /// Of how many.
        existing: u64,
    },
    /// It is earlier than it was.
    ClockWentBack {
        /// When the item last ended.
        #[serde(with = "crate::time")]
        last: SystemTime,
    },
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerChanged { side } => write!(f, "{} is not the one it was", Escaped(side)),
            Self::SideEmpty { side, before } => write!(f, "{} is empty and had {before} entries", Escaped(side)),
            Self::TooManyDeletions { deletes, existing } => {
                write!(f, "{deletes} of {existing} entries would be deleted")
            }
            Self::ClockWentBack { last } => {
                write!(f, "the clock went back: the last run ended {}", Utc(*last))
            }
        }
    }
}

/// What stands against carrying `plan` out: the first of a changed peer, an empty side, too many deletions, a clock that
/// went back. `None` where nothing does.
///
/// Sides are compared with the record's by name. One the record does not know has not changed.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::guard::{GuardPolicy, Objection, object}, plan::Plan};
/// let plan = Plan::new().with_deletes(800, 900);
/// let objection = object(&plan, None, &GuardPolicy::DEFAULT, SystemTime::UNIX_EPOCH);
/// assert_eq!(objection, Some(Objection::TooManyDeletions { deletes: 800, existing: 900 }));
/// ```
pub fn object(plan: &Plan, record: Option<&ItemRecord>, policy: &GuardPolicy, now: SystemTime) -> Option<Objection> {
    let before = record.map_or(&[][..], |record| &record.sides);
    changed_peer(&plan.sides, before)
        .or_else(|| empty_side(&plan.sides, before))
        .or_else(|| too_many_deletions(plan, policy))
        .or_else(|| clock_went_back(record?, policy, now))
}

/// Each side with what it was before.
fn pairs<'a>(sides: &'a [Side], before: &'a [Side]) -> impl Iterator<Item = (&'a Side, &'a Side)> {
    sides.iter().flat_map(|side| before.iter().filter(|old| old.name == side.name).map(move |old| (side, old)))
}

fn changed_peer(sides: &[Side], before: &[Side]) -> Option<Objection> {
    let mut known = pairs(sides, before).filter(|(side, old)| side.identity.is_some() && old.identity.is_some());
    let (side, _) = known.find(|(side, old)| side.identity != old.identity)?;
    Some(Objection::PeerChanged { side: side.name.clone() })
}

fn empty_side(sides: &[Side], before: &[Side]) -> Option<Objection> {
    let (side, old) = pairs(sides, before).find(|(side, old)| side.entries == 0 && old.entries > FEW)?;
    Some(Objection::SideEmpty { side: side.name.clone(), before: old.entries })
}

fn too_many_deletions(plan: &Plan, policy: &GuardPolicy) -> Option<Objection> {
    let Plan { deletes, existing, .. } = *plan;
    let share = u128::from(deletes) * 100 > u128::from(existing) * u128::from(policy.share);
    (deletes > policy.most_deletions && share).then_some(Objection::TooManyDeletions { deletes, existing })
}

fn clock_went_back(record: &ItemRecord, policy: &GuardPolicy, now: SystemTime) -> Option<Objection> {
    let last = record.last_success?;
    let back = last.duration_since(now).is_ok_and(|back| back > policy.clock_slack);
    back.then_some(Objection::ClockWentBack { last })
}
