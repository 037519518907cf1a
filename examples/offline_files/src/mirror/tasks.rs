//! Tasks that are left.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Tasks that are left. The newest comes first, so that a tree is walked depth-first and its directories stay open.
pub(super) struct Tasks<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    left: Vec<T>,
    /// The number of tasks that are running.
    running: usize,
    /// `true` after the first error: no further task begins.
    stopped: bool,
}

impl<T> Tasks<T> {
    /// Creates a list from the tasks in their order.
    pub(super) fn new(mut left: Vec<T>) -> Self {
        left.reverse();
        Self { state: Mutex::new(State { left, running: 0, stopped: false }), changed: Condvar::new() }
    }

    /// Adds tasks, which come next in this order.
    pub(super) fn add(&self, tasks: impl IntoIterator<Item = T>) {
        let mut state = self.lock();
        let before = state.left.len();
        state.left.extend(tasks);
        state.left[before..].reverse();
        self.changed.notify_one();
    }

    /// Returns the number of tasks that are left.
    pub(super) fn left(&self) -> usize {
        self.lock().left.len()
    }

    /// Takes a task.
    pub(super) fn take(&self) -> Option<T> {
        Self::take_from(self.lock())
    }

    /// Takes a task. Waits while none is left but a running one may add some. Only one thread may wait.
    pub(super) fn wait(&self) -> Option<T> {
        let is_idle = |state: &mut State<T>| !state.stopped && state.left.is_empty() && state.running > 0;
        Self::take_from(self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner))
    }

    /// A guard that ends the task of this thread when it is dropped, even by a panic.
    pub(super) fn running(&self) -> Running<'_, T> {
        Running(self)
    }

    /// Lets no further task begin.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Returns `true` if a task stopped the others.
    pub(super) fn are_stopped(&self) -> bool {
        self.lock().stopped
    }

    fn take_from(mut state: MutexGuard<'_, State<T>>) -> Option<T> {
        let task = if state.stopped { None } else { state.left.pop() };
        state.running += usize::from(task.is_some());
        task
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The run of a task.
pub(super) struct Running<'a, T>(&'a Tasks<T>);

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_one();
    }
}
