//! Changes of files, from inotify.
//!
//! ```text
//! kernel ──▶ notify's thread: events ──▶ shared: changed items, each once ──▶ stream
//!                                │            ▲
//!                                └─ new directories ──▶ searcher's thread: lists and watches them
//! ```

mod events;
mod roots;
mod searcher;
mod shared;

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::{BoxStream, poll_fn};
use syncmgr_runtime::change_source::{ChangeSource, Watch, WatchEvent};

use self::roots::Roots;
use self::shared::Shared;

/// A source that watches files and directories with inotify, for
/// [`change_source`](syncmgr_runtime::manager::SyncManagerBuilder::change_source).
///
/// It reports only that an item may have changed, and holds each changed item once, however many events there are. What it may
/// have missed counts as a change of every item that it concerns:
///
/// - an overflow of the kernel's event queue;
/// - a new or moved directory, whose first files raise no event: it is listed and watched first;
/// - a directory that cannot be read, or not be watched because of the limit of watches;
/// - a watched path that is removed, renamed or created again, with the directories above it;
/// - changes between the listing of the items and the start of the watch, which the change times of the files tell.
///
/// Each watch has one inotify instance and two threads, which end with the stream. The [README](crate) lists what inotify does not
/// notice.
///
/// ```
/// # futures::executor::block_on(async {
/// use std::time::SystemTime;
/// use futures::StreamExt;
/// use syncmgr::changes::{ChangeSource, LocalChange, Watch, WatchEvent};
/// use syncmgr::{HandlerId, ItemId};
/// use syncmgr_sources::FileChanges;
///
/// let directory = tempfile::tempdir()?;
/// let notes = ItemId::from_name("notes");
/// let watch = Watch::new(HandlerId::from_u128(7), SystemTime::UNIX_EPOCH).with_path(directory.path(), notes);
/// let mut events = FileChanges::new().watch(watch);
/// std::fs::write(directory.path().join("groceries"), "milk")?;
/// assert_eq!(events.next().await, Some(WatchEvent::Changed(LocalChange::Item(notes))));
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FileChanges;

impl FileChanges {
    /// Creates a source.
    pub const fn new() -> Self {
        Self
    }
}

impl ChangeSource for FileChanges {
    fn watch(&self, watch: Watch) -> BoxStream<'static, WatchEvent> {
        let shared = Arc::new(Shared::new(Roots::new(watch.paths)));
        searcher::start(&shared, watch.since);
        let stream = OpenStream(shared);
        poll_fn(move |cx| stream.poll(cx)).boxed()
    }
}

/// The stream of a watch. Its threads end when it is dropped.
struct OpenStream(Arc<Shared>);

impl OpenStream {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        self.0.poll_next(cx)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.close();
    }
}
