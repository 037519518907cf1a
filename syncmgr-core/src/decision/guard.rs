//! Guard rules: the violations of a plan, the question to the user, and the decision that an answer permits.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Side};
use crate::record::ItemRecord;
use crate::text::Escaped;
use crate::time::Utc;

mod question;

#[cfg(test)]
mod tests;

pub use self::question::{KEY, decision, question};

/// A plan may delete this many entries, and a side with this many entries may become empty.
const FEW: u64 = 10;

/// The thresholds of the guard rules, and the policy for unattended sessions.
///
/// In a settings file, what is left out has its default, and `clock_slack` is written as `"1h"`.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::guard::{GuardPolicy, violation}, plan::Plan};
/// let careful = GuardPolicy::DEFAULT.with_deletions(5, 10);
/// let plan = Plan::new().with_deletes(100, 900); // a ninth of the entries
/// assert!(violation(&plan, None, &GuardPolicy::DEFAULT, SystemTime::UNIX_EPOCH).is_none());
/// assert!(violation(&plan, None, &careful, SystemTime::UNIX_EPOCH).is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use = "`with_` methods return the changed value"]
pub struct GuardPolicy {
    /// The number of deletions that is always permitted. Default: 10.
    pub max_deletions: u64,
    /// The percentage of existing entries whose deletion is always permitted. Default: 50.
    pub share: u32,
    /// The time by which the clock may go back. Default: 1 h.
    #[serde(with = "crate::setting::duration")]
    pub clock_slack: Duration,
    /// The policy for plans whose question has no answer.
    pub unattended: UnattendedPolicy,
}

/// The policy for a plan that violates a guard rule while its question has no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnattendedPolicy {
    /// The plan is held.
    #[default]
    Refuse,
    /// The plan is carried out.
    Allow,
}

impl GuardPolicy {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_deletions: FEW,
        share: 50,
        clock_slack: Duration::from_secs(60 * 60),
        unattended: UnattendedPolicy::Refuse,
    };

    /// Sets the limits on deletions. Only a plan that exceeds both limits is a violation.
    pub const fn with_deletions(self, most: u64, percent: u32) -> Self {
        Self { max_deletions: most, share: percent, ..self }
    }

    /// Sets the time by which the clock may go back.
    pub const fn with_clock_slack(self, slack: Duration) -> Self {
        Self { clock_slack: slack, ..self }
    }

    /// Sets the policy for unattended sessions.
    pub const fn with_unattended(self, unattended: UnattendedPolicy) -> Self {
        Self { unattended, ..self }
    }
}

impl Default for GuardPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A violation of a guard rule: a plan that looks like a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GuardViolation {
    /// The identity of a side has changed: a swapped disk, a different mailbox.
    PeerChanged {
        /// The name of the side.
        side: Arc<str>,
    },
    /// A side is empty but had entries at the last success.
    SideEmpty {
        /// The name of the side.
        side: Arc<str>,
        /// The number of entries it had.
        before: u64,
    },
    /// The plan deletes unusually many entries.
    TooManyDeletions {
        /// The number of entries the plan deletes.
        deletes: u64,
        /// The number of existing entries.
        existing: u64,
    },
    /// The clock is earlier than the item's last success.
    ClockWentBack {
        /// The time of the last success.
        #[serde(with = "crate::time")]
        last: SystemTime,
    },
}

impl fmt::Display for GuardViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerChanged { side } => write!(f, "{} has a different identity than before", Escaped(side)),
            Self::SideEmpty { side, before } => write!(f, "{} is empty but had {before} entries", Escaped(side)),
            Self::TooManyDeletions { deletes, existing } => {
                write!(f, "{deletes} of {existing} entries would be deleted")
            }
            Self::ClockWentBack { last } => {
                write!(f, "the clock went back: the last success was {}", Utc(*last))
            }
        }
    }
}

/// Checks a plan and returns the first violation, or `None`. The order is: changed peer, empty side, too many deletions, clock
/// that went back.
///
/// Sides are compared with the sides of the record by name. A side that the record does not have is not compared. An empty side is
/// no violation if all sides, at least two, are empty and the plan changes nothing.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::guard::{GuardPolicy, GuardViolation, violation}, plan::Plan};
/// let plan = Plan::new().with_deletes(800, 900);
/// let violation = violation(&plan, None, &GuardPolicy::DEFAULT, SystemTime::UNIX_EPOCH);
/// assert_eq!(violation, Some(GuardViolation::TooManyDeletions { deletes: 800, existing: 900 }));
/// ```
pub fn violation(
    plan: &Plan,
    record: Option<&ItemRecord>,
    policy: &GuardPolicy,
    now: SystemTime,
) -> Option<GuardViolation> {
    let before = record.map_or(&[][..], |record| &record.sides);
    changed_peer(&plan.sides, before)
        .or_else(|| empty_side(plan, before))
        .or_else(|| too_many_deletions(plan, policy))
        .or_else(|| clock_went_back(record?, policy, now))
}

/// Pairs each side with the recorded side of the same name.
fn pairs<'a>(sides: &'a [Side], before: &'a [Side]) -> impl Iterator<Item = (&'a Side, &'a Side)> {
    sides.iter().flat_map(|side| before.iter().filter(|old| old.name == side.name).map(move |old| (side, old)))
}

fn changed_peer(sides: &[Side], before: &[Side]) -> Option<GuardViolation> {
    let mut known = pairs(sides, before).filter(|(side, old)| side.identity.is_some() && old.identity.is_some());
    let (side, _) = known.find(|(side, old)| side.identity != old.identity)?;
    Some(GuardViolation::PeerChanged { side: side.name.clone() })
}

/// Finds a side that has lost everything. If both sides are empty and nothing is to be done, as after deletions that the user has
/// allowed, there is nothing to lose.
fn empty_side(plan: &Plan, before: &[Side]) -> Option<GuardViolation> {
    let all_empty = plan.sides.len() > 1 && plan.sides.iter().all(|side| side.entries == 0);
    let has_changes = plan.creates + plan.updates + plan.deletes > 0;
    let mut known = pairs(&plan.sides, before).filter(|_| has_changes || !all_empty);
    let (side, old) = known.find(|(side, old)| side.entries == 0 && old.entries > FEW)?;
    Some(GuardViolation::SideEmpty { side: side.name.clone(), before: old.entries })
}

fn too_many_deletions(plan: &Plan, policy: &GuardPolicy) -> Option<GuardViolation> {
    let Plan { deletes, existing, .. } = *plan;
    let exceeds_share = u128::from(deletes) * 100 > u128::from(existing) * u128::from(policy.share);
    (deletes > policy.max_deletions && exceeds_share).then_some(GuardViolation::TooManyDeletions { deletes, existing })
}

fn clock_went_back(record: &ItemRecord, policy: &GuardPolicy, now: SystemTime) -> Option<GuardViolation> {
    let last = record.last_success?;
    let went_back = last.duration_since(now).is_ok_and(|back| back > policy.clock_slack);
    went_back.then_some(GuardViolation::ClockWentBack { last })
}
