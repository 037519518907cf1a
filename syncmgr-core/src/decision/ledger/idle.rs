//! Idle periods: the user has been idle for a while, and the handlers that are registered for it run.

use std::time::{Duration, SystemTime};

use super::RetryLedger;
use crate::decision::surroundings::{Activity, Surroundings};
use crate::environment::{Environment, Presence};
use crate::time::later;

/// The current idle period.
///
/// A period begins once the user has been idle for the delay, or at once if it is only known that the user is absent. It ends
/// when the user is back. A later start of the user's idleness is a new period.
#[derive(Clone, Debug, Default)]
pub(super) struct Idle {
    delay: Duration,
    /// `true` if the source reports only idleness. A user about whom it then reports nothing is active.
    is_only_source: bool,
    /// The start of the idleness of the current period.
    current: Option<Start>,
    /// The time at which the next period begins.
    next: Option<SystemTime>,
}

/// The start of the user's idleness; `None` if it is only known that the user is absent.
type Start = Option<SystemTime>;

impl Idle {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Returns `true` if a period begins now.
    pub(super) fn begins(&mut self, environment: &Environment, now: SystemTime) -> bool {
        self.is_only_source |= environment.idle_since.is_some() && environment.user == Presence::Unknown;
        let start = start_of(environment);
        self.current = self.current.filter(|current| start == Some(*current));
        self.next = start.filter(|_| self.current.is_none()).map(|start| self.due(start).unwrap_or(now));
        let begins = self.next.is_some_and(|next| next <= now);
        if begins {
            (self.current, self.next) = (start, None);
        }
        begins
    }

    /// Returns the time at which the next period begins.
    pub(super) fn next(&self) -> Option<SystemTime> {
        self.next
    }

    /// Returns the activity of the user.
    pub(super) fn activity(&self, environment: &Environment, now: SystemTime) -> Activity {
        match (start_of(environment), environment.user) {
            (Some(start), _) if self.due(start).is_none_or(|due| due <= now) => Activity::Idle,
            (Some(_), _) | (None, Presence::Present) => Activity::Active,
            (None, _) if self.is_only_source => Activity::Active,
            (None, _) => Activity::Unknown,
        }
    }

    /// Returns the time at which the idleness that began at this time is long enough.
    fn due(&self, start: Start) -> Option<SystemTime> {
        start.map(|since| later(since, self.delay))
    }
}

/// Returns the start of the user's idleness, if the user is idle or absent.
fn start_of(environment: &Environment) -> Option<Start> {
    let is_idle = environment.idle_since.is_some() || environment.user == Presence::Absent;
    is_idle.then_some(environment.idle_since)
}

impl RetryLedger {
    /// Sets the time for which the user has to be idle before an idle period begins. The default is zero.
    #[must_use]
    pub fn with_idle_delay(self, delay: Duration) -> Self {
        Self { idle: Idle::new(delay), ..self }
    }

    /// Returns the environment as it counts at this time of day, which is not that of the [ledger](Self::time).
    pub(super) fn surroundings<'a>(&self, environment: &'a Environment, clock: SystemTime) -> Surroundings<'a> {
        let now = self.time(clock);
        let (user, ending) = (self.idle.activity(environment, now), self.endings.kind(environment, now));
        Surroundings { environment, user, ending, clock }
    }
}
