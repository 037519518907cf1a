//! The tasks that pass local changes to the retry ledger: one for the watched paths of a handler, one for its own stream.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::future::poll_fn;
use futures::stream::{BoxStream, Fuse};
use futures::{FutureExt, StreamExt};
use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId};
use syncmgr_core::item::Completeness;
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::register::Generation;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;
use syncmgr_core::text::Escaped;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::change_source::{Watch, WatchEvent, WatchProblem};
use crate::host::Host;

/// The number of events of a stream that are taken together.
const BATCH: usize = 4096;

/// The key of the log entry about an item whose changes are not noticed.
const WATCH: &str = "watch";

/// The watched paths of a handler with their items.
type Paths = BTreeMap<PathBuf, BTreeSet<ItemId>>;

/// The tasks of each registered handler.
#[derive(Default)]
pub(crate) struct Watching(Mutex<BTreeMap<HandlerId, HandlerTasks>>);

impl Watching {
    /// Removes the tasks of a registration. Those of a later one stay.
    fn remove(&self, handler: HandlerId, generation: Generation) -> Option<HandlerTasks> {
        let mut watching = self.0.lock();
        watching.get(&handler).filter(|tasks| tasks.generation == generation)?;
        watching.remove(&handler)
    }

    fn has(&self, handler: HandlerId, generation: Generation) -> bool {
        self.0.lock().get(&handler).is_some_and(|tasks| tasks.generation == generation)
    }
}

/// The tasks of a registration of a handler. They end when this value is dropped.
struct HandlerTasks {
    generation: Generation,
    paths: Arc<Paths>,
    of_paths: Option<DropGuard>,
    _of_handler: Option<DropGuard>,
}

impl Host {
    /// Watches the paths in a listing, and takes the `own` changes that the handler itself reports. `since` is the time at which the
    /// listing began. Does nothing if the handler's registration was replaced. Returns the items that are new among the watched ones of
    /// a handler that was already watched.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: HandlerId,
        generation: Generation,
        listing: &Listing,
        since: SystemTime,
        own: Option<BoxStream<'static, LocalChange>>,
    ) -> BTreeSet<ItemId> {
        let (Ok(runtime), own) = (Handle::try_current(), Foreign::new(own)) else { return BTreeSet::new() };
        let state = self.manager_state();
        // An unregistration waits for this lock, and then finds the tasks.
        if !state.is_registered(handler, generation) {
            return BTreeSet::new();
        }
        let mut watching = self.watching.0.lock();
        let is_first = watching.get(&handler).is_none_or(|known| known.generation != generation);
        if is_first {
            watching.insert(handler, self.first_watch(handler, generation, own, &runtime));
        }
        let Some(tasks) = watching.get_mut(&handler) else { return BTreeSet::new() };
        let paths = Arc::new(tasks.paths_after(listing));
        if paths == tasks.paths {
            return BTreeSet::new();
        }
        tasks.of_paths = self.watch_paths((handler, generation), &paths, since, &runtime);
        let earlier = std::mem::replace(&mut tasks.paths, paths.clone());
        if is_first { BTreeSet::new() } else { &items_of(&paths) - &items_of(&earlier) }
    }

    /// Returns `true` if the paths of this registration of a handler are watched.
    pub(crate) fn is_watched(&self, handler: HandlerId, generation: Generation) -> bool {
        self.watching.has(handler, generation)
    }

    /// Ends the tasks of a registration of a handler.
    pub(crate) fn unwatch(&self, handler: HandlerId, generation: Generation) {
        let tasks = self.watching.remove(handler, generation);
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
        let of = (handler, generation);
        let of_handler = own.and_then(|own| self.spawn_watch(of, Arc::default(), move || own.into_inner(), runtime));
        HandlerTasks { generation, paths: Arc::default(), of_paths: None, _of_handler: of_handler }
    }

    fn watch_paths(
        self: &Arc<Self>,
        of: (HandlerId, Generation),
        paths: &Arc<Paths>,
        since: SystemTime,
        runtime: &Handle,
    ) -> Option<DropGuard> {
        let source = self.ports.change_source.clone().filter(|_| !paths.is_empty())?;
        let mut watch = Watch::new(of.0, since);
        watch.paths = Paths::clone(paths);
        self.spawn_watch(of, paths.clone(), move || source.watch(watch), runtime)
    }

    fn spawn_watch(
        self: &Arc<Self>,
        (handler, generation): (HandlerId, Generation),
        paths: Arc<Paths>,
        open: impl FnOnce() -> BoxStream<'static, WatchEvent> + Send + 'static,
        runtime: &Handle,
    ) -> Option<DropGuard> {
        let end = self.closing.child_token();
        let task = WatchTask { host: self.clone(), handler, generation, paths, end: end.clone() };
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
            Completeness::MissingItems => Paths::clone(&self.paths),
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

/// The items that watch these paths.
fn items_of(paths: &Paths) -> BTreeSet<ItemId> {
    paths.values().flatten().copied().collect()
}

/// A task that takes the events of a stream.
struct WatchTask {
    host: Arc<Host>,
    handler: HandlerId,
    generation: Generation,
    /// The watched paths; none for the handler's own stream.
    paths: Arc<Paths>,
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

/// The time between two batches of a stream: short at first, so that what follows a change soon is noticed soon, and longer while the
/// stream goes on, so that many changes cost little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pause(Duration);

impl Pause {
    const SHORTEST: Self = Self(Duration::from_millis(5));
    const LONGEST: Self = Self(Duration::from_millis(50));

    /// The pause after a batch for which the task has waited this long.
    fn after(self, waited: Duration) -> Self {
        if waited > Self::LONGEST.0 { Self::SHORTEST } else { Self::LONGEST.min(Self(self.0 * 2)) }
    }
}

impl WatchTask {
    async fn run(self, open: Foreign<impl FnOnce() -> BoxStream<'static, WatchEvent>>) {
        let mut stream = match foreign::call(|| open.into_inner()()) {
            Ok(stream) => Foreign::new(stream.fuse()),
            Err(panic) => return self.report(&End::Panicked(panic)),
        };
        let mut pause = Pause::SHORTEST;
        loop {
            let waits_since = Instant::now();
            let batch = tokio::select! {
                biased;
                () = self.end.cancelled() => break,
                batch = poll_fn(|cx| next_batch(&mut stream, cx)) => batch,
            };
            pause = pause.after(waits_since.elapsed());
            if let Some(end) = self.accept(batch) {
                return self.report(&end);
            }
            tokio::select! {
                biased;
                () = self.end.cancelled() => break,
                () = sleep(pause.0) => {}
            }
        }
        // The last changes of a stream that another one replaces.
        if let Some(batch) = poll_fn(|cx| next_batch(&mut stream, cx)).now_or_never() {
            self.accept(batch);
        }
    }

    /// Passes a batch to the ledger and to the logs.
    fn accept(&self, batch: Batch) -> Option<End> {
        for problem in batch.problems {
            self.warn(&format!("not all local changes are noticed: {problem}"), self.items_of(&problem));
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
                let text = format!("local changes are no longer noticed: their source panicked: {panic}");
                self.warn(&text, BTreeSet::new());
                self.changed(BTreeSet::from([LocalChange::Unknown]));
            }
        }
    }

    /// Returns the items that watch the path of a problem or one above it.
    fn items_of(&self, problem: &WatchProblem) -> BTreeSet<ItemId> {
        let above = problem.path.iter().flat_map(|path| path.ancestors());
        above.filter_map(|path| self.paths.get(path)).flatten().copied().collect()
    }

    /// Adds a warning to the program's log, and to the stored log of the handler: about each of these items, or about the handler if
    /// there are none.
    fn warn(&self, text: &str, items: BTreeSet<ItemId>) {
        let entry = |item| {
            let entry = LogEntry::new(LogLevel::Warning, text).with_id(ErrorId::of_question(item, WATCH));
            Arc::new(if item == HANDLER_ITSELF { entry } else { entry.with_item(item) })
        };
        self.log(match items.is_empty() {
            true => vec![entry(HANDLER_ITSELF)],
            false => items.into_iter().map(entry).collect(),
        });
        let name = self.host.manager_state().handlers.get(&self.handler).map(|known| known.info.name().to_owned());
        let name = name.unwrap_or_default();
        tracing::warn!(manager = %self.host.id, handler = %self.handler, name = %Escaped(&name), "{}", Escaped(text));
    }

    /// Adds entries to the stored log of the handler, unless it was unregistered. They belong to no session of this manager: a run
    /// may replace the log of its session.
    fn log(&self, entries: Vec<Arc<LogEntry>>) {
        let (handler, manager, time) = (self.handler, Uuid::nil(), self.host.now().wall);
        let session = SessionId(self.host.last_session.load(Ordering::Relaxed));
        let written = {
            let state = self.host.manager_state();
            let is_current = state.is_registered(handler, self.generation);
            let change = StateChange::Logged { handler, manager, session, time, entries };
            is_current.then(|| self.host.queue_write(vec![change]))
        };
        self.host.finish_write(written);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_soon_at_rest_and_rarely_while_it_is_busy() {
        let busy = |pause: &Pause| Some(pause.after(Duration::from_millis(1)));
        let first = Pause::LONGEST.after(Duration::from_secs(1));
        let pauses: Vec<_> =
            std::iter::successors(Some(first), busy).map(|pause| pause.0.as_millis()).take(6).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 50, 50]);
    }

    #[test]
    fn the_end_of_a_registration_does_not_end_the_tasks_of_a_later_one() {
        let (handler, later) = (HandlerId::from_u128(1), Generation::FIRST.next());
        let tasks = HandlerTasks { generation: later, paths: Arc::default(), of_paths: None, _of_handler: None };
        let watching = Watching::default();
        watching.0.lock().insert(handler, tasks);
        assert!(watching.remove(handler, Generation::FIRST).is_none());
        assert!(watching.has(handler, later));
        assert!(watching.remove(handler, later).is_some());
        assert!(!watching.has(handler, later));
    }
}
