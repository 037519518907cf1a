//! A manager whose handlers block real threads on a channel until the test releases them. The test waits on a separate
//! runtime with paused time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::environment::{Probe, ProbeStatus, Watchdog};
use syncmgr::session::StillRunning;
use syncmgr::{FailureClass, Hold, LogEntry, Outcome, Report, Session, SyncManager, Trigger};
use tokio::runtime::{Builder, Runtime};

use crate::support::{HANDLER, Scripted, id};

/// The timeout for events that happen immediately.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A time that is longer than both default graces together.
pub(crate) const GRACES: Duration = Duration::from_secs(6);

/// A watchdog whose probe the test calls.
#[derive(Clone, Default)]
pub(crate) struct ManualWatchdog {
    probe: Arc<Mutex<Option<Probe>>>,
    pub(crate) stopped: Arc<AtomicBool>,
}

impl Watchdog for ManualWatchdog {
    fn start(&self, probe: Probe) {
        *self.probe.lock().expect("not poisoned") = Some(probe);
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl ManualWatchdog {
    pub(crate) fn check(&self, millis: u64) -> ProbeStatus {
        let mut probe = self.probe.lock().expect("not poisoned");
        probe.as_mut().expect("a session has begun").check(Duration::from_millis(millis))
    }
}

/// Blocks threads until it is dropped or released.
pub(crate) struct Blocker {
    begun: mpsc::Receiver<()>,
    begins: mpsc::Sender<()>,
    release: mpsc::Sender<()>,
    released: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Blocker {
    pub(crate) fn new() -> Self {
        let ((begins, begun), (release, released)) = (mpsc::channel(), mpsc::channel());
        Self { begun, begins, release, released: Arc::new(Mutex::new(released)) }
    }

    /// Returns a function that blocks its thread.
    pub(crate) fn block_thread(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let (begins, released) = (Mutex::new(self.begins.clone()), self.released.clone());
        let begins = Arc::new(begins);
        move || {
            let _ = begins.lock().expect("not poisoned").send(());
            // `recv` returns once the sender is dropped.
            let _ = released.lock().expect("not poisoned").recv();
        }
    }

    /// Waits until a thread is blocked.
    pub(crate) fn wait_until_blocked(&self) {
        self.begun.recv_timeout(PATIENCE).expect("no thread is blocked");
    }

    pub(crate) fn release(self) {
        drop(self.release);
    }
}

/// A runtime for the handlers, and a second runtime with paused time, on which the test waits.
pub(crate) struct BlockingFixture {
    pub(crate) handlers: Option<Runtime>,
    pub(crate) clock: Runtime,
    pub(crate) manager: SyncManager,
    pub(crate) watchdog: ManualWatchdog,
}

impl BlockingFixture {
    /// Creates a manager whose handlers run on `threads` threads.
    pub(crate) fn with(threads: usize, handlers: impl IntoIterator<Item = Scripted>) -> Self {
        let many =
            Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("the runtime is built");
        let clock =
            Builder::new_current_thread().enable_all().start_paused(true).build().expect("the runtime is built");
        let watchdog = ManualWatchdog::default();
        let manager = SyncManager::builder().watchdog(watchdog.clone()).build();
        handlers.into_iter().for_each(|handler| _ = manager.register(handler).expect("the handler can be registered"));
        Self { handlers: Some(many), clock, manager, watchdog }
    }

    fn runtime(&self) -> &Runtime {
        self.handlers.as_ref().expect("the runtime is running")
    }

    /// Waits until every thread has returned.
    pub(crate) fn end(&mut self) {
        drop(self.handlers.take());
    }

    pub(crate) fn start(&self) -> Session {
        let _inside = self.runtime().enter();
        self.manager.session(Trigger::Manual).start().expect("inside a runtime")
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(async { tokio::time::timeout(PATIENCE, future).await }).expect("the future resolves")
    }

    /// Runs `cancel`, waits for longer than the graces, and calls the probe of the watchdog.
    pub(crate) fn expire_graces(&self, cancel: impl FnOnce()) {
        self.clock.block_on(async {
            cancel();
            tokio::time::advance(GRACES).await;
            self.watchdog.check(0);
        });
    }

    pub(crate) fn shutdown(&self) -> Vec<StillRunning> {
        self.clock.block_on(self.manager.shutdown())
    }
}

impl Drop for BlockingFixture {
    fn drop(&mut self) {
        // After a failed test, threads are still blocked.
        if let Some(handlers) = self.handlers.take() {
            handlers.shutdown_background();
        }
    }
}

/// Returns a handler whose item `blocks` blocks its thread and then calls `then`.
pub(crate) fn blocking_handler(
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
    let item = report.run(HANDLER).expect("the handler ran").item(id(name)).expect("the item was chosen");
    (item.outcome, item.class)
}

pub(crate) const ABANDONED: (Outcome, Option<FailureClass>) = (Outcome::Failed, Some(FailureClass::Transient));

/// Returns the log entries about a blocked thread.
pub(crate) fn blocked_thread_entries(report: &Report) -> Vec<&LogEntry> {
    let log = &report.run(HANDLER).expect("the handler ran").log;
    log.iter().map(|entry| &**entry).filter(|entry| entry.text.starts_with("has blocked its thread")).collect()
}

pub(crate) fn count_quarantined(manager: &SyncManager) -> usize {
    manager.held().iter().filter(|held| held.hold == Hold::Quarantined).count()
}
