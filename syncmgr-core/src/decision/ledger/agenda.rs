//! The agenda, from the state that decides what starts.

use std::time::SystemTime;

use super::{HANDLER_ITSELF, Handler, HeldRun, RetryLedger, StartReason};
use crate::agenda::{AgendaEntry, AgendaWork};
use crate::decision::hold::Hold;
use crate::decision::local_changes::Changed;
use crate::environment::Environment;
use crate::explain::{Next, next};
use crate::id::HandlerId;
use crate::register::RegisterFlags;
use crate::schedule::Schedule;

impl RetryLedger {
    /// Returns the runs that start without a request, in the order of their starts.
    ///
    /// Of the items that wait for a retry, each handler has one entry, for those that are due next.
    pub fn agenda(&self, environment: &Environment, now: SystemTime) -> Vec<AgendaEntry> {
        let fired =
            self.schedules.fired().map(|(handler, schedule)| self.fired_entry(handler, schedule, environment, now));
        let scheduled = self.schedules.timetable.agenda().filter(|(_, handler, schedule)| {
            // A firing that waits and the next one become one run.
            !self.schedules.is_fired(*handler, schedule)
        });
        let scheduled =
            scheduled.map(|(time, handler, schedule)| self.scheduled_entry(time, handler, schedule, environment, now));
        let held = self.held.iter().map(|held| self.held_entry(held, environment, now));
        let mut entries: Vec<_> = fired.chain(scheduled).chain(held).chain(self.retries(environment, now)).collect();
        entries.extend(self.changed(environment, now));
        entries.extend(self.to_resume(environment, now));
        entries.extend(self.at_events(environment, now));
        entries.iter_mut().for_each(|entry| entry.next = not_past(entry.next, now));
        // Stable: entries with equal starts stay in the order of schedules, held runs, retries.
        entries.sort_by_key(|entry| (entry.next, entry.handler));
        entries
    }

    /// Returns a number that is larger after each change of the agenda, other than a change of the environment.
    pub fn agenda_version(&self) -> u64 {
        let of_parts = self.retry_queue.version() + self.held.version() + self.schedules.version();
        of_parts + self.changes.version() + self.version
    }

    /// Returns the entry of a schedule that will fire, with what will hold its run if nothing but the time changes.
    fn scheduled_entry(
        &self,
        time: SystemTime,
        handler: HandlerId,
        schedule: &Schedule,
        environment: &Environment,
        now: SystemTime,
    ) -> AgendaEntry {
        let hold = self.hold_of_start(handler, environment, time.max(now));
        let work = AgendaWork::Scheduled(schedule.clone());
        AgendaEntry::new(handler, at(time, hold.as_ref()), StartReason::Scheduled, work).with_hold(hold)
    }

    fn fired_entry(
        &self,
        handler: HandlerId,
        schedule: &Schedule,
        environment: &Environment,
        now: SystemTime,
    ) -> AgendaEntry {
        let hold = self.hold_of_start(handler, environment, now);
        let waits = if self.retry_queue.is_running(handler) { Next::WhenLifted } else { Next::Now };
        let next = next(hold.as_slice(), None, waits);
        AgendaEntry::new(handler, next, StartReason::Scheduled, AgendaWork::Scheduled(schedule.clone())).with_hold(hold)
    }

    fn retries(&self, environment: &Environment, now: SystemTime) -> impl Iterator<Item = AgendaEntry> {
        self.retry_queue.groups().map(move |(time, handler)| {
            let work = match self.retry_queue.due_of(handler, HANDLER_ITSELF) {
                Some(due) if due <= time.max(now) => AgendaWork::Preferred,
                _ => AgendaWork::Items(self.retry_queue.count_due(handler, time)),
            };
            let hold = self.hold_of_run(handler, environment, time.max(now));
            AgendaEntry::new(handler, at(time, hold.as_ref()), StartReason::Retry, work).with_hold(hold)
        })
    }

    /// Returns the runs for local changes.
    fn changed(&self, environment: &Environment, now: SystemTime) -> impl Iterator<Item = AgendaEntry> {
        let fresh = self.changes.agenda().map(move |(time, handler, changed)| {
            let hold = self.hold_of_start(handler, environment, time.max(now));
            let is_running = self.retry_queue.is_running(handler);
            let next = if is_running { Next::WhenLifted } else { at(time, hold.as_ref()) };
            AgendaEntry::new(handler, next, StartReason::LocalChange, work_of(changed)).with_hold(hold)
        });
        let held = self.changes.held().map(move |(handler, changed)| {
            let hold = self.hold_of_start(handler, environment, now);
            let next = next(hold.as_slice(), None, Next::WhenLifted);
            AgendaEntry::new(handler, next, StartReason::LocalChange, work_of(changed)).with_hold(hold)
        });
        fresh.chain(held)
    }

    /// Returns the runs of the handlers that run when the network comes up, while the reconnect waits, and of those that run when
    /// the user is idle, until the user has been idle for long enough.
    fn at_events(&self, environment: &Environment, now: SystemTime) -> impl Iterator<Item = AgendaEntry> {
        let waits = self.environment_starts.next().max(self.connect_delay.next()).unwrap_or(now);
        let connect = self.reconnected.as_ref().map(|_| (RegisterFlags::CONNECT, waits));
        let idle = self.idle.next().map(|time| (RegisterFlags::IDLE, time));
        connect.into_iter().chain(idle).flat_map(move |(event, time)| {
            let runs = move |handler: &Handler| handler.registered.is_some() && handler.events.contains(event);
            let handlers = self.handlers.iter().filter(move |(_, handler)| runs(handler));
            handlers.map(move |(handler, _)| {
                let hold = self.hold_of_run(*handler, environment, time.max(now));
                AgendaEntry::new(*handler, at(time, hold.as_ref()), StartReason::HoldLifted, AgendaWork::Preferred)
                    .with_hold(hold)
            })
        })
    }

    fn to_resume(&self, environment: &Environment, now: SystemTime) -> impl Iterator<Item = AgendaEntry> {
        let of = self.interrupted.to_resume().into_iter().filter(|handler| self.needs(*handler).is_some());
        of.map(move |handler| {
            let requests = self.interrupted.requests().filter(|request| request.handler == handler);
            let hold = self.disabled.hold_of_all(requests).or_else(|| self.hold_of_run(handler, environment, now));
            let next = next(hold.as_slice(), None, Next::Now);
            AgendaEntry::new(handler, next, StartReason::Resumed, AgendaWork::Preferred).with_hold(hold)
        })
    }

    fn held_entry(&self, held: &HeldRun, environment: &Environment, now: SystemTime) -> AgendaEntry {
        let handler = held.request.handler;
        let work = match (&held.request.items, &held.request.schedules) {
            (Some(items), _) => AgendaWork::Items(items.len()),
            (None, Some(schedules)) if schedules.len() == 1 => {
                schedules.first().cloned().map_or(AgendaWork::Preferred, AgendaWork::Scheduled)
            }
            _ => AgendaWork::Preferred,
        };
        let hold = self.hold_of_held(held, environment, now);
        let waits = match self.environment_starts.next() {
            _ if held.is_automatic() && self.retry_queue.is_running(handler) => Next::WhenLifted,
            Some(time) => Next::At { time },
            None => Next::Now,
        };
        AgendaEntry::new(handler, next(hold.as_slice(), None, waits), held.reason, work).with_hold(hold)
    }
}

fn work_of(changed: &Changed) -> AgendaWork {
    match changed {
        Changed::Items(items) => AgendaWork::Items(items.len()),
        Changed::Everything => AgendaWork::Preferred,
    }
}

/// Returns the start of a run that is due at this time: its hold may say that it starts later.
fn at(time: SystemTime, hold: Option<&Hold>) -> Next {
    let opens = if let Some(Hold::OutsideWindow { until }) = hold { *until } else { time };
    Next::At { time: opens.max(time) }
}

/// A time in the past means as soon as possible.
fn not_past(next: Next, now: SystemTime) -> Next {
    if next <= (Next::At { time: now }) { Next::Now } else { next }
}
