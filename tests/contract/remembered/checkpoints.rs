//! What items save: found again, kept over failures, refused when it comes too late.

use std::sync::{Arc, Mutex, mpsc};

use futures::FutureExt;
use syncmgr::anyhow::{anyhow, bail};
use syncmgr::context::Origin;
use syncmgr::handler::Resolution;
use syncmgr::store::MemoryStore;
use syncmgr::{FailureClass, ItemContext, LogEntry, LogLevel, Outcome, SyncManager, SyncResult};
use syncmgr_test::Transcript;
use tokio::sync::Notify;

use crate::remembered::settings::{LINK, over};
use crate::sharing::quarantine::outlive_its_grace;
use crate::support::steps::{outcome, registered, succeeds};
use crate::support::watched::{OnHost, begin, until_began, within};
use crate::support::witness::{Witness, keeping, record, saved};
use crate::support::{HANDLER, Scripted, id};

/// Counts in its checkpoint how often it ran.
async fn count(item: &ItemContext) -> SyncResult {
    let mut count = item.saved::<u32>()?;
    *count += 1;
    count.commit().await
}

/// Each of its items counts how often it ran.
pub(crate) fn counting(items: &[&str]) -> Scripted {
    Scripted::new(items).on_item(|item| count(item).boxed())
}

fn class(report: &syncmgr::Report, item: &str) -> Option<FailureClass> {
    report.items().find(|ended| ended.item.id() == id(item)).expect("it is in the report").class
}

#[tokio::test(start_paused = true)]
async fn what_a_session_commits_is_found_by_the_next_in_this_manager_and_in_another() {
    let (store, handler) = (MemoryStore::new(), counting(&["a", "b"]));
    for sessions in 1..=2 {
        let manager = over(&store, &handler);
        succeeds(begin(&manager)).await;
        succeeds(begin(&manager)).await;
        assert_eq!(saved(&store, "a"), Some((1, (2 * sessions).to_string())));
    }
    assert_eq!(saved(&store, "b"), Some((1, "4".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_manager_without_a_store_keeps_checkpoints_as_long_as_it_lives() {
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
    let manager = registered(SyncManager::new(), [handler]);
    for _ in 0..3 {
        succeeds(begin(&manager)).await;
    }
    assert_eq!(seen.lines(), ["0 Fresh", "1 Committed", "2 Committed"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_covers_what_was_done_before_it_and_nothing_after() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let mut count = item.saved::<u32>()?;
            *count = 1;
            drop(count.commit());
            assert!(item.saved::<u32>()?.origin() == Origin::Fresh, "a commit nobody polls saves nothing");
            count.commit().await?;
            *count = 2;
            Ok(())
        }
        .boxed()
    });
    succeeds(begin(&over(&store, &handler))).await;
    assert_eq!(saved(&store, "a"), Some((1, "1".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn items_that_fail_panic_or_are_dropped_keep_what_they_committed() {
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
    let session = begin(&over(&store, &handler));
    crate::support::steps::idle().await;
    session.skip(HANDLER, id("hangs")).unwrap();
    within(session.finish()).await;
    for (item, outcome) in [("fails", Outcome::Failed), ("panics", Outcome::Failed), ("hangs", Outcome::Skipped)] {
        assert_eq!(record(&store, item).outcome, Some(outcome), "{item}");
        assert_eq!(saved(&store, item), Some((1, "1".to_owned())), "{item}");
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
    let session = begin(&over(&store, &handler));
    until_began(&session).await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Skipped);
    assert_eq!(saved(&store, "a"), Some((1, "1".to_owned())));
}

/// Blocks until it is let go, then commits and tells how that went.
struct Late {
    begun: Arc<Notify>,
    go: mpsc::Sender<()>,
    committed: mpsc::Receiver<Result<(), String>>,
    handler: Scripted,
}

impl Late {
    fn new() -> Self {
        let (begun, (go, wait), (done, committed)) = (Arc::new(Notify::new()), mpsc::channel(), mpsc::channel());
        let (notify, wait) = (begun.clone(), Arc::new(Mutex::new(wait)));
        let handler = Scripted::new(&["a"]).on_item(move |item| {
            let (notify, wait, done) = (notify.clone(), wait.clone(), done.clone());
            item.blocking(move |item| {
                let mut count = item.saved::<u32>()?;
                *count += 1;
                notify.notify_one();
                // An error means that the test is over.
                let _ = wait.lock().expect("nobody panics with it").recv();
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
async fn a_thread_that_outlived_its_item_cannot_commit_any_more() {
    let (store, late) = (MemoryStore::new(), Late::new());
    let session = begin(&over(&store, &late.handler));
    late.begun.notified().await;
    session.stop();
    outlive_its_grace().await;
    let report = session.report().await;
    assert_eq!(outcome(&report, id("a")), Outcome::Failed, "{report}");
    late.go.send(()).unwrap();
    let refused = late.committed.recv().unwrap();
    assert!(refused.is_err(), "it was taken");
    assert_eq!(saved(&store, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_commit_the_store_refuses_is_a_transient_failure_and_what_was_there_stays() {
    let (store, seen) = (Witness::default(), Transcript::new());
    let (refusing, notes) = (store.clone(), seen.clone());
    let handler = counting(&["a"]);
    succeeds(begin(&store.manager(&handler))).await;
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
    assert_eq!((seen.lines(), saved(&store, "a")), (vec!["true".to_owned()], Some((1, "1".to_owned()))));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_too_long_fails_for_good_and_one_that_just_fits_is_taken() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["long", "fits"]).on_item(|item| {
        async move {
            let mut text = item.saved::<String>()?;
            // Two quotes make it JSON.
            *text = "x".repeat(1024 * 1024 - if item.name() == "fits" { 2 } else { 1 });
            text.commit().await
        }
        .boxed()
    });
    let report = within(begin(&over(&store, &handler)).finish()).await;
    assert_eq!(class(&report, "long"), Some(FailureClass::Permanent), "{report}");
    assert_eq!(outcome(&report, id("fits")), Outcome::Succeeded, "{report}");
    assert_eq!((saved(&store, "long"), saved(&store, "fits").is_some()), (None, true));
}

#[tokio::test(start_paused = true)]
async fn what_no_longer_decodes_is_unreadable_and_nothing_of_it_is_lost() {
    let store = keeping("a", 1, "\"a text\"").await;
    let report = within(begin(&over(&store, &counting(&["a"]))).finish()).await;
    assert_eq!(class(&report, "a"), Some(FailureClass::UnreadableState), "{report}");
    assert_eq!(saved(&store, "a"), Some((1, "\"a text\"".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_same_run_finds_what_was_committed_before_and_commits_again() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"])
        .on_item(|item| {
            async move {
                item.log(LogEntry::new(LogLevel::Warning, "look").with_link(LINK));
                count(item).await?;
                Err(anyhow!("the fault"))
            }
            .boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let session = begin(&over(&store, &handler));
    within(session.report()).await;
    within(session.show_error(HANDLER, LINK)).await.unwrap();
    assert_eq!(saved(&store, "a"), Some((1, "2".to_owned())));
    within(session.finish()).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_an_older_session_that_is_still_open_commits_and_is_recorded_too() {
    let (store, open) = (MemoryStore::new(), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let failing = open.clone();
    let handler = Scripted::new(&["a"])
        .on_item(move |item| {
            let fails = failing.load(std::sync::atomic::Ordering::Relaxed);
            async move {
                item.log(LogEntry::new(LogLevel::Warning, "look").with_link(LINK));
                count(item).await?;
                if fails { Err(anyhow!("the fault")) } else { Ok(()) }
            }
            .boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let manager = over(&store, &handler);
    let older = begin(&manager);
    within(older.report()).await;
    within(begin(&manager).finish()).await;
    open.store(false, std::sync::atomic::Ordering::Relaxed);
    within(older.show_error(HANDLER, LINK)).await.unwrap();
    let report = within(older.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
    let record = record(&store, "a");
    assert_eq!((record.outcome, record.retry), (Some(Outcome::Succeeded), None));
    assert_eq!(saved(&store, "a"), Some((1, "3".to_owned())));
}

/// What an old-style host does for a handler whose checkpoints are kept in a store.
async fn driven(store: &MemoryStore, handler: &Scripted, transcript: &Transcript) -> OnHost {
    let driven = syncmgr::classic::Driven::with_store(Arc::new(handler.clone()), None, Arc::new(store.clone()))
        .expect("nothing is wrong here");
    let on = OnHost { driven, host: crate::support::watched::Watched::with_transcript(transcript) };
    let initialized = on.driven.initialize(syncmgr::Trigger::Manual, syncmgr::request::RunFlags::empty(), None).await;
    assert_eq!(initialized, syncmgr::classic::HResult::S_OK);
    on.driven.enum_sync_items().await.expect("nothing is wrong here");
    on.attach();
    on.driven.prepare_for_sync(&[id("a")]);
    on.host.saw("PrepareForSyncCompleted S_OK").await;
    on.driven.synchronize();
    on.host.saw("SynchronizeCompleted S_OK").await;
    on
}

#[tokio::test(start_paused = true)]
async fn a_driven_handler_commits_to_its_store_and_takes_turns_with_a_manager() {
    let (store, handler) = (MemoryStore::new(), counting(&["a"]));
    for round in 0..2 {
        for instance in 1..=2 {
            driven(&store, &handler, &Transcript::new()).await;
            assert_eq!(saved(&store, "a"), Some((1, (3 * round + instance).to_string())));
        }
        succeeds(begin(&over(&store, &handler))).await;
        assert_eq!(saved(&store, "a"), Some((1, (3 * round + 3).to_string())));
    }
}
