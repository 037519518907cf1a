//! Checkpoints of items: loaded by later attempts, unaffected by failures, and rejected if a stale attempt commits them.

use std::sync::{Arc, Mutex, mpsc};

use futures::FutureExt;
use syncmgr::anyhow::{anyhow, bail};
use syncmgr::context::Origin;
use syncmgr::handler::Resolution;
use syncmgr::store::MemoryStore;
use syncmgr::{FailureClass, ItemContext, LogEntry, LogLevel, Outcome, SyncManager, SyncResult};
use syncmgr_test::Transcript;
use tokio::sync::Notify;

use crate::persistence::settings::{LINK, with_store};
use crate::sharing::quarantine::let_hard_grace_pass;
use crate::support::awaitable_host::{HandlerOnHost, begin, until_began, within};
use crate::support::recording_store::{RecordingStore, record, saved_checkpoint, store_with_checkpoint};
use crate::support::steps::{assert_succeeds, outcome, register_all};
use crate::support::{HANDLER, Scripted, id};

/// Counts the runs of an item in its checkpoint.
async fn count(item: &ItemContext) -> SyncResult {
    let mut count = item.saved::<u32>()?;
    *count += 1;
    count.commit().await
}

/// A handler whose items count their runs.
pub(crate) fn counting_handler(items: &[&str]) -> Scripted {
    Scripted::new(items).on_item(|item| count(item).boxed())
}

fn class(report: &syncmgr::Report, item: &str) -> Option<FailureClass> {
    report.items().find(|ended| ended.item.id() == id(item)).expect("the item is in the report").class
}

#[tokio::test(start_paused = true)]
async fn the_next_session_of_any_manager_finds_a_committed_checkpoint() {
    let (store, handler) = (MemoryStore::new(), counting_handler(&["a", "b"]));
    for sessions in 1..=2 {
        let manager = with_store(&store, &handler);
        assert_succeeds(begin(&manager)).await;
        assert_succeeds(begin(&manager)).await;
        assert_eq!(saved_checkpoint(&store, "a"), Some((1, (2 * sessions).to_string())));
    }
    assert_eq!(saved_checkpoint(&store, "b"), Some((1, "4".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_manager_without_a_store_keeps_checkpoints_in_memory() {
    let seen = Transcript::new();
    let notes = seen.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let notes = notes.clone();
        async move {
            let mut count = item.saved::<u32>()?;
            notes.note(format!("{} {:?}", *count, count.origin()));
            *count += 1;
            count.commit().await?;
            assert_eq!(count.origin(), Origin::Committed);
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(SyncManager::new(), [handler]);
    for _ in 0..3 {
        assert_succeeds(begin(&manager)).await;
    }
    assert_eq!(seen.lines(), ["0 Fresh", "1 Committed", "2 Committed"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_covers_only_the_changes_before_it() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let mut count = item.saved::<u32>()?;
            *count = 1;
            drop(count.commit());
            assert!(
                item.saved::<u32>()?.origin() == Origin::Fresh,
                "a commit that was not polled saved the checkpoint"
            );
            count.commit().await?;
            *count = 2;
            Ok(())
        }
        .boxed()
    });
    assert_succeeds(begin(&with_store(&store, &handler))).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "1".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn items_that_fail_panic_or_are_dropped_keep_their_checkpoints() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["fails", "panics", "hangs"]).on_item(|item| {
        async move {
            count(item).await?;
            match item.name() {
                "fails" => bail!("the fault"),
                "panics" => panic!("the fault"),
                _ => std::future::pending().await,
            }
        }
        .boxed()
    });
    let session = begin(&with_store(&store, &handler));
    crate::support::steps::wait_until_idle().await;
    session.skip(HANDLER, id("hangs")).unwrap();
    within(session.finish()).await;
    for (item, outcome) in [("fails", Outcome::Failed), ("panics", Outcome::Failed), ("hangs", Outcome::Skipped)] {
        assert_eq!(record(&store, item).outcome, Some(outcome), "{item}");
        assert_eq!(saved_checkpoint(&store, item), Some((1, "1".to_owned())), "{item}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_skipped_item_may_commit_within_its_grace() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            item.cancelled().await;
            count(item).await?;
            Ok(item.check()?)
        }
        .boxed()
    });
    let session = begin(&with_store(&store, &handler));
    until_began(&session).await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Skipped);
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "1".to_owned())));
}

/// A handler whose item blocks until it is released, then commits and sends the result.
struct LateCommit {
    begun: Arc<Notify>,
    go: mpsc::Sender<()>,
    committed: mpsc::Receiver<Result<(), String>>,
    handler: Scripted,
}

impl LateCommit {
    fn new() -> Self {
        let (begun, (go, wait), (done, committed)) = (Arc::new(Notify::new()), mpsc::channel(), mpsc::channel());
        let (notify, wait) = (begun.clone(), Arc::new(Mutex::new(wait)));
        let handler = Scripted::new(&["a"]).on_item(move |item| {
            let (notify, wait, done) = (notify.clone(), wait.clone(), done.clone());
            item.blocking(move |item| {
                let mut count = item.saved::<u32>()?;
                *count += 1;
                notify.notify_one();
                // An error means that the test has ended.
                let _ = wait.lock().expect("no thread panics while it holds the lock").recv();
                let committed = futures::executor::block_on(count.commit());
                let _ = done.send(committed.map_err(|error| format!("{error:#}")));
                Ok(())
            })
            .boxed()
        });
        Self { begun, go, committed, handler }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_outlived_its_item_cannot_commit() {
    let (store, late) = (MemoryStore::new(), LateCommit::new());
    let session = begin(&with_store(&store, &late.handler));
    late.begun.notified().await;
    session.stop();
    let_hard_grace_pass().await;
    let report = session.report().await;
    assert_eq!(outcome(&report, id("a")), Outcome::Failed, "{report}");
    late.go.send(()).unwrap();
    let refused = late.committed.recv().unwrap();
    assert!(refused.is_err(), "the store accepted the commit");
    assert_eq!(saved_checkpoint(&store, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_refused_commit_is_a_transient_failure_and_keeps_the_old_checkpoint() {
    let (store, seen) = (RecordingStore::default(), Transcript::new());
    let (refusing, notes) = (store.clone(), seen.clone());
    let handler = counting_handler(&["a"]);
    assert_succeeds(begin(&store.manager(&handler))).await;
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, notes) = (refusing.clone(), notes.clone());
        async move {
            store.refuse(true);
            let refused = count(item).await;
            store.refuse(false);
            notes.note(refused.is_err().to_string());
            refused
        }
        .boxed()
    });
    let report = within(begin(&store.manager(&handler)).finish()).await;
    assert_eq!(class(&report, "a"), Some(FailureClass::Transient), "{report}");
    assert_eq!((seen.lines(), saved_checkpoint(&store, "a")), (vec!["true".to_owned()], Some((1, "1".to_owned()))));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_over_the_size_limit_is_a_permanent_failure() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["long", "fits"]).on_item(|item| {
        async move {
            let mut text = item.saved::<String>()?;
            // The JSON encoding adds two quotes.
            *text = "x".repeat(64 * 1024 * 1024 - if item.name() == "fits" { 2 } else { 1 });
            text.commit().await
        }
        .boxed()
    });
    let report = within(begin(&with_store(&store, &handler)).finish()).await;
    assert_eq!(class(&report, "long"), Some(FailureClass::Permanent), "{report}");
    assert_eq!(outcome(&report, id("fits")), Outcome::Succeeded, "{report}");
    assert_eq!((saved_checkpoint(&store, "long"), saved_checkpoint(&store, "fits").is_some()), (None, true));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_does_not_decode_is_unreadable_and_not_lost() {
    let store = store_with_checkpoint("a", 1, "\"a text\"").await;
    let report = within(begin(&with_store(&store, &counting_handler(&["a"]))).finish()).await;
    assert_eq!(class(&report, "a"), Some(FailureClass::UnreadableState), "{report}");
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "\"a text\"".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_same_run_finds_the_checkpoint_and_commits_again() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"])
        .on_item(|item| {
            async move {
                item.log(LogEntry::new(LogLevel::Warning, "link").with_link(LINK));
                count(item).await?;
                Err(anyhow!("the fault"))
            }
            .boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let session = begin(&with_store(&store, &handler));
    within(session.report()).await;
    within(session.show_error(HANDLER, LINK)).await.unwrap();
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "2".to_owned())));
    within(session.finish()).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_an_older_open_session_commits_and_is_recorded() {
    let (store, failing) = (MemoryStore::new(), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let switch = failing.clone();
    let handler = Scripted::new(&["a"])
        .on_item(move |item| {
            let fails = switch.load(std::sync::atomic::Ordering::Relaxed);
            async move {
                item.log(LogEntry::new(LogLevel::Warning, "link").with_link(LINK));
                count(item).await?;
                if fails { Err(anyhow!("the fault")) } else { Ok(()) }
            }
            .boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let manager = with_store(&store, &handler);
    let older = begin(&manager);
    within(older.report()).await;
    within(begin(&manager).finish()).await;
    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    within(older.show_error(HANDLER, LINK)).await.unwrap();
    let report = within(older.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
    let record = record(&store, "a");
    assert_eq!((record.outcome, record.retry), (Some(Outcome::Succeeded), None));
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "3".to_owned())));
}

/// Runs a handler with the calls of a Windows host. The store has the handler's checkpoints.
async fn adapter(store: &MemoryStore, handler: &Scripted, transcript: &Transcript) -> HandlerOnHost {
    let adapter =
        syncmgr::classic::CallbackAdapter::with_store(Arc::new(handler.clone()), None, Arc::new(store.clone()))
            .expect("inside a runtime");
    let on =
        HandlerOnHost { adapter, host: crate::support::awaitable_host::AwaitableHost::with_transcript(transcript) };
    let initialized = on.adapter.initialize(syncmgr::Trigger::Manual, syncmgr::request::RunFlags::empty(), None).await;
    assert_eq!(initialized, syncmgr::classic::HResult::S_OK);
    on.adapter.enum_sync_items().await.expect("the handler lists its items");
    on.attach();
    on.adapter.prepare_for_sync(&[id("a")]);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    on
}

#[tokio::test(start_paused = true)]
async fn a_callback_adapter_and_a_manager_alternately_commit_to_one_store() {
    let (store, handler) = (MemoryStore::new(), counting_handler(&["a"]));
    for round in 0..2 {
        for instance in 1..=2 {
            adapter(&store, &handler, &Transcript::new()).await;
            assert_eq!(saved_checkpoint(&store, "a"), Some((1, (3 * round + instance).to_string())));
        }
        assert_succeeds(begin(&with_store(&store, &handler))).await;
        assert_eq!(saved_checkpoint(&store, "a"), Some((1, (3 * round + 3).to_string())));
    }
}
