//! The system that a process runs on: its environment and its clock.

use std::time::{Duration, SystemTime};

use syncmgr_core::environment::{Ending, EndingKind};
use syncmgr_runtime::clock::Clock;
use syncmgr_runtime::environment::ManualEnvironment;

use crate::VirtualClock;

/// The environment and the clock of a process. Clones share both.
#[derive(Clone)]
pub(super) struct System {
    pub(super) environment: ManualEnvironment,
    pub(super) clock: VirtualClock,
}

impl System {
    /// Creates a system about which nothing is known but the time of day.
    pub(super) fn at(wall: SystemTime) -> Self {
        Self { environment: ManualEnvironment::default(), clock: VirtualClock::at(wall) }
    }

    pub(super) fn wall(&self) -> SystemTime {
        self.clock.now().wall
    }

    /// Announces that the machine goes to sleep after this time.
    pub(super) fn announce_sleep(&self, after: Duration) {
        let ending = Ending::new(EndingKind::Sleep, self.wall() + after);
        self.environment.update(|known| known.with_ending(ending));
    }
}
