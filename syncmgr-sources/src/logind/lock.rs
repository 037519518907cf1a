//! The inhibitor lock, which the task of the source takes and the manager releases.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use syncmgr_core::environment::Ending;

/// An inhibitor lock. systemd-logind waits until the descriptor is closed.
#[derive(Debug, Default)]
pub(super) struct Lock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<OwnedFd>,
    /// The announced end that the lock delays.
    ending: Option<Ending>,
    /// `true` once the manager has released the lock before this end.
    is_released: bool,
}

impl Lock {
    /// Sets or clears the announced end.
    pub(super) fn announce(&self, ending: Option<Ending>) {
        let mut state = self.state();
        if state.ending != ending {
            state.ending = ending;
            state.is_released = false;
        }
    }

    /// Stores a new lock. Releases it at once if the manager no longer needs it.
    pub(super) fn hold(&self, new: OwnedFd) {
        let mut state = self.state();
        let unneeded = if state.is_released { Some(new) } else { state.held.replace(new) };
        drop(state);
        drop(unneeded);
    }

    /// Releases the lock if this end is still announced. The manager may release an earlier one late.
    pub(super) fn release(&self, ending: Ending) {
        let mut state = self.state();
        let held = if state.ending == Some(ending) {
            state.is_released = true;
            state.held.take()
        } else {
            None
        };
        drop(state);
        drop(held);
    }

    /// Forgets the lock and the end.
    pub(super) fn reset(&self) {
        let forgotten = std::mem::take(&mut *self.state());
        drop(forgotten);
    }

    pub(super) fn is_held(&self) -> bool {
        self.state().held.is_some()
    }

    /// Returns the state. A panic cannot leave it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
