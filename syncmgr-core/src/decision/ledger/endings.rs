//! What is about to end: the handlers that are registered for it run within the time that is left, and everything stops before
//! the system goes on.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::{Effect, HANDLER_ITSELF, RetryLedger, Start, StartReason, Targets};
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::environment::{Ending, EndingKind, Environment};
use crate::register::RegisterFlags;
use crate::time::later;
use crate::trigger::Trigger;

/// The time after its deadline at which an announcement that was not withdrawn is out of date.
const OUT_OF_DATE: Duration = Duration::from_secs(60);

/// The announced end, and what was done about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Endings {
    margin: Duration,
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    ending: Ending,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Runs are in progress.
    Working,
    /// The time for work is over.
    Stopping,
    /// The system goes on.
    Released,
}

impl Endings {
    pub(super) fn new(margin: Duration) -> Self {
        Self { margin, current: None }
    }

    /// Returns what is about to end.
    pub(super) fn kind(&self, environment: &Environment, now: SystemTime) -> Option<EndingKind> {
        announced(environment, now).map(|ending| ending.kind)
    }

    /// Returns the time at which work has to stop.
    fn stop_time(&self, ending: Ending) -> SystemTime {
        ending.deadline.checked_sub(self.margin).unwrap_or(ending.deadline)
    }

    /// Returns `true` while the machine is about to go down, so that no session starts by itself.
    pub(super) fn suspends_starts(&self) -> bool {
        self.current.is_some_and(|current| current.ending.kind != EndingKind::Disconnect)
    }

    /// Returns the time of the next step.
    pub(super) fn next(&self) -> Option<SystemTime> {
        let Current { ending, stage } = self.current?;
        Some(match stage {
            Stage::Working => self.stop_time(ending),
            Stage::Stopping => ending.deadline,
            Stage::Released => later(ending.deadline, OUT_OF_DATE),
        })
    }
}

impl RetryLedger {
    /// Sets the time before the deadline of an announced end at which all work is stopped. The default is zero.
    #[must_use]
    pub fn with_ending_margin(self, margin: Duration) -> Self {
        Self { endings: Endings::new(margin), ..self }
    }

    /// Returns `true` while something is about to end and the system waits for the manager.
    pub fn is_ending(&self) -> bool {
        self.endings.current.is_some_and(|current| current.stage != Stage::Released)
    }

    /// Returns what is about to end, and the time until all work is stopped for it. `None` if nothing is announced.
    pub fn time_left(&self, now: SystemTime) -> Option<(EndingKind, Duration)> {
        let Current { ending, stage } = self.endings.current?;
        let left = self.endings.stop_time(ending).duration_since(self.time(now)).unwrap_or_default();
        Some((ending.kind, if stage == Stage::Working { left } else { Duration::ZERO }))
    }

    /// Lets the system go on, if no run is `Busy` any more or the deadline has passed. Does so once for each announcement.
    #[must_use = "perform the effects"]
    pub fn release(&mut self, work: Work, now: SystemTime) -> Option<Effect> {
        let now = self.time(now);
        let current = self.endings.current.as_mut().filter(|current| current.stage != Stage::Released)?;
        let is_over = work == Work::Done || current.ending.deadline <= now;
        is_over.then(|| {
            current.stage = Stage::Released;
            Effect::Release(current.ending)
        })
    }

    /// Follows the announcements: starts the runs for a new one, and stops them in time.
    pub(super) fn follow_ending(&mut self, environment: &Environment, now: SystemTime) -> Vec<Effect> {
        let known = self.endings.current;
        let Some(ending) = announced(environment, now) else {
            self.version += u64::from(known.is_some());
            self.endings.current = None;
            return Vec::new();
        };
        let is_late = self.endings.stop_time(ending) <= now;
        if known.is_none_or(|known| known.ending != ending) {
            let stage = if is_late { Stage::Stopping } else { Stage::Working };
            self.endings.current = Some(Current { ending, stage });
            self.version += 1;
            // The other automatic runs stop first, so that they leave the time and the workers to these.
            let starts = if is_late { stop(ending.kind) } else { self.start_for_ending() };
            return [Effect::CheckRuns].into_iter().chain(starts).collect();
        }
        match self.endings.current.as_mut() {
            Some(current) if is_late && current.stage == Stage::Working => {
                current.stage = Stage::Stopping;
                stop(ending.kind).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Starts the handlers that are registered for a pending disconnect.
    fn start_for_ending(&self) -> Option<Effect> {
        let registered = self.handlers.iter().filter(|(_, handler)| handler.registered.is_some());
        let wanted = registered.filter(|(_, handler)| handler.events.contains(RegisterFlags::PENDING_DISCONNECT));
        let enabled = wanted.filter(|(id, _)| self.disabled.hold_of(**id, HANDLER_ITSELF).is_none());
        let handlers: BTreeSet<_> = enabled.map(|(id, _)| *id).collect();
        let (reason, requested_by) = (StartReason::Ending, RequestedBy::Automatic);
        let any = !handlers.is_empty();
        let targets = Targets::Handlers(handlers);
        let (trigger, changes, latest) = (Trigger::PendingDisconnect, Vec::new(), self.latest);
        any.then_some(Effect::Start(Start { reason, trigger, requested_by, targets, changes, latest }))
    }
}

/// The work in progress that has to end before the system goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A run is in progress.
    Busy,
    /// Nothing is left to do.
    Done,
}

/// Returns what is announced, unless it is out of date.
fn announced(environment: &Environment, now: SystemTime) -> Option<Ending> {
    environment.ending.filter(|ending| now < later(ending.deadline, OUT_OF_DATE))
}

fn stop(kind: EndingKind) -> Option<Effect> {
    Some(Effect::StopRuns(Hold::Ending { kind }))
}
