//! Checks of schedules, of the agenda, and of what waits for a condition or for a local change.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::agenda::{AgendaEntry, AgendaWork};
use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::environment::Power;
use syncmgr_core::explain::Next;
use syncmgr_core::id::{HandlerId, Subject};
use syncmgr_core::retry::RetryStatus;
use syncmgr_core::store::StateStore;

use crate::model::{Finding, ScheduleKey, millis};
use crate::peer::Key;
use crate::process::Process;

/// The time after which a start must be visible in the store, in milliseconds: slow writes are queued.
const VISIBLE: i64 = 20_000;

/// The time after which a local change has led to a run.
const SETTLED: Duration = Duration::from_secs(60);

const CHANGED: &str = "a local change is followed by a run of its item";

const MET: &str = "an item that waits for a condition runs once it is met";

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
        let is_ending = self.sim.with(|state| state.environment.ending.is_some());
        let waits = entry.hold.is_some() || is_ending || self.is_handler_active(entry.handler);
        let is_due = entry.next == Next::Now && !waits;
        is_due.then(|| ("what the agenda says is due starts", format!("{:?}: {entry}", entry.handler)))
    }

    /// Notes which handlers may start by themselves until the next step.
    pub(crate) fn note_agenda(&self) {
        let active = self.handlers.keys().filter(|handler| self.is_handler_active(**handler)).copied();
        let handlers: BTreeSet<_> = self.manager.agenda().iter().map(|entry| entry.handler).chain(active).collect();
        self.sim.try_with(|state| state.model.agenda = Some(handlers));
    }

    pub(crate) fn is_handler_active(&self, handler: HandlerId) -> bool {
        use syncmgr_core::explain::Condition::{Running, Waiting};
        let condition = self.manager.explain_handler(handler).map(|explanation| explanation.condition);
        matches!(condition, Ok(Running { .. } | Waiting { .. }))
    }

    /// Returns `true` if automatic runs of the handler wait: it is disabled, it backs off because it could not begin, or a
    /// condition is not met.
    pub(crate) fn is_held(&self, handler: HandlerId) -> bool {
        let disabled = self.disk.store.disabled(handler).unwrap_or_default();
        let backs_off = self.disk.store.retry_states(handler).unwrap_or_default().contains_key(&HANDLER_ITSELF);
        self.sim.with(|state| {
            let model = &state.model;
            backs_off
                || disabled.contains_key(&Subject::Handler)
                || model.disabled.contains_key(&(handler, Subject::Handler))
                || state.environment.ending.is_some()
                || model.unmet(handler, None, &state.environment, state.moment()).is_some()
                || model.may_wait_for_user(handler, &state.environment, state.moment())
                || model.network_holds(handler, &state.environment)
        })
    }

    /// Checks that a change, or a condition that is met, has led to a run of its item if nothing holds it.
    pub(crate) fn check_kept_promises(&self) -> Vec<Finding> {
        let (changed, met) = self.sim.with(|state| {
            let (model, now) = (&state.model, state.elapsed());
            let is_quiet = !model.is_paused && now > model.environment_changed.max(model.clock_stale_until) + SETTLED;
            let is_free = |key: &Key| {
                let is_held = model.unmet(key.0, Some(key.1), &state.environment, state.moment()).is_some();
                is_quiet && !is_held && !model.claims_any(*key)
            };
            let changed = model.changed.iter().filter(|(_, since)| now > **since + SETTLED).map(|(key, _)| *key);
            // What was stopped may be a run for an idle user, which needs mains power too.
            let is_idle = model.is_user_active(&state.environment, state.moment()) == Some(false);
            let is_on_mains = state.environment.power != Power::Battery;
            let met = model.waits_for_conditions.iter().copied().filter(|key| is_idle && is_on_mains && is_free(key));
            (changed.filter(is_free).collect::<Vec<_>>(), met.collect::<Vec<_>>())
        });
        let is_active = self.handlers.keys().any(|handler| self.is_handler_active(*handler));
        let find = |name, keys: Vec<Key>| {
            let missing = keys.into_iter().find(|key| !is_active && self.is_free(*key));
            missing.map(|key| (name, format!("{key:?} has not run")))
        };
        find(CHANGED, changed).into_iter().chain(find(MET, met)).collect()
    }

    /// Returns `true` if the item has no wait and is enabled, and its handler may run.
    fn is_free(&self, key: Key) -> bool {
        let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
        let disabled = self.disk.store.disabled(key.0).unwrap_or_default();
        let is_enabled = !disabled.contains_key(&Subject::Item(key.1))
            && self.sim.with(|state| !state.model.is_disabled(key, Duration::MAX));
        is_enabled && !self.is_held(key.0) && record.retry.is_none() && self.must_run(key)
    }

    /// Checks that no change and no held item is left, days after everything was put in order.
    pub(crate) fn check_promises(&self) {
        let (changed, held) = self.sim.with(|state| {
            let changed: Vec<_> = state.model.changed.keys().copied().collect();
            (changed, state.model.waits_for_conditions.iter().copied().collect::<Vec<_>>())
        });
        let promises = [(CHANGED, changed), (MET, held)];
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
    let is_right = |entry: &AgendaEntry| match entry.next {
        Next::At { time: shown } => {
            let shown = millis(shown);
            time <= shown && (shown <= latest + 2 || time <= wall)
        }
        // A firing that has passed waits for its run.
        _ => time <= wall + 2 || entry.hold.is_some(),
    };
    let own: Vec<_> = agenda.iter().filter(is_own).collect();
    // A run for an earlier firing that was stopped has an entry too.
    if own.iter().any(|entry| is_right(entry)) || own.is_empty() && time <= wall {
        return None;
    }
    let shown: Vec<_> = own.iter().map(ToString::to_string).collect();
    Some((AGENDA, format!("{handler:?}, {schedule}: {shown:?}, but {time} is the next firing at {wall}")))
}
