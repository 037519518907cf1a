//! Checkpoints with another state version: migrated, or unreadable but not lost.

use std::sync::{Arc, Mutex};

use syncmgr::anyhow::anyhow;
use syncmgr::log::ErrorId;
use syncmgr::retry::{RetryState, RetryStatus};
use syncmgr::serde_json::{Value, json};
use syncmgr::store::{ItemRecord, MemoryStore};
use syncmgr::{
    Classify, FailureClass, HandlerInfo, ItemContext, ItemId, NeedsUser, Outcome, SyncHandler, SyncItem, SyncManager,
    SyncResult, Trigger, async_trait,
};

use crate::asking::stored_log::question;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{record, saved_checkpoint, store_with_checkpoint};
use crate::support::steps::{assert_succeeds, hold_of};
use crate::support::{HANDLER, id};

type Migrate = Arc<dyn Fn(Value) -> SyncResult<Value> + Send + Sync>;

/// A handler with a given state version. Its item `a` counts its runs.
#[derive(Clone)]
struct Versioned {
    version: u32,
    migrate: Option<Migrate>,
    /// The arguments of the `migrate` calls.
    seen: Arc<Mutex<Vec<(ItemId, u32, Value)>>>,
    /// `true` if the item commits.
    saves: bool,
}

impl Versioned {
    fn at(version: u32) -> Self {
        Self { version, migrate: None, seen: Arc::default(), saves: true }
    }

    fn migrating(self, migrate: impl Fn(Value) -> SyncResult<Value> + Send + Sync + 'static) -> Self {
        Self { migrate: Some(Arc::new(migrate)), ..self }
    }

    fn with_store(&self, store: &MemoryStore) -> SyncManager {
        let manager = SyncManager::builder().store(store.clone()).build();
        manager.register(self.clone()).expect("the handler can be registered");
        manager
    }
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    count: u32,
}

#[async_trait]
impl SyncHandler for Versioned {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HANDLER, "Versioned").with_state_version(self.version)
    }

    async fn items(&self) -> SyncResult<syncmgr::Items> {
        Ok([SyncItem::named("a")].into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut counted = item.saved::<Counted>()?;
        counted.count += 1;
        if self.saves { counted.commit().await } else { Ok(()) }
    }

    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        self.seen.lock().expect("no thread panics while it holds the lock").push((item, from, state.clone()));
        match &self.migrate {
            Some(migrate) => migrate(state),
            None => Err(anyhow!("the handler cannot migrate from version {from}")).unreadable_state(),
        }
    }
}

fn from_number(state: Value) -> SyncResult<Value> {
    Ok(json!({ "count": state }))
}

#[tokio::test(start_paused = true)]
async fn an_older_checkpoint_is_migrated_once_and_committed() {
    let store = store_with_checkpoint("a", 1, "7").await;
    let handler = Versioned::at(3).migrating(from_number);
    let manager = handler.with_store(&store);
    assert_succeeds(begin(&manager)).await;
    assert_succeeds(begin(&manager)).await;
    assert_eq!(*handler.seen.lock().unwrap(), [(id("a"), 1, json!(7))]);
    assert_eq!(saved_checkpoint(&store, "a"), Some((3, "{\"count\":9}".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn without_a_commit_a_migration_leaves_the_stored_checkpoint_unchanged() {
    let store = store_with_checkpoint("a", 0, "7").await;
    let handler = Versioned { saves: false, ..Versioned::at(1).migrating(from_number) };
    assert_succeeds(begin(&handler.with_store(&store))).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((0, "7".to_owned())));
}

/// Asserts that the item fails because of its unreadable state, and that the state is not lost.
async fn assert_unreadable(handler: Versioned, version: u32, what: &str) {
    let store = store_with_checkpoint("a", version, "{\"count\":7}").await;
    let manager = handler.with_store(&store);
    let report = within(begin(&manager).finish()).await;
    let ended = report.items().next().expect("there is one item");
    assert_eq!(
        (ended.outcome, ended.class),
        (Outcome::Failed, Some(FailureClass::UnreadableState)),
        "{what}: {report}"
    );
    let stored = record(&store, "a");
    assert_eq!(stored.retry.map(|retry: RetryState| retry.status), Some(RetryStatus::UnreadableState), "{what}");
    assert_eq!(saved_checkpoint(&store, "a"), Some((version, "{\"count\":7}".to_owned())), "{what}");
    // A background session skips the item. In a manual session it fails again, and its state is not lost.
    let scheduled = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().expect("inside a runtime");
    let report = within(scheduled.finish()).await;
    assert_eq!(hold_of(&report, id("a")), Some(syncmgr::Hold::UnreadableState), "{what}: {report}");
    within(begin(&manager).finish()).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((version, "{\"count\":7}".to_owned())), "{what}");
    reset(&manager, &store, question(&manager), version, what).await;
}

/// Answers with a reset: the state is set aside, and the item runs with a fresh state.
async fn reset(manager: &SyncManager, store: &MemoryStore, error: ErrorId, version: u32, what: &str) {
    assert_succeeds(manager.answer(HANDLER, error, 0).expect("the question is open")).await;
    let ItemRecord { checkpoint, set_aside, outcome, retry, .. } = record(store, "a");
    let aside = set_aside.expect("the state was set aside");
    assert_eq!((aside.version, &*aside.state), (version, "{\"count\":7}"), "{what}");
    assert_eq!(checkpoint.map(|of| of.state.to_string()).as_deref(), Some("{\"count\":1}"), "{what}");
    assert_eq!((outcome, retry), (Some(Outcome::Succeeded), None), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_newer_checkpoint_is_unreadable_until_it_is_reset() {
    assert_unreadable(Versioned::at(1), 2, "newer").await;
}

#[tokio::test(start_paused = true)]
async fn an_older_checkpoint_without_a_migration_is_unreadable() {
    assert_unreadable(Versioned::at(1), 0, "no migration").await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_nonsensical_migration_leaves_the_state_unreadable() {
    assert_unreadable(Versioned::at(1).migrating(|_| Err(anyhow!("the fault"))), 0, "fails").await;
    assert_unreadable(Versioned::at(1).migrating(|_| Err(anyhow!("the fault")).transient()), 0, "transient").await;
    assert_unreadable(Versioned::at(1).migrating(|_| panic!("the fault")), 0, "panics").await;
    assert_unreadable(Versioned::at(1).migrating(|_| Ok(json!("nonsense"))), 0, "nonsense").await;
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_needs_the_user_leaves_the_state_unreadable() {
    assert_unreadable(Versioned::at(1).migrating(|_| Err(NeedsUser::new("which?").into())), 0, "asks").await;
}

#[tokio::test(start_paused = true)]
async fn refusing_to_reset_an_unreadable_state_keeps_it() {
    let store = store_with_checkpoint("a", 9, "{\"count\":7}").await;
    let manager = Versioned::at(1).with_store(&store);
    within(begin(&manager).finish()).await;
    let report = within(manager.answer(HANDLER, question(&manager), 1).unwrap().finish()).await;
    assert_eq!(report.items().count(), 0, "{report}");
    assert_eq!(saved_checkpoint(&store, "a"), Some((9, "{\"count\":7}".to_owned())));
    assert_eq!(record(&store, "a").set_aside, None);
    assert_succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_an_open_session_runs_the_item_in_that_session() {
    let store = store_with_checkpoint("a", 9, "{\"count\":7}").await;
    let manager = Versioned::at(1).with_store(&store);
    let session = begin(&manager);
    let report = within(session.report()).await;
    let error = report.runs[0].log.iter().find_map(|entry| entry.id).expect("a question is logged");
    within(session.answer(HANDLER, error, 0)).await.unwrap();
    assert_succeeds(session).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "{\"count\":1}".to_owned())));
    assert_eq!(record(&store, "a").set_aside.map(|of| of.version), Some(9));
}
