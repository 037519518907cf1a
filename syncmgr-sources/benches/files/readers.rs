//! The readers of the changes: notify alone, the source, and a manager with the source. Each sends a message for each change of
//! the probe.

use std::any::Any;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::stream::BoxStream;
use notify::{Config, Event, INotifyWatcher, RecursiveMode, Watcher};
use syncmgr::async_trait;
use syncmgr::changes::{ChangeSource, LocalChange, Settle, Watch, WatchEvent};
use syncmgr::{HandlerId, HandlerInfo, ItemContext, ItemId, Items, SyncHandler, SyncItem, SyncManager, SyncResult};
use syncmgr_sources::FileChanges;
use tokio::runtime::Builder;

use crate::tree::{PROBE, Tree};

/// Counts the events.
pub(crate) fn read_alone(tree: &Tree, send: Sender<()>) -> Box<dyn Any> {
    let (probe, mut events) = (tree.path(PROBE), 0_u64);
    let count = move |event: notify::Result<Event>| {
        let event = event.expect("the events can be read");
        assert!(!event.need_rescan(), "the kernel's queue is too short");
        events = std::hint::black_box(events + 1);
        if event.kind.is_modify() && event.paths[0].parent() == Some(&probe) {
            // The writer has ended at the end of the measurement.
            let _ = send.send(());
        }
    };
    let mut watcher = INotifyWatcher::new(count, Config::default()).expect("inotify is available");
    for name in tree.names() {
        watcher.watch(&tree.path(name), RecursiveMode::NonRecursive).expect("the directory can be watched");
    }
    Box::new(watcher)
}

/// Reads the stream of the source in a thread.
pub(crate) fn read_stream(tree: &Tree, send: Sender<()>) -> Box<dyn Any> {
    let mut watch = Watch::new(HandlerId::from_u128(1), SystemTime::UNIX_EPOCH);
    for name in tree.names() {
        watch = watch.with_path(tree.path(name), ItemId::from_name(name));
    }
    let mut events = Probed(send).watch(watch);
    Box::new(thread::spawn(move || futures::executor::block_on(async { while events.next().await.is_some() {} })))
}

/// Runs a manager with the source in a thread. Nothing is quiet before the end, so no item runs because of a change.
pub(crate) fn read_in_manager(tree: &Tree, send: Sender<()>) -> Box<dyn Any> {
    let item = |name: &String| SyncItem::named(name.as_str()).with_watch(tree.path(name));
    let folders = Folders(tree.names().iter().map(item).collect());
    Box::new(thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build().expect("the runtime is created");
        runtime.block_on(async {
            let manager = SyncManager::builder().change_source(Probed(send)).build();
            manager.register(folders).expect("the handler is new");
            manager.update_all().expect("inside a runtime").finish().await;
            std::future::pending::<()>().await;
        });
    }))
}

/// The source, which sends a message for each change of the probe.
struct Probed(Sender<()>);

impl ChangeSource for Probed {
    fn watch(&self, watch: Watch) -> BoxStream<'static, WatchEvent> {
        let (send, probe) = (self.0.clone(), WatchEvent::Changed(LocalChange::Item(ItemId::from_name(PROBE))));
        let tell = move |event: &WatchEvent| {
            if *event == probe {
                // The writer has ended at the end of the measurement.
                let _ = send.send(());
            }
        };
        FileChanges::new().watch(watch).inspect(tell).boxed()
    }
}

struct Folders(Items);

#[async_trait]
impl SyncHandler for Folders {
    fn info(&self) -> HandlerInfo {
        let never = Duration::from_secs(24 * 60 * 60);
        HandlerInfo::new(HandlerId::from_u128(1), "Folders")
            .with_settle(Settle::DEFAULT.with_quiet(never).with_max_wait(never))
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.clone())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}
