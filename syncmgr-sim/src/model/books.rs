//! The books of schedules: what must have fired, computed from the plans of the script without the manager's timetable.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use syncmgr_core::decision::timetable::LastFiring;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::schedule::{Missed, Schedule};
use syncmgr_core::store::{SessionRecord, StateChange};

use super::{Finding, Model};
use crate::rule::{Plan, Timing};

/// A missed firing is late by more than this time, in milliseconds.
const LATE: i64 = 60_000;
/// The tolerance for late timers, in milliseconds.
const TICK: i64 = 2;
/// The most by which the last firing of an interval, and of other schedules, may be ahead of the clock, in milliseconds.
const AHEAD: (i64, i64) = (60_000, 24 * 60 * 60 * 1_000);

/// A schedule of a handler.
pub(crate) type ScheduleKey = (HandlerId, Schedule);

/// The last firing of a schedule. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    /// The time of the last firing, or of the beginning. `None` for a single time that has not fired.
    pub(crate) last: Option<i64>,
    /// The start of the last run.
    pub(crate) started: Option<i64>,
    /// `true` if the clock was set back since the last firing was stored: an interval may count anew.
    pub(crate) is_set_back: bool,
}

/// The moment of a write.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// The wall clock, in milliseconds since 1970.
    pub(crate) wall: i64,
    pub(crate) elapsed: Duration,
}

impl From<&LastFiring> for Book {
    fn from(last: &LastFiring) -> Self {
        Self { last: Some(millis(last.time)), started: last.started.map(millis), is_set_back: false }
    }
}

impl Model {
    /// Compares a write with the books, and updates them.
    pub(crate) fn observe_firings(&mut self, changes: &[StateChange], now: Moment) -> Vec<Finding> {
        let (begun, whole): (Vec<_>, _) = (changes.iter().flat_map(begun_runs).collect(), whole_of(changes));
        let mut findings = Vec::new();
        let mut fired = BTreeSet::new();
        for change in changes {
            match change {
                StateChange::Fired { handler, firings } => {
                    for (schedule, last) in firings {
                        let key = (*handler, schedule.clone());
                        let runs = begun.iter().any(|(_, _, of)| *of == key) || whole.contains(handler);
                        fired.extend(runs.then_some(key.clone()));
                        findings.extend(self.observe_firing(&key, last.as_ref(), runs, now));
                    }
                }
                StateChange::Forget { handler } => self.books.retain(|(of, _), _| of != handler),
                _ => {}
            }
        }
        for (session, began, key) in begun {
            let unregistered = self.unregistered.get(&key.0).is_some_and(|since| began > since + TICK);
            if unregistered {
                let details = format!("session {session} of {:?} starts for a schedule", key.0);
                findings.push(("a handler that is not registered does not fire", details));
            }
            self.unfired.extend((!fired.contains(&key)).then_some(session));
        }
        findings
    }

    /// Compares the stored last firing of a schedule with its book. `runs` says that a run starts with this write.
    fn observe_firing(
        &mut self,
        key: &ScheduleKey,
        last: Option<&LastFiring>,
        runs: bool,
        now: Moment,
    ) -> Option<Finding> {
        let plan = self.settings.plans.get(key).copied()?;
        let Some(last) = last else {
            self.books.remove(key);
            return None;
        };
        let stored = Book::from(last);
        let book = self.books.insert(key.clone(), stored);
        let is_single = is_single_time(&plan);
        let fault = match book.or(is_single.then(Book::default)) {
            None if runs => Some("it runs, but it has never begun"),
            None => (stored.last.is_some_and(|begun| begun.abs_diff(now.wall) > TICK.unsigned_abs()))
                .then_some("it does not begin now"),
            Some(book) if runs => fault_of_run(&plan, book, stored, now, self.clock_is_stale(now)),
            Some(book) => fault_of_skip(&plan, book, stored, now).filter(|_| !self.clock_is_stale(now)),
        };
        let details = |fault| format!("{:?}, {}: {fault}; {book:?} becomes {stored:?} at {}", key.0, key.1, now.wall);
        fault.map(|fault| ("schedules fire as they say", details(fault)))
    }

    fn clock_is_stale(&self, now: Moment) -> bool {
        now.elapsed < self.clock_stale_until
    }

    /// Sets the books of a handler to what the store has, when the handler is registered.
    pub(crate) fn load_books(&mut self, handler: HandlerId, stored: &BTreeMap<Schedule, LastFiring>) {
        self.books.retain(|(of, _), _| *of != handler);
        let books = stored.iter().map(|(schedule, last)| ((handler, schedule.clone()), Book::from(last)));
        self.books.extend(books);
    }

    /// Returns the next firing of each schedule, with the latest time at which it starts if nothing holds it.
    pub(crate) fn next_firings(&self) -> Vec<(ScheduleKey, i64, i64)> {
        let next = self.books.iter().filter_map(|(key, book)| {
            let plan = self.settings.plans.get(key)?;
            let next = plan.after(book.last)?;
            Some((key.clone(), next, plan.latest_start(next, book.started)))
        });
        next.collect()
    }
}

fn is_single_time(plan: &Plan) -> bool {
    matches!(plan.timing, Timing::Once(_))
}

/// Returns the reason why a run may not start for this firing.
fn fault_of_run(plan: &Plan, book: Book, stored: Book, now: Moment, is_stale: bool) -> Option<&'static str> {
    let (time, started) = (stored.last?, stored.started.unwrap_or(now.wall));
    if book.is_set_back {
        return None;
    }
    if book.last.is_some_and(|last| time <= last) {
        return Some("a firing runs twice");
    }
    if !plan.has(book.last, time) && !is_stale {
        return Some("the schedule has no such firing");
    }
    if time > now.wall + TICK && !is_stale {
        return Some("a firing runs early");
    }
    // An earlier firing that has become one with this one may have begun the gap.
    let latest = plan.latest_start(time, None) + plan.longest_delay() + LATE + TICK;
    if plan.missed == Missed::Skip && started > latest && !is_stale {
        return Some("a missed firing runs although it is to be skipped");
    }
    let next = plan.after(Some(time)).map(|next| plan.latest_start(next, None) + plan.longest_delay());
    if next.is_some_and(|next| next + TICK < started) && !is_stale {
        return Some("an older firing runs instead of the last one");
    }
    None
}

/// Returns the reason why a last firing may not change without a run.
fn fault_of_skip(plan: &Plan, book: Book, stored: Book, now: Moment) -> Option<&'static str> {
    if book.is_set_back && !is_single_time(plan) && stored.last.is_some_and(|time| time <= now.wall + TICK) {
        return None;
    }
    let (before, time) = (book.last, stored.last?);
    let ahead = if plan.is_interval() { AHEAD.0 } else { AHEAD.1 };
    match before {
        Some(before) if before == time => None,
        Some(before) if time < before => {
            let is_reset = before > now.wall + ahead - TICK && time.abs_diff(now.wall) <= TICK.unsigned_abs();
            (!is_reset).then_some("the last firing goes back")
        }
        _ if plan.missed != Missed::Skip => Some("a firing is stored without its run"),
        _ if !plan.has(before, time) => Some("the schedule has no such firing"),
        _ if now.wall <= time + LATE => Some("a firing is skipped that was not missed"),
        _ => None,
    }
}

/// Returns the runs of a session that begins for schedules, each with the session and its beginning.
fn begun_runs(change: &StateChange) -> Vec<(SessionId, i64, ScheduleKey)> {
    let StateChange::SessionBegan(SessionRecord { session, began, runs, .. }) = change else { return Vec::new() };
    let of_run = |run: &syncmgr_core::request::RunRequest| {
        let schedules = run.schedules.as_deref().cloned().unwrap_or_default();
        schedules.into_iter().map(|schedule| (run.handler, schedule)).collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).map(|key| (*session, millis(*began), key)).collect()
}

/// Returns a time in milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the handlers all of whose preferred items run in sessions that begin. Such a run stands for every schedule.
fn whole_of(changes: &[StateChange]) -> BTreeSet<HandlerId> {
    let sessions = changes.iter().filter_map(|change| match change {
        StateChange::SessionBegan(record) => Some(record),
        _ => None,
    });
    let runs = sessions.flat_map(|record| &record.runs);
    runs.filter(|run| run.items.is_none() && run.schedules.is_none()).map(|run| run.handler).collect()
}
