//! Checks of schedules, of the agenda, and of what waits for a condition or for a local change.

use std::collections::BTreeSet;

use syncmgr_core::agenda::{AgendaEntry, AgendaWork};
use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::explain::Next;
use syncmgr_core::id::{HandlerId, Subject};
use syncmgr_core::retry::RetryStatus;
use syncmgr_core::store::StateStore;

use crate::model::{Finding, ScheduleKey, millis};
use crate::peer::Key;
use crate::process::Process;

/// The time after which a start must be visible in the store, in milliseconds: slow writes are queued.
const VISIBLE: i64 = 20_000;

const AGENDA: &str = "the agenda matches the schedules";

impl Process<'_> {
    /// Checks the schedules and the agenda at a quiet point.
    pub(crate) fn check_schedules(&self) -> Vec<Finding> {
        let (is_stale, next, wall) = self.sim.with(|state| {
            let is_stale = state.elapsed() < state.model.clock_stale_until;
            (is_stale, state.model.next_firings(), millis(state.wall()))
        });
        if is_stale {
            return Vec::new();
        }
        let agenda = self.manager.agenda();
        let is_idle = |handler| self.manager.registration(handler).is_some() && !self.is_handler_active(handler);
        let mut findings: Vec<_> = agenda.iter().filter_map(|entry| self.check_entry(entry)).collect();
        for (key, time, latest) in next.into_iter().filter(|((handler, _), ..)| is_idle(*handler)) {
            if latest + VISIBLE < wall && !self.is_held(key.0) {
                let details = format!("{:?}, {}: {time} has not run at {wall}", key.0, key.1);
                findings.push(("no firing is lost", details));
            }
            // A firing from before the clock was set back may wait.
            let is_set_back = self.sim.with(|state| state.model.books.get(&key).is_some_and(|book| book.is_set_back));
            findings.extend(check_next(&agenda, &key, (time, latest), wall).filter(|_| !is_set_back));
        }
        findings
    }

    /// Checks that an entry which is due and not held has started.
    fn check_entry(&self, entry: &AgendaEntry) -> Option<Finding> {
        let is_due = entry.next == Next::Now && entry.hold.is_none() && !self.is_handler_active(entry.handler);
        is_due.then(|| ("what the agenda says is due starts", format!("{:?}: {entry}", entry.handler)))
    }

    /// Notes which handlers may start by themselves until the next step.
    pub(crate) fn note_agenda(&self) {
        let active = self.handlers.keys().filter(|handler| self.is_handler_active(**handler)).copied();
        let handlers: BTreeSet<_> = self.manager.agenda().iter().map(|entry| entry.handler).chain(active).collect();
        self.sim.try_with(|state| state.model.agenda = Some(handlers));
    }

    fn is_handler_active(&self, handler: HandlerId) -> bool {
        use syncmgr_core::explain::Condition::{Running, Waiting};
        let condition = self.manager.explain_handler(handler).map(|explanation| explanation.condition);
        matches!(condition, Ok(Running { .. } | Waiting { .. }))
    }

    /// Returns `true` if automatic runs of the handler wait: it is disabled, it backs off because it could not begin, or a
    /// condition is not met.
    fn is_held(&self, handler: HandlerId) -> bool {
        let disabled = self.disk.store.disabled(handler).unwrap_or_default();
        let backs_off = self.disk.store.retry_states(handler).unwrap_or_default().contains_key(&HANDLER_ITSELF);
        self.sim.with(|state| {
            let model = &state.model;
            backs_off
                || disabled.contains_key(&Subject::Handler)
                || model.disabled.contains_key(&(handler, Subject::Handler))
                || model.unmet(handler, None, &state.environment).is_some()
                || model.network_holds(handler, &state.environment)
        })
    }

    /// Checks that no change and no held item is left, days after everything was put in order.
    pub(crate) fn check_promises(&self) {
        let (changed, held) = self.sim.with(|state| {
            let changed: Vec<_> = state.model.changed.keys().copied().collect();
            (changed, state.model.waits_for_conditions.iter().copied().collect::<Vec<_>>())
        });
        let promises = [
            ("a local change is followed by a run of its item", changed),
            ("an item that waits for a condition runs once it is met", held),
        ];
        for (invariant, keys) in promises {
            let missing: Vec<_> = keys.into_iter().filter(|key| self.must_run(*key)).collect();
            if !missing.is_empty() {
                self.sim.report_violation(invariant, format!("{missing:?} did not run"));
            }
        }
    }

    /// Returns `true` if nothing but a request keeps the item from running by itself.
    fn must_run(&self, key: Key) -> bool {
        let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
        let waits = |status| matches!(status, RetryStatus::Backoff | RetryStatus::NotBefore | RetryStatus::Interrupted);
        let needs_request = record.retry.is_some_and(|retry| !waits(retry.status)) || self.needs_request(key.0);
        let (was_absent, is_certain) =
            self.sim.with(|state| (state.model.item(key).was_absent, !state.model.store_failed));
        // A chooser may have excluded the item.
        is_certain && !was_absent && !needs_request && !self.has_chooser()
    }
}

/// Checks the entry of the agenda for the next firing of a schedule, which is at `time` and starts at `latest`.
fn check_next(
    agenda: &[AgendaEntry],
    (handler, schedule): &ScheduleKey,
    (time, latest): (i64, i64),
    wall: i64,
) -> Option<Finding> {
    let is_own = |entry: &&AgendaEntry| {
        entry.handler == *handler && matches!(&entry.work, AgendaWork::Scheduled(of) if of == schedule)
    };
    let Some(entry) = agenda.iter().find(is_own) else {
        // A start that is not visible yet.
        let details = format!("{handler:?}, {schedule}: {time} is not on the agenda at {wall}");
        return (wall < time).then_some((AGENDA, details));
    };
    let Next::At { time: shown } = entry.next else {
        let is_early = wall + 2 < time;
        return is_early.then(|| (AGENDA, format!("{handler:?}: {entry}, but {time} is the next firing at {wall}")));
    };
    let shown = millis(shown);
    let is_right = time <= shown && (shown <= latest + 2 || time <= wall);
    (!is_right).then(|| (AGENDA, format!("{handler:?}: {entry} ({shown}), but {time} is the next firing at {wall}")))
}
