//! The source of local changes: what happens to the watched paths of items.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::sync::Mutex;
use syncmgr_core::text::Escaped;
use tokio::sync::Notify;

/// A source of local changes, such as a file watcher.
///
/// The manager calls [`watch`](Self::watch) once a listing of a handler contains items with
/// [watched paths](syncmgr_core::item::SyncItem::with_watch), and again if a later listing changes these paths. It then drops the
/// earlier stream. It also drops the stream when the handler is unregistered, and at a shutdown.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// use futures::{StreamExt, stream::{self, BoxStream}};
///
/// struct Once; // reports every watched item once
///
/// impl ChangeSource for Once {
///     fn watch(&self, watch: Watch) -> BoxStream<'static, WatchEvent> {
///         let items = watch.paths.into_values().flatten();
///         stream::iter(items.map(|item| WatchEvent::Changed(LocalChange::Item(item)))).boxed()
///     }
/// }
///
/// assert!(SyncManager::builder().change_source(Once).build().run(Mail).await?.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait ChangeSource: Send + Sync + 'static {
    /// Starts to watch paths. Return at once; the manager calls this method inside a task, so a search for directories belongs
    /// into the stream or into a thread.
    ///
    /// A change that the source may have missed is reported like one that it has seen: as [`LocalChange::Item`] for the items that
    /// it concerns, or as [`LocalChange::Unknown`]. An endless stream needs no end; a stream that ends reports nothing more.
    fn watch(&self, watch: Watch) -> BoxStream<'static, WatchEvent>;
}

/// The paths to watch for one handler.
///
/// ```
/// # use std::{path::Path, time::SystemTime};
/// # use syncmgr_doc_examples::*;
/// let inbox = ItemId::from_name("Inbox");
/// let watch = Watch::new(HandlerId::from_u128(7), SystemTime::UNIX_EPOCH).with_path("/var/mail/ann", inbox);
/// assert!(watch.paths[Path::new("/var/mail/ann")].contains(&inbox));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watch {
    /// The handler.
    pub handler: HandlerId,
    /// The watched files and directories with the items that a change of them concerns. All paths are absolute.
    pub paths: BTreeMap<PathBuf, BTreeSet<ItemId>>,
    /// The time at which the run began to list the items. The source reports changes since this time if it can find out about
    /// them; the run may have synchronized an item before the source watches it.
    pub since: SystemTime,
}

/// What a source reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent {
    /// Something may have changed.
    Changed(LocalChange),
    /// Something cannot be watched. The manager adds a warning to the stored log of the handler, about the items that watch the path,
    /// and to the program's log. A later warning about an item replaces it.
    Problem(WatchProblem),
}

/// The reason why changes may not be noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchProblem {
    /// The path, if the problem concerns one.
    pub path: Option<PathBuf>,
    /// The reason and what to do, in lower case.
    pub reason: String,
}

impl Watch {
    /// Creates a watch without paths.
    pub fn new(handler: HandlerId, since: SystemTime) -> Self {
        Self { handler, paths: BTreeMap::new(), since }
    }

    /// Adds a path of an item. Several items may have the same path.
    #[must_use]
    pub fn with_path(mut self, path: impl AsRef<Path>, item: ItemId) -> Self {
        self.paths.entry(path.as_ref().to_owned()).or_default().insert(item);
        self
    }
}

impl WatchProblem {
    /// Creates a problem of the whole watch.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { path: None, reason: reason.into() }
    }

    /// Sets the path that the problem concerns.
    #[must_use]
    pub fn with_path(self, path: impl AsRef<Path>) -> Self {
        Self { path: Some(path.as_ref().to_owned()), ..self }
    }
}

impl fmt::Display for WatchProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", Escaped(&path.to_string_lossy()))?;
        }
        write!(f, "{}", Escaped(&self.reason))
    }
}

/// A source whose changes the program or a test reports. Clones share the same watches.
///
/// Changes of a handler that is not watched yet are ignored, because its first session looks at everything.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// use futures::StreamExt;
///
/// let (changes, inbox) = (ManualChanges::new(), ItemId::from_name("Inbox"));
/// let watch = Watch::new(HandlerId::from_u128(7), SystemTime::UNIX_EPOCH).with_path("/var/mail", inbox);
/// let mut events = changes.watch(watch);
/// changes.changed("/var/mail/ann/new");
/// assert_eq!(events.next().await, Some(WatchEvent::Changed(LocalChange::Item(inbox))));
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualChanges {
    watches: Arc<Mutex<Vec<Weak<Manual>>>>,
}

/// A watch of a manual source. It ends with its stream.
#[derive(Debug)]
struct Manual {
    watch: Watch,
    /// The changes that the stream has not returned.
    changes: Mutex<BTreeSet<LocalChange>>,
    added: Notify,
}

impl ManualChanges {
    /// Creates a source.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports a change of a file or directory, for all items that watch it or a directory above it.
    pub fn changed(&self, path: impl AsRef<Path>) {
        for manual in self.active() {
            let above = path.as_ref().ancestors().filter_map(|path| manual.watch.paths.get(path));
            manual.add(above.flatten().copied().map(LocalChange::Item));
        }
    }

    /// Reports a change of a handler.
    pub fn report(&self, handler: HandlerId, change: LocalChange) {
        let of_handler = self.active().into_iter().filter(|manual| manual.watch.handler == handler);
        of_handler.for_each(|manual| manual.add([change]));
    }

    /// Returns the watched paths of a handler, in order.
    pub fn watched(&self, handler: HandlerId) -> Vec<PathBuf> {
        let of_handler = self.active().into_iter().filter(|manual| manual.watch.handler == handler);
        let paths: BTreeSet<_> =
            of_handler.flat_map(|manual| manual.watch.paths.keys().cloned().collect::<Vec<_>>()).collect();
        paths.into_iter().collect()
    }

    /// Returns the watches whose streams exist.
    fn active(&self) -> Vec<Arc<Manual>> {
        let mut watches = self.watches.lock();
        watches.retain(|watch| watch.strong_count() > 0);
        watches.iter().filter_map(Weak::upgrade).collect()
    }
}

impl ChangeSource for ManualChanges {
    fn watch(&self, watch: Watch) -> BoxStream<'static, WatchEvent> {
        let manual = Arc::new(Manual { watch, changes: Mutex::default(), added: Notify::new() });
        self.watches.lock().push(Arc::downgrade(&manual));
        let next = |manual: Arc<Manual>| async move {
            let change = manual.next().await;
            Some((WatchEvent::Changed(change), manual))
        };
        futures::stream::unfold(manual, next).boxed()
    }
}

impl Manual {
    fn add(&self, changes: impl IntoIterator<Item = LocalChange>) {
        self.changes.lock().extend(changes);
        self.added.notify_one();
    }

    async fn next(&self) -> LocalChange {
        loop {
            if let Some(change) = self.changes.lock().pop_first() {
                return change;
            }
            self.added.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MAIL: HandlerId = HandlerId::from_u128(1);

    #[test]
    fn a_manual_change_concerns_the_items_that_watch_its_path_or_one_above() {
        let (changes, [inbox, drafts]) = (ManualChanges::new(), [1, 2].map(ItemId::from_u128));
        let watch =
            Watch::new(MAIL, SystemTime::UNIX_EPOCH).with_path("/mail", inbox).with_path("/mail/drafts", drafts);
        let mut events = changes.watch(watch);
        changes.changed("/mailbox");
        assert_eq!(events.next().now_or_never(), None);
        changes.changed("/mail/drafts/1");
        let reported = [events.next().now_or_never(), events.next().now_or_never(), events.next().now_or_never()];
        let item = |item| Some(Some(WatchEvent::Changed(LocalChange::Item(item))));
        assert_eq!(reported, [item(inbox), item(drafts), None]);
    }

    #[test]
    fn a_manual_source_forgets_a_watch_with_its_stream() {
        let changes = ManualChanges::new();
        let events = changes.watch(Watch::new(MAIL, SystemTime::UNIX_EPOCH).with_path("/b", ItemId::from_u128(1)));
        assert_eq!(changes.watched(MAIL), [Path::new("/b")]);
        drop(events);
        assert_eq!(changes.watched(MAIL), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_problem_is_one_line_with_its_path() {
        let problem = WatchProblem::new("permission\ndenied").with_path("/a");
        assert_eq!(problem.to_string(), "/a: permission\\u{a}denied");
    }
}
