//! A manager whose handlers block their threads: real threads, each blocked on a channel until the test lets go of it; what
//! is to take time takes it on a clock of its own, which is paused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::environment::{Patrol, Watch, Watchdog};
use syncmgr::session::Unstopped;
use syncmgr::{FailureClass, Hold, LogEntry, Outcome, Report, Session, SyncManager, Trigger};
use tokio::runtime::{Builder, Runtime};

use crate::support::{HANDLER, Scripted, id};

/// How long a test waits for what happens at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than the default graces together.
pub(crate) const GRACES: Duration = Duration::from_secs(6);

/// A watchdog that hands its patrol to the test.
#[derive(Clone, Default)]
pub(crate) struct Handing {
    patrol: Arc<Mutex<Option<Patrol>>>,
    pub(crate) stopped: Arc<AtomicBool>,
}

impl Watchdog for Handing {
    fn start(&self, patrol: Patrol) {
        *self.patrol.lock().expect("nobody panics with it") = Some(patrol);
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Handing {
    pub(crate) fn look(&self, millis: u64) -> Watch {
        let mut patrol = self.patrol.lock().expect("nobody panics with it");
        patrol.as_mut().expect("a session has begun").look(Duration::from_millis(millis))
    }
}

/// Where threads are blocked until it is dropped or let go.
pub(crate) struct Block {
    begun: mpsc::Receiver<()>,
    begins: mpsc::Sender<()>,
    release: mpsc::Sender<()>,
    released: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Block {
    pub(crate) fn new() -> Self {
        let ((begins, begun), (release, released)) = (mpsc::channel(), mpsc::channel());
        Self { begun, begins, release, released: Arc::new(Mutex::new(released)) }
    }

    /// What blocks the thread it is called on.
    pub(crate) fn here(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let (begins, released) = (Mutex::new(self.begins.clone()), self.released.clone());
        let begins = Arc::new(begins);
        move || {
            let _ = begins.lock().expect("nobody panics with it").send(());
            // Let go of, or dropped with the test.
            let _ = released.lock().expect("nobody panics with it").recv();
        }
    }

    /// Waits until a thread is blocked.
    pub(crate) fn begun(&self) {
        self.begun.recv_timeout(PATIENCE).expect("the handler blocks");
    }

    pub(crate) fn let_go(self) {
        drop(self.release);
    }
}

/// A runtime for the handlers, and another whose time is paused.
pub(crate) struct Bench {
    pub(crate) handlers: Option<Runtime>,
    pub(crate) clock: Runtime,
    pub(crate) manager: SyncManager,
    pub(crate) dog: Handing,
}

impl Bench {
    /// With handlers on so many threads.
    pub(crate) fn with(threads: usize, handlers: impl IntoIterator<Item = Scripted>) -> Self {
        let many =
            Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("nothing is wrong with it");
        let clock =
            Builder::new_current_thread().enable_all().start_paused(true).build().expect("nothing is wrong with it");
        let dog = Handing::default();
        let manager = SyncManager::builder().watchdog(dog.clone()).build();
        handlers.into_iter().for_each(|handler| _ = manager.register(handler).expect("nothing is wrong with it"));
        Self { handlers: Some(many), clock, manager, dog }
    }

    fn runtime(&self) -> &Runtime {
        self.handlers.as_ref().expect("it has not ended")
    }

    /// Waits until every thread has returned.
    pub(crate) fn end(&mut self) {
        drop(self.handlers.take());
    }

    pub(crate) fn start(&self) -> Session {
        let _inside = self.runtime().enter();
        self.manager.session(Trigger::Manual).start().expect("nothing is wrong with it")
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(async { tokio::time::timeout(PATIENCE, future).await }).expect("this ends")
    }

    /// Does this, lets the graces pass, and has the watchdog look.
    pub(crate) fn overdue(&self, ask: impl FnOnce()) {
        self.clock.block_on(async {
            ask();
            tokio::time::advance(GRACES).await;
            self.dog.look(0);
        });
    }

    pub(crate) fn shutdown(&self) -> Vec<Unstopped> {
        self.clock.block_on(self.manager.shutdown())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Where a test has failed, threads are still blocked.
        if let Some(handlers) = self.handlers.take() {
            handlers.shutdown_background();
        }
    }
}

/// A handler whose items of this name block their thread and then do this.
pub(crate) fn blocking(
    names: &[&str],
    block: impl Fn() + Clone + Send + Sync + 'static,
    then: impl Fn(&syncmgr::ItemContext) + Send + Sync + Clone + 'static,
) -> Scripted {
    Scripted::new(names).on_item(move |item| {
        let (block, then) = (block.clone(), then.clone());
        async move {
            if item.name() == "blocks" {
                block();
                then(item);
            }
            Ok(())
        }
        .boxed()
    })
}

pub(crate) fn outcome(report: &Report, name: &str) -> (Outcome, Option<FailureClass>) {
    let item = report.run(HANDLER).expect("it is there").item(id(name)).expect("it is there");
    (item.outcome, item.class)
}

pub(crate) const ABANDONED: (Outcome, Option<FailureClass>) = (Outcome::Failed, Some(FailureClass::Transient));

/// The entries that say that a thread is blocked.
pub(crate) fn reported(report: &Report) -> Vec<&LogEntry> {
    let log = &report.run(HANDLER).expect("it is there").log;
    log.iter().map(|entry| &**entry).filter(|entry| entry.text.starts_with("blocks its thread")).collect()
}

pub(crate) fn quarantined(manager: &SyncManager) -> usize {
    manager.held().iter().filter(|held| held.hold == Hold::Quarantined).count()
}
