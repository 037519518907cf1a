//! Work that several threads share.

use std::thread::{self, Scope};

use super::jobs::Jobs;
use super::monitor::Stopped;
use super::tasks::Tasks;

/// The queue as a running task sees it.
pub(crate) struct Queue<'a, T> {
    tasks: &'a Tasks<T>,
    team: &'a (dyn Team + 'a),
}

impl<T> Queue<'_, T> {
    /// Adds tasks, which come next in this order.
    pub(crate) fn add(&self, tasks: impl IntoIterator<Item = T>) {
        self.tasks.add(tasks);
        self.team.grow();
    }
}

/// The threads that work on one queue.
trait Team {
    /// Starts a thread if many tasks are left and there is a job for it. That thread starts the next one.
    fn grow(&self);
}

/// Runs `work` for `tasks` and for those that it adds, until none is left or one fails. While more than `few` tasks are left,
/// further threads help, as far as `jobs` allows. If the system allows no more threads, the work takes longer.
pub(crate) fn share<T: Send>(
    jobs: &Jobs,
    few: usize,
    tasks: Vec<T>,
    work: impl Fn(T, &Queue<'_, T>) -> Result<(), Stopped> + Sync,
) -> Result<(), Stopped> {
    let (tasks, work) = (Tasks::new(tasks), &work);
    thread::scope(|scope| {
        let worker = Worker { scope, tasks: &tasks, jobs, few, work };
        while let Some(task) = tasks.wait() {
            worker.run(task);
        }
    });
    if tasks.are_stopped() { Err(Stopped) } else { Ok(()) }
}

/// The inputs of a thread that works on a queue.
struct Worker<'scope, 'env, T, W> {
    scope: &'scope Scope<'scope, 'env>,
    tasks: &'env Tasks<T>,
    jobs: &'env Jobs,
    few: usize,
    work: &'env W,
}

impl<T: Send, W: Fn(T, &Queue<'_, T>) -> Result<(), Stopped> + Sync> Worker<'_, '_, T, W> {
    fn run(&self, task: T) {
        let _running = self.tasks.running();
        self.grow();
        let queue = Queue { tasks: self.tasks, team: self };
        if (self.work)(task, &queue).is_err() {
            self.tasks.stop();
        }
    }

    /// Runs tasks until none is left or an item needs the job.
    fn help(&self) {
        while let Some(task) = self.tasks.take() {
            self.run(task);
            if self.jobs.is_exceeded() {
                break;
            }
        }
    }
}

impl<T: Send, W: Fn(T, &Queue<'_, T>) -> Result<(), Stopped> + Sync> Team for Worker<'_, '_, T, W> {
    fn grow(&self) {
        if self.tasks.left() <= self.few {
            return;
        }
        let Some(job) = self.jobs.help() else { return };
        let worker = Worker { ..*self };
        let help = move || {
            let _job = job;
            worker.help();
        };
        // Without a further thread, this one does the work.
        let _ = thread::Builder::new().spawn_scoped(self.scope, help);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, Mutex, OnceLock};

    use super::*;

    #[test]
    fn tasks_run_depth_first_including_those_added() {
        let order = Mutex::new(Vec::new());
        let run = |task: u32, queue: &Queue<'_, u32>| {
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
        let run = |_: u32, _: &Queue<'_, u32>| {
            together.wait();
            Ok(())
        };
        assert_eq!(share(&jobs, 0, vec![1, 2], run), Ok(()));
        assert!(jobs.help().is_some());
    }

    #[test]
    fn a_thread_that_helps_is_helped_as_soon_as_it_adds_tasks() {
        let (jobs, together) = (Jobs::new(2), Barrier::new(3));
        let run = |task: u32, queue: &Queue<'_, u32>| {
            if task == 2 {
                queue.add([3]);
            }
            together.wait();
            Ok(())
        };
        assert_eq!(share(&jobs, 0, vec![1, 2], run), Ok(()));
    }

    #[test]
    fn a_helper_gives_way_to_an_item_that_begins() {
        let (jobs, caller, helped) = (Jobs::new(1), thread::current().id(), AtomicUsize::new(0));
        let item = OnceLock::new();
        let run = |_: u32, _: &Queue<'_, u32>| {
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
        let run = |_: u32, _: &Queue<'_, u32>| {
            runs.fetch_add(1, Ordering::Relaxed);
            Err(Stopped)
        };
        assert_eq!(share(&Jobs::new(0), 0, vec![1, 2, 3], run), Err(Stopped));
        assert_eq!(runs.into_inner(), 1);
    }
}
