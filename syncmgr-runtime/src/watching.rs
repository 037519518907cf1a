//! The tasks that pass local changes to the retry ledger: one for the watched paths of a handler, one for its own stream.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::future::poll_fn;
use futures::stream::{BoxStream, Fuse};
use futures::{FutureExt, StreamExt};
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::item::Completeness;
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::register::Generation;
use syncmgr_core::sync::Mutex;
use syncmgr_core::text::Escaped;
use tokio::runtime::Handle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::change_source::{Watch, WatchEvent, WatchProblem};
use crate::host::Host;

/// The time between two batches of a stream, so that a stream of many changes costs little. The first change is taken at once.
const BATCH_INTERVAL: Duration = Duration::from_millis(50);

/// The number of events of a stream that are taken together.
const BATCH: usize = 4096;

/// The watched paths of a handler with their items.
type Paths = BTreeMap<PathBuf, BTreeSet<ItemId>>;

/// The tasks of each registered handler.
#[derive(Default)]
pub(crate) struct Watching(Mutex<BTreeMap<HandlerId, HandlerTasks>>);

/// The tasks of a registration of a handler. They end when this value is dropped.
struct HandlerTasks {
    generation: Generation,
    paths: Paths,
    of_paths: Option<DropGuard>,
    _of_handler: Option<DropGuard>,
}

impl Host {
    /// Watches the paths in a listing, and takes the `own` changes that the handler itself reports. `since` is the time at which the
    /// listing began. Does nothing if the handler's registration was replaced.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: HandlerId,
        generation: Generation,
        listing: &Listing,
        since: SystemTime,
        own: Option<BoxStream<'static, LocalChange>>,
    ) {
        let (Ok(runtime), own) = (Handle::try_current(), Foreign::new(own)) else { return };
        let state = self.manager_state();
        // An unregistration waits for this lock, and then finds the tasks.
        let is_current = state.handlers.get(&handler).is_some_and(|known| known.generation == generation);
        if !is_current {
            return;
        }
        let mut watching = self.watching.0.lock();
        if watching.get(&handler).is_none_or(|known| known.generation != generation) {
            watching.insert(handler, self.first_watch(handler, generation, own, &runtime));
        }
        let Some(tasks) = watching.get_mut(&handler) else { return };
        let paths = tasks.paths_after(listing);
        if paths != tasks.paths {
            tasks.of_paths = self.watch_paths(handler, &paths, since, &runtime);
            tasks.paths = paths;
        }
    }

    /// Returns `true` if the paths of this registration of a handler are watched.
    pub(crate) fn is_watched(&self, handler: HandlerId, generation: Generation) -> bool {
        self.watching.0.lock().get(&handler).is_some_and(|tasks| tasks.generation == generation)
    }

    /// Ends the tasks of a handler.
    pub(crate) fn unwatch(&self, handler: HandlerId) {
        let tasks = self.watching.0.lock().remove(&handler);
        drop(tasks);
    }

    /// Starts to take the changes that the handler itself reports.
    fn first_watch(
        self: &Arc<Self>,
        handler: HandlerId,
        generation: Generation,
        own: Foreign<Option<BoxStream<'static, LocalChange>>>,
        runtime: &Handle,
    ) -> HandlerTasks {
        let own = own.into_inner().map(|own| Foreign::new(own.map(WatchEvent::Changed).boxed()));
        let of_handler = own.and_then(|own| self.spawn_watch(handler, move || own.into_inner(), runtime));
        HandlerTasks { generation, paths: Paths::new(), of_paths: None, _of_handler: of_handler }
    }

    fn watch_paths(
        self: &Arc<Self>,
        handler: HandlerId,
        paths: &Paths,
        since: SystemTime,
        runtime: &Handle,
    ) -> Option<DropGuard> {
        let source = self.ports.change_source.clone().filter(|_| !paths.is_empty())?;
        let mut watch = Watch::new(handler, since);
        watch.paths = paths.clone();
        self.spawn_watch(handler, move || source.watch(watch), runtime)
    }

    fn spawn_watch(
        self: &Arc<Self>,
        handler: HandlerId,
        open: impl FnOnce() -> BoxStream<'static, WatchEvent> + Send + 'static,
        runtime: &Handle,
    ) -> Option<DropGuard> {
        let end = self.closing.child_token();
        let task = WatchTask { host: self.clone(), handler, end: end.clone() };
        (!self.tracker.is_closed()).then(|| {
            self.tracker.spawn_on(task.run(Foreign::new(open)), runtime);
            end.drop_guard()
        })
    }
}

impl HandlerTasks {
    /// Returns the paths to watch after this listing. Items that an incomplete listing lacks may still exist.
    fn paths_after(&self, listing: &Listing) -> Paths {
        let mut paths = match listing.completeness() {
            Completeness::Complete => Paths::new(),
            Completeness::MissingItems => self.paths.clone(),
        };
        for (path, items) in watched_paths(listing) {
            paths.entry(path).or_default().extend(items);
        }
        paths
    }
}

/// Returns the watched paths of the listed items. An empty path is left out.
fn watched_paths(listing: &Listing) -> Paths {
    let mut paths = Paths::new();
    for item in listing.items().iter() {
        for path in item.watches().iter().filter_map(|path| std::path::absolute(path).ok()) {
            paths.entry(path).or_default().insert(item.id());
        }
    }
    paths
}

/// A task that takes the events of a stream.
struct WatchTask {
    host: Arc<Host>,
    handler: HandlerId,
    /// Cancelled when the task is to end.
    end: CancellationToken,
}

/// The events that a stream has returned together, without duplicates.
#[derive(Debug, Default)]
struct Batch {
    changes: BTreeSet<LocalChange>,
    problems: Vec<WatchProblem>,
    end: Option<End>,
}

/// The end of a stream.
#[derive(Debug)]
enum End {
    Ended,
    Panicked(String),
}

impl WatchTask {
    async fn run(self, open: Foreign<impl FnOnce() -> BoxStream<'static, WatchEvent>>) {
        let mut stream = match foreign::call(|| open.into_inner()()) {
            Ok(stream) => Foreign::new(stream.fuse()),
            Err(panic) => return self.report(&End::Panicked(panic)),
        };
        loop {
            let batch = tokio::select! {
                biased;
                () = self.end.cancelled() => break,
                batch = poll_fn(|cx| next_batch(&mut stream, cx)) => batch,
            };
            if let Some(end) = self.accept(batch) {
                return self.report(&end);
            }
            tokio::select! {
                biased;
                () = self.end.cancelled() => break,
                () = sleep(BATCH_INTERVAL) => {}
            }
        }
        // The last changes of a stream that another one replaces.
        if let Some(batch) = poll_fn(|cx| next_batch(&mut stream, cx)).now_or_never() {
            self.accept(batch);
        }
    }

    /// Passes a batch to the ledger and to the program's log.
    fn accept(&self, batch: Batch) -> Option<End> {
        for problem in batch.problems {
            self.warn(&format!("not all local changes are noticed: {problem}"));
        }
        self.changed(batch.changes);
        batch.end
    }

    fn changed(&self, changes: BTreeSet<LocalChange>) {
        let effects = self.host.decide(|ledger, now| {
            let changed = changes.into_iter().filter_map(|change| ledger.local_change(self.handler, change, now));
            changed.collect::<Vec<_>>()
        });
        self.host.apply(effects);
    }

    /// Handles the end of the stream. A panic may have lost changes.
    fn report(&self, end: &End) {
        match end {
            End::Ended => {
                tracing::debug!(manager = %self.host.id, handler = %self.handler, "a stream of local changes ended")
            }
            End::Panicked(panic) => {
                self.warn(&format!("local changes are no longer noticed: their source panicked: {panic}"));
                self.changed(BTreeSet::from([LocalChange::Unknown]));
            }
        }
    }

    fn warn(&self, text: &str) {
        let name = self.host.manager_state().handlers.get(&self.handler).map(|known| known.info.name().to_owned());
        let name = name.unwrap_or_default();
        tracing::warn!(manager = %self.host.id, handler = %self.handler, name = %Escaped(&name), "{}", Escaped(text));
    }
}

/// Returns the events that are ready, once there is one.
fn next_batch(stream: &mut Fuse<BoxStream<'static, WatchEvent>>, cx: &mut Context<'_>) -> Poll<Batch> {
    let mut batch = Batch::default();
    for taken in 0..BATCH {
        match foreign::call(|| stream.poll_next_unpin(cx)) {
            Ok(Poll::Ready(Some(WatchEvent::Changed(change)))) => _ = batch.changes.insert(change),
            Ok(Poll::Ready(Some(WatchEvent::Problem(problem)))) => batch.problems.push(problem),
            Ok(Poll::Ready(None)) => batch.end = Some(End::Ended),
            Ok(Poll::Pending) if taken == 0 => return Poll::Pending,
            Ok(Poll::Pending) => break,
            Err(panic) => batch.end = Some(End::Panicked(panic)),
        }
        if batch.end.is_some() {
            break;
        }
    }
    Poll::Ready(batch)
}
