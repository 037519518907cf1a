//! Threads that run foreign code for the writing thread, one for each job that has not ended.

use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;

use syncmgr_core::sync::Mutex;

type Job = Box<dyn FnOnce() + Send>;
type Idle = Mutex<Vec<Sender<Task>>>;

/// Runs jobs on threads of its own. A thread that has ended its job gets the next one; a job that blocks keeps its thread,
/// and delays no other job. The threads exit when this value is dropped.
#[derive(Debug, Default)]
pub(super) struct Couriers {
    idle: Arc<Idle>,
}

/// A job, and the channel to the thread that runs it.
struct Task {
    job: Job,
    courier: Sender<Task>,
}

impl Couriers {
    /// Runs a job on an idle thread, or on a new one. Drops the job here if no thread can be started.
    pub(super) fn run(&self, job: Job) {
        let Some(courier) = self.idle.lock().pop() else { return self.start(job) };
        let task = Task { job, courier: courier.clone() };
        if let Err(SendError(task)) = courier.send(task) {
            self.start(task.job);
        }
    }

    fn start(&self, job: Job) {
        let idle = Arc::downgrade(&self.idle);
        drop(thread::Builder::new().name("syncmgr-reply".to_string()).spawn(move || work(&idle, job)));
    }
}

/// Runs the first job, and the next ones that the thread gets.
fn work(idle: &Weak<Idle>, first: Job) {
    let (courier, tasks) = channel();
    let mut next = Some(Task { job: first, courier });
    while let Some(Task { job, courier }) = next {
        job();
        let Some(idle) = idle.upgrade() else { return };
        idle.lock().push(courier);
        drop(idle);
        next = tasks.recv().ok();
    }
}
