//! Derives an explanation from what is known.

use std::time::SystemTime;

use super::{Condition, Current, Explanation, Known, LastEnd, Listed, Next};
use crate::decision::hold::Hold;
use crate::decision::retry::{RequestedBy, may_run};
use crate::decision::verdict::Outcome;
use crate::id::ErrorId;
use crate::item::ItemState;
use crate::register::RegisterFlags;
use crate::time::round_down;

/// Returns the condition of a handler or an item, the holds on it, and its next run.
pub fn explain(known: &Known, now: SystemTime) -> Explanation {
    let condition = condition(known);
    let holds = holds(known, condition, now);
    let next = match condition {
        Condition::Running { .. } => Next::Now,
        Condition::Unknown => unknown(known),
        _ if known.registered.is_none() => Next::Never,
        Condition::Absent => Next::WhenListed,
        Condition::Waiting { .. } => next(&holds, known.question, Next::Now),
        _ => next(&holds, known.question, next_without_hold(known, now)),
    };
    let next = if next <= (Next::At { time: now }) { Next::Now } else { next };
    let record = known.record.as_ref();
    let last =
        record.and_then(|record| Some(LastEnd { outcome: record.outcome?, time: round_down(record.last_attempt?) }));
    Explanation {
        handler: known.handler,
        item: known.item,
        name: known.name.clone(),
        condition,
        holds,
        next,
        last,
        succeeded: record.filter(|_| known.item.is_some()).and_then(|record| record.last_success).map(round_down),
    }
}

/// Returns the next run of an item with these holds: the maximum of the [`Next`] of each hold. Returns `otherwise` if there
/// is no hold.
///
/// `question` is the id of the item's open question; an answer to the question requests a run.
pub fn next(holds: &[Hold], question: Option<ErrorId>, otherwise: Next) -> Next {
    holds.iter().map(|hold| end_of(hold, question)).max().unwrap_or(otherwise)
}

/// Returns the event that ends a hold. Every hold can end.
fn end_of(hold: &Hold, question: Option<ErrorId>) -> Next {
    match hold {
        Hold::BackingOff { until, .. } | Hold::NotBefore { until } | Hold::OutsideWindow { until } => {
            Next::At { time: *until }
        }
        Hold::Behind { .. } | Hold::NoFreeWorker | Hold::Claimed { .. } | Hold::Quarantined | Hold::Merged { .. } => {
            Next::WhenLifted
        }
        Hold::Metered
        | Hold::NoInternet
        | Hold::OnBattery
        | Hold::BatteryLow
        | Hold::UserActive
        | Hold::UserIdle
        | Hold::Ending { .. } => Next::WhenLifted,
        Hold::Offline => Next::WhenOnline,
        Hold::Paused => Next::WhenResumed,
        Hold::Unchosen | Hold::Contradictory => Next::WhenRequested,
        Hold::Disabled { .. } => Next::WhenEnabled,
        Hold::NeedsUser
        | Hold::Guarded
        | Hold::NeedsAttention { .. }
        | Hold::Permanent
        | Hold::Gone
        | Hold::UnreadableState => question.map_or(Next::WhenRequested, |error| Next::WhenAnswered { error }),
    }
}

fn condition(known: &Known) -> Condition {
    let record = known.record.as_ref();
    match known.current {
        Some(Current::Running(session)) => return Condition::Running { session },
        Some(Current::Waiting(session)) => return Condition::Waiting { session },
        Some(Current::Interrupted(session)) => return Condition::Interrupted { session },
        None => {}
    }
    let Some(record) = record else { return without_record(known) };
    let status = record.retry.map(|retry| retry.status);
    let absent = known.listed == Listed::Absent || (known.listed == Listed::Unknown && record.absent_since.is_some());
    match record.outcome {
        _ if absent => Condition::Absent,
        None => Condition::Idle,
        // The record of a handler is about its beginning: it says nothing about its items.
        Some(Outcome::Succeeded) if known.item.is_none() => Condition::Idle,
        Some(Outcome::Succeeded) => Condition::Succeeded,
        Some(Outcome::Failed) => Condition::Failed { status },
        Some(Outcome::Skipped) => Condition::Skipped,
        Some(Outcome::Stopped) => Condition::Stopped,
        Some(Outcome::NeedsUser) => Condition::NeedsUser,
    }
}

fn without_record(known: &Known) -> Condition {
    match (known.item, known.listed) {
        (None, _) if known.registered.is_some() => Condition::Idle,
        (Some(_), Listed::Present) => Condition::Idle,
        _ => Condition::Unknown,
    }
}

/// Returns the next run of an unknown item or handler.
fn unknown(known: &Known) -> Next {
    match known.listed {
        Listed::Unknown if known.registered.is_some() => Next::WhenListed,
        _ => Next::Never,
    }
}

/// Returns the holds. A running item has no holds. A waiting item has only the holds of its session, since a request may
/// have overruled the other holds.
fn holds(known: &Known, condition: Condition, now: SystemTime) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut add = |hold| {
        if !holds.contains(&hold) {
            holds.push(hold);
        }
    };
    if matches!(condition, Condition::Running { .. } | Condition::Unknown) {
        return holds;
    }
    if !matches!(condition, Condition::Waiting { .. }) {
        holds_outside_sessions(known, condition, now).into_iter().for_each(&mut add);
    }
    known.held.iter().cloned().for_each(&mut add);
    if known.quarantined {
        add(Hold::Quarantined);
    }
    holds
}

/// Returns the holds that exist outside of any session.
fn holds_outside_sessions(known: &Known, condition: Condition, now: SystemTime) -> Vec<Hold> {
    let retry = known.record.as_ref().and_then(|record| record.retry);
    let undecided = retry.is_none() && condition == Condition::NeedsUser;
    let unchosen = known.chosen == Some(ItemState::Unchecked);
    let status = retry.and_then(|retry| may_run(&retry, RequestedBy::Automatic, now).err());
    let from_record = status.into_iter().chain(undecided.then_some(Hold::NeedsUser));
    from_record.chain(unchosen.then_some(Hold::Unchosen)).chain(known.other_holds.iter().cloned()).collect()
}

/// Returns the next run without any hold: the time of the retry or of the schedule, or the next trigger.
fn next_without_hold(known: &Known, now: SystemTime) -> Next {
    // A retry time in the past counts only if the caller reports it as due: the user may have declined the retry.
    let retry = known.record.as_ref().and_then(|record| record.retry?.until).filter(|until| *until > now);
    match retry.into_iter().chain(known.due).min() {
        Some(time) => Next::At { time },
        None if known.registered.is_some_and(|events| events != RegisterFlags::empty()) => Next::WhenTriggered,
        None => known.question.map_or(Next::WhenRequested, |error| Next::WhenAnswered { error }),
    }
}
