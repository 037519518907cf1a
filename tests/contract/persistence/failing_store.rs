//! Stores that cannot be read or written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::anyhow::{anyhow, ensure};
use syncmgr::item::ItemState;
use syncmgr::request::{RegisterFlags, RequestError};
use syncmgr::session::LogAccessError;
use syncmgr::store::{HandlerRecord, LogRecord, MemoryStore, StateChange, StateStore, StoreAccessError};
use syncmgr::{HandlerId, ItemId, LogLevel, Outcome, SessionId, SyncManager, SyncResult, Trigger};
use syncmgr_test::{Transcript, reads_from};
use tokio::sync::watch;

use crate::asking::stored_log::asking_handler;
use crate::choosing::choice::Picker;
use crate::persistence::settings::{LINK, repairable, texts};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{Steps, assert_succeeds, outcome, register_all, start_manual};
use crate::support::{HANDLER, Scripted, id};

/// A store whose methods fail on demand.
#[derive(Clone, Default)]
struct FailingStore {
    inner: MemoryStore,
    handlers: Arc<AtomicBool>,
    choices: Arc<AtomicBool>,
    numbers: Arc<AtomicBool>,
    log: Arc<AtomicBool>,
    writes: Arc<AtomicBool>,
}

impl FailingStore {
    fn manager(&self) -> SyncManager {
        SyncManager::builder().store(self.clone()).build()
    }
}

/// Returns an error if the switch is on.
fn check(fails: &AtomicBool) -> SyncResult {
    ensure!(!fails.load(Ordering::Relaxed), "the disk is full");
    Ok(())
}

impl StateStore for FailingStore {
    reads_from!(inner: answer, record, retry_states, recorded_items, ended_since, resources, sessions, interrupted, histogram);

    fn last_session(&self) -> SyncResult<SessionId> {
        check(&self.numbers)?;
        self.inner.last_session()
    }

    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        check(&self.handlers)?;
        self.inner.handlers()
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        check(&self.choices)?;
        self.inner.choices(handler)
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        check(&self.log)?;
        self.inner.log(handler)
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        match check(&self.writes) {
            Ok(()) => self.inner.write(changes),
            Err(error) => async { Err(error) }.boxed(),
        }
    }
}

fn fail(switch: &AtomicBool) {
    switch.store(true, Ordering::Relaxed);
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_settings_cannot_be_read_is_not_registered() {
    let store = FailingStore::default();
    fail(&store.handlers);
    let manager = store.manager();
    let refused = manager.register(Scripted::new(&["a"]));
    let Err(RequestError::Store { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("disk is full"));
    assert!(manager.handlers().is_empty());
    store.handlers.store(false, Ordering::Relaxed);
    manager.register(Scripted::new(&["a"])).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_without_readable_choices_logs_it_and_uses_the_defaults() {
    let store = FailingStore::default();
    fail(&store.choices);
    let manager = register_all(store.manager(), [Scripted::new(&["a"])]);
    let report = assert_succeeds(begin(&manager)).await;
    let [entry] = &report.runs[0].log[..] else { panic!("{report}") };
    assert!(entry.level == LogLevel::Error && entry.text.contains("disk is full"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_explicit_items_needs_no_readable_choices() {
    let store = FailingStore::default();
    fail(&store.choices);
    let manager = register_all(store.manager(), [Scripted::new(&["a", "b"])]);
    let report = assert_succeeds(manager.session(Trigger::Manual).items(HANDLER, [id("b")]).start().unwrap()).await;
    assert_eq!(report.items().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn reading_an_unreadable_log_returns_a_typed_error() {
    let store = FailingStore::default();
    let manager = register_all(store.manager(), [repairable()]);
    within(begin(&manager).finish()).await;
    fail(&store.log);
    assert!(manager.log(HANDLER).await.is_err());
    let shown = within(manager.show_error(HANDLER, LINK)).await.map(drop);
    assert!(matches!(shown, Err(LogAccessError::Store { .. })), "{shown:?}");
    let answered = manager.answer(HANDLER, LINK, 0).map(drop);
    assert!(matches!(answered, Err(LogAccessError::Store { .. })), "{answered:?}");
}

#[tokio::test(start_paused = true)]
async fn sessions_run_on_a_store_that_refuses_every_write() {
    let store = FailingStore::default();
    fail(&store.writes);
    let chooser = Picker::these(&["a", "b"], &Transcript::new());
    let manager = SyncManager::builder().store(store.clone()).chooser(chooser).build();
    manager.register(asking_handler()).unwrap();
    manager.set_flags(HANDLER, RegisterFlags::IDLE).unwrap();
    assert_eq!(manager.registration(HANDLER).unwrap().flags, RegisterFlags::IDLE);
    let session = manager.update_all().unwrap();
    let report = within(session.report()).await;
    assert_eq!([id("a"), id("b")].map(|item| outcome(&report, item)), [Outcome::NeedsUser, Outcome::Succeeded]);
    let error = report.runs[0].log.iter().find_map(|entry| entry.id).unwrap();
    within(session.answer(HANDLER, error, 0)).await.unwrap();
    assert_succeeds(session).await;
    assert!(within(manager.forget(HANDLER)).await.is_err());
    assert!(within(manager.shutdown()).await.is_empty());
}

/// A store that accepts a write immediately and reports an error when the write is polled.
#[derive(Clone, Default)]
struct SlowStore(MemoryStore);

impl StateStore for SlowStore {
    reads_from!(0);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let write = self.0.write(changes);
        async move {
            tokio::task::yield_now().await;
            write.await?;
            Err(anyhow!("the disk is full"))
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_does_not_delay_sessions() {
    let store = SlowStore::default();
    let manager = SyncManager::builder().store(store.clone()).build();
    manager.register(repairable()).unwrap();
    within(begin(&manager).finish()).await;
    // The fourth entry says that the results were not recorded.
    assert_eq!(texts(&manager).len(), 4);
    assert!(within(manager.show_error(HANDLER, LINK)).await.unwrap().is_success());
    drop(manager);
    drop(start_manual(
        &register_all(SyncManager::builder().store(store).build(), [Steps::default().handler(1, &[])]),
        1,
    ));
}

/// A store that stores nothing until it is told to.
#[derive(Clone)]
struct BlockedStore(MemoryStore, watch::Receiver<bool>);

impl StateStore for BlockedStore {
    reads_from!(0);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let (write, mut released) = (self.0.write(changes), self.1.clone());
        async move {
            released.wait_for(|released| *released).await?;
            write.await
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_until_earlier_changes_are_stored() {
    let (release, released) = watch::channel(false);
    let manager = SyncManager::builder().store(BlockedStore(MemoryStore::new(), released)).build();
    manager.register(repairable()).unwrap();
    let mut flushed = Box::pin(manager.flush());
    assert!((&mut flushed).now_or_never().is_none());
    release.send_replace(true);
    within(flushed).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flush_fails_if_the_store_takes_no_more_changes() {
    let store = FailingStore::default();
    let manager = SyncManager::builder().store(store.clone()).build();
    manager.flush().await.unwrap();
    fail(&store.writes);
    let refused = manager.flush().await.unwrap_err();
    assert!(matches!(refused, StoreAccessError::Refused(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_with_unknown_stored_flags_is_refused_and_not_registered() {
    let store = MemoryStore::new();
    let flags = RegisterFlags::from_bits_retain(1 << 31);
    store.write(vec![StateChange::Flags { handler: HANDLER, flags }]).await.unwrap();
    let manager = SyncManager::builder().store(store).build();
    assert!(manager.register(Scripted::new(&["a"])).is_err());
    assert_eq!(manager.registration(HANDLER), None);
    manager.register(Steps::default().handler(1, &[])).unwrap();
    assert!(manager.session(Trigger::Manual).start().is_ok(), "other handlers cannot run");
}

#[tokio::test(start_paused = true)]
async fn commits_keep_their_order_if_the_last_session_number_is_unreadable() {
    let (store, handler) = (FailingStore::default(), crate::persistence::checkpoints::counting_handler(&["a"]));
    for round in 1..=4 {
        store.numbers.store(round == 3, Ordering::Relaxed);
        assert_succeeds(begin(&register_all(store.manager(), [handler.clone()]))).await;
        assert_eq!(crate::support::recording_store::saved_checkpoint(&store, "a"), Some((1, round.to_string())));
    }
}
