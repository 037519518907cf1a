//! The threads on which a manager reads its store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::SystemTime;

use futures::future::BoxFuture;
use syncmgr::item::ItemState;
use syncmgr::store::{ItemName, ItemRecord, LogRecord, Medium, MemoryStore, SessionRecord, StateChange, StateStore};
use syncmgr::{HandlerId, ItemId, SessionId, SyncManager, SyncResult};
use syncmgr_test::reads_from;

use crate::support::awaitable_host::{begin, within};
use crate::support::steps::register_all;
use crate::support::{HANDLER, Scripted, id};

/// A store that claims to be on a disk, and notes the thread of every read that returns many values.
#[derive(Clone, Default)]
struct OnDisk {
    inner: MemoryStore,
    readers: Arc<Mutex<Vec<(&'static str, ThreadId)>>>,
}

impl OnDisk {
    fn note(&self, read: &'static str) -> &MemoryStore {
        self.readers.lock().expect("not poisoned").push((read, thread::current().id()));
        &self.inner
    }

    /// The reads so far, and those of them on the current thread.
    fn reads(&self) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
        let readers = self.readers.lock().expect("not poisoned");
        let blocking = readers.iter().filter(|(_, reader)| *reader == thread::current().id());
        (readers.iter().map(|(read, _)| *read).collect(), blocking.map(|(read, _)| *read).collect())
    }
}

impl StateStore for OnDisk {
    reads_from!(inner: handlers, handler, choice, name, log_entry, log_about, answer, record, retry_states, disabled);
    reads_from!(inner: has_ended_since, resources, interrupted, last_session, histogram, acquire);

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        self.note("choices").choices(handler)
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        self.note("log").log(handler)
    }

    fn recorded_items(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        self.note("recorded_items").recorded_items(handler)
    }

    fn records(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemRecord>> {
        self.note("records").records(handler)
    }

    fn names(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemName>> {
        self.note("names").names(handler)
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        self.note("ended_since").ended_since(handler, session)
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        self.note("sessions").sessions()
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        self.inner.write(changes)
    }

    fn medium(&self) -> Medium {
        Medium::Disk
    }
}

fn manager(store: &OnDisk) -> SyncManager {
    register_all(SyncManager::builder().store(store.clone()).build(), [Scripted::new(&["a", "b"])])
}

#[tokio::test]
async fn reads_that_grow_with_the_store_do_not_block_the_runtime() {
    let store = OnDisk::default();
    let interrupted = manager(&store);
    begin(&interrupted); // interrupted: the session has not run yet
    let crashed = OnDisk { inner: store.inner.after_crash(), ..store };
    let manager = manager(&crashed);
    within(begin(&manager).finish()).await;
    manager.items(HANDLER).await.unwrap();
    manager.log(HANDLER).await.unwrap();
    manager.history().await.unwrap();
    manager.explain_item(HANDLER, id("a")).unwrap();
    manager.explain_handler(HANDLER).unwrap();
    let all = ["choices", "ended_since", "log", "names", "recorded_items", "records", "sessions"];
    assert_eq!(crashed.reads(), (BTreeSet::from(all), BTreeSet::new()));
}
