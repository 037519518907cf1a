//! From what is known to what is said.

use std::time::SystemTime;

use super::{Current, Explanation, Known, LastEnd, Listed, Next, Standing};
use crate::decision::hold::Hold;
use crate::decision::retry::{Ask, may_run};
use crate::decision::verdict::Outcome;
use crate::id::ErrorId;
use crate::item::ItemState;
use crate::register::RegisterFlags;
use crate::time::round_down;

/// Says where something stands, what holds it, and when it runs next.
pub fn explain(known: &Known, now: SystemTime) -> Explanation {
    let standing = standing(known);
    let holds = holds(known, standing, now);
    let next = match standing {
        Standing::Running { .. } => Next::Now,
        Standing::Unknown => unknown(known),
        _ if known.registered.is_none() => Next::Never,
        Standing::Absent => Next::WhenListed,
        Standing::Waiting { .. } => next(&holds, known.question, Next::Now),
        _ => next(&holds, known.question, routine(known, now)),
    };
    let next = if next <= (Next::At { time: now }) { Next::Now } else { next };
    let record = known.record.as_ref();
    let last =
        record.and_then(|record| Some(LastEnd { outcome: record.outcome?, time: round_down(record.last_attempt?) }));
    Explanation {
        handler: known.handler,
        item: known.item,
        name: known.name.clone(),
        standing,
        holds,
        next,
        last,
        succeeded: record.and_then(|record| record.last_success).map(round_down),
    }
}

/// When something runs that is held like this: when the hold that takes most is over. Where nothing holds it, `otherwise`.
///
/// `question` is its open question; whoever answers it asks for a run.
pub fn next(holds: &[Hold], question: Option<ErrorId>, otherwise: Next) -> Next {
    holds.iter().map(|hold| way_out(hold, question)).max().unwrap_or(otherwise)
}

/// How a hold ends. Each does.
fn way_out(hold: &Hold, question: Option<ErrorId>) -> Next {
    match hold {
        Hold::BackingOff { until, .. } | Hold::NotBefore { until } => Next::At { time: *until },
        Hold::Behind { .. } | Hold::NoFreeWorker | Hold::Claimed { .. } | Hold::Quarantined | Hold::Merged { .. } => {
            Next::WhenLifted
        }
        Hold::Metered | Hold::OnBattery => Next::WhenLifted,
        Hold::Offline => Next::WhenOnline,
        Hold::Paused => Next::WhenResumed,
        Hold::Unchosen => Next::WhenAsked,
        Hold::NeedsUser
        | Hold::Guarded
        | Hold::NeedsAttention { .. }
        | Hold::Permanent
        | Hold::Gone
        | Hold::UnreadableState => question.map_or(Next::WhenAsked, |error| Next::WhenAnswered { error }),
    }
}

fn standing(known: &Known) -> Standing {
    let record = known.record.as_ref();
    match known.current {
        Some(Current::Running(session)) => return Standing::Running { session },
        Some(Current::Waiting(session)) => return Standing::Waiting { session },
        Some(Current::Interrupted(session)) => return Standing::Interrupted { session },
        None => {}
    }
    let Some(record) = record else { return without_record(known) };
    let setback = record.retry.map(|retry| retry.setback);
    let gone = known.listed == Listed::Absent || (known.listed == Listed::Unknown && record.absent_since.is_some());
    match record.outcome {
        _ if gone => Standing::Absent,
        None => Standing::Idle,
        Some(Outcome::Succeeded) => Standing::Succeeded,
        Some(Outcome::Failed) => Standing::Failed { setback },
        Some(Outcome::Skipped) => Standing::Skipped,
        Some(Outcome::Stopped) => Standing::Stopped,
        Some(Outcome::NeedsUser) => Standing::NeedsUser,
    }
}

fn without_record(known: &Known) -> Standing {
    match (known.item, known.listed) {
        (None, _) if known.registered.is_some() => Standing::Idle,
        (Some(_), Listed::Present) => Standing::Idle,
        _ => Standing::Unknown,
    }
}

/// When something runs that nothing is known of.
fn unknown(known: &Known) -> Next {
    match known.listed {
        Listed::Unknown if known.registered.is_some() => Next::WhenListed,
        _ => Next::Never,
    }
}

/// What holds it. What runs is not held, and what waits is held by what its session says: that it was asked for may have
/// overruled the rest.
fn holds(known: &Known, standing: Standing, now: SystemTime) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut add = |hold| {
        if !holds.contains(&hold) {
            holds.push(hold);
        }
    };
    if matches!(standing, Standing::Running { .. } | Standing::Unknown) {
        return holds;
    }
    if !matches!(standing, Standing::Waiting { .. }) {
        lasting(known, standing, now).into_iter().for_each(&mut add);
    }
    known.held.iter().cloned().for_each(&mut add);
    if known.quarantined {
        add(Hold::Quarantined);
    }
    holds
}

/// What holds it apart from any session.
fn lasting(known: &Known, standing: Standing, now: SystemTime) -> Vec<Hold> {
    let retry = known.record.as_ref().and_then(|record| record.retry);
    let undecided = retry.is_none() && standing == Standing::NeedsUser;
    let unchosen = known.chosen == Some(ItemState::Unchecked);
    let setback = retry.and_then(|retry| may_run(&retry, Ask::Automatic, now).err());
    let own = setback.into_iter().chain(undecided.then_some(Hold::NeedsUser));
    own.chain(unchosen.then_some(Hold::Unchosen)).chain(known.conditions.iter().cloned()).collect()
}

/// When something runs that nothing holds: its retry is due, or its schedule, or it waits for a trigger.
fn routine(known: &Known, now: SystemTime) -> Next {
    // One whose time has passed is due only where somebody says so: it may have been declined.
    let retry = known.record.as_ref().and_then(|record| record.retry?.until).filter(|until| *until > now);
    match retry.into_iter().chain(known.due).min() {
        Some(time) => Next::At { time },
        None if known.registered.is_some_and(|events| events != RegisterFlags::empty()) => Next::WhenTriggered,
        None => Next::WhenAsked,
    }
}
