//! Work that several threads share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

use super::jobs::Jobs;
use super::monitor::Stopped;

/// Tasks that are left. The newest comes first, so that a tree is walked depth-first and its directories stay open.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    tasks: Vec<T>,
    /// The number of tasks that are running.
    running: usize,
    /// `true` after the first error: no further task begins.
    stopped: bool,
}

/// Runs `work` for `tasks` and for those that it adds, until none is left or one fails. While more than `few` tasks are left,
/// further threads help, as far as `jobs` allows. If the system allows no more threads, the work takes longer.
pub(super) fn share<T: Send>(
    jobs: &Jobs,
    few: usize,
    mut tasks: Vec<T>,
    work: impl Fn(T, &Queue<T>) -> Result<(), Stopped> + Sync,
) -> Result<(), Stopped> {
    tasks.reverse();
    let state = State { tasks, running: 0, stopped: false };
    let queue = Queue { state: Mutex::new(state), changed: Condvar::new() };
    thread::scope(|scope| {
        while let Some(task) = queue.wait_for_task() {
            if queue.lock().tasks.len() > few {
                queue.start_helper(scope, jobs, &work);
            }
            queue.run(task, &work);
        }
    });
    if queue.lock().stopped { Err(Stopped) } else { Ok(()) }
}

impl<T: Send> Queue<T> {
    /// Adds tasks, which come next in this order.
    pub(super) fn add(&self, tasks: impl IntoIterator<Item = T>) {
        let mut state = self.lock();
        let before = state.tasks.len();
        state.tasks.extend(tasks);
        state.tasks[before..].reverse();
        self.changed.notify_one();
    }

    fn start_helper<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        jobs: &'env Jobs,
        work: &'env (impl Fn(T, &Self) -> Result<(), Stopped> + Sync),
    ) where
        T: 'env,
    {
        let Some(job) = jobs.help() else { return };
        let help = move || {
            let _job = job;
            while let Some(task) = self.take() {
                self.run(task, work);
                if jobs.is_exceeded() {
                    break;
                }
            }
        };
        // Without a further thread, this one does the work.
        let _ = thread::Builder::new().spawn_scoped(scope, help);
    }

    fn run(&self, task: T, work: &impl Fn(T, &Self) -> Result<(), Stopped>) {
        let running = Running(self);
        if work(task, self).is_err() {
            self.lock().stopped = true;
        }
        drop(running);
    }

    /// Takes a task. Waits while none is left but a running one may add some.
    fn wait_for_task(&self) -> Option<T> {
        let is_idle = |state: &mut State<T>| !state.stopped && state.tasks.is_empty() && state.running > 0;
        let state = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        Self::take_from(state)
    }

    fn take(&self) -> Option<T> {
        Self::take_from(self.lock())
    }

    fn take_from(mut state: MutexGuard<'_, State<T>>) -> Option<T> {
        let task = if state.stopped { None } else { state.tasks.pop() };
        state.running += usize::from(task.is_some());
        task
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a task, even if it panics.
struct Running<'a, T>(&'a Queue<T>);

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, OnceLock};

    use super::*;

    #[test]
    fn tasks_run_depth_first_including_those_added() {
        let order = Mutex::new(Vec::new());
        let run = |task: u32, queue: &Queue<u32>| {
            order.lock().unwrap().push(task);
            if task < 10 {
                queue.add([10 * task, 10 * task + 1]);
            }
            Ok(())
        };
        assert_eq!(share(&Jobs::new(0), 0, vec![1, 2], run), Ok(()));
        assert_eq!(order.into_inner().unwrap(), [1, 10, 11, 2, 20, 21]);
    }

    #[test]
    fn further_threads_help_if_there_are_jobs_for_them() {
        let (jobs, together) = (Jobs::new(1), Barrier::new(2));
        let run = |_: u32, _: &Queue<u32>| {
            together.wait();
            Ok(())
        };
        assert_eq!(share(&jobs, 0, vec![1, 2], run), Ok(()));
        assert!(jobs.help().is_some());
    }

    #[test]
    fn a_helper_gives_way_to_an_item_that_begins() {
        let (jobs, caller, helped) = (Jobs::new(1), thread::current().id(), AtomicUsize::new(0));
        let item = OnceLock::new();
        let run = |_: u32, _: &Queue<u32>| {
            if thread::current().id() != caller {
                helped.fetch_add(1, Ordering::Relaxed);
                item.get_or_init(|| jobs.begin());
            }
            while thread::current().id() == caller && (item.get().is_none() || jobs.is_exceeded()) {
                thread::yield_now();
            }
            Ok(())
        };
        assert_eq!(share(&jobs, 0, vec![1, 2, 3, 4], run), Ok(()));
        assert_eq!(helped.into_inner(), 1);
    }

    #[test]
    fn the_first_error_ends_the_work() {
        let runs = AtomicUsize::new(0);
        let run = |_: u32, _: &Queue<u32>| {
            runs.fetch_add(1, Ordering::Relaxed);
            Err(Stopped)
        };
        assert_eq!(share(&Jobs::new(0), 0, vec![1, 2, 3], run), Err(Stopped));
        assert_eq!(runs.into_inner(), 1);
    }
}
