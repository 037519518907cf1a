//! Context methods that the contract does not cover: blocking work, tasks, concurrency, tolerated failures and failure classes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use futures::FutureExt;
use syncmgr::{Classify, FailureClass, ItemContext, LogLevel, Outcome, Report, SyncResult};
use syncmgr_test::Transcript;

use crate::support::{Scripted, id, run};

fn outcome(report: &Report, name: &str) -> Outcome {
    report.runs[0].item(id(name)).expect("the item ran").outcome
}

fn class(report: &Report, name: &str) -> Option<FailureClass> {
    report.runs[0].item(id(name)).expect("the item ran").class
}

#[tokio::test(start_paused = true)]
async fn blocking_work_runs_on_another_thread_and_returns_its_result() {
    let report = run(Scripted::new(&["fine", "fails"]).on_item(|item| {
        async move {
            let runtime_thread = std::thread::current().id();
            let blocking_thread = item.blocking(|item| {
                item.progress(1, 2)?;
                ensure!(item.name() == "fine", "the disk is full");
                Ok(std::thread::current().id())
            });
            ensure!(runtime_thread != blocking_thread.await.permanent()?, "blocking work blocks the runtime");
            Ok(())
        }
        .boxed()
    }))
    .await;
    assert_eq!((outcome(&report, "fine"), outcome(&report, "fails")), (Outcome::Succeeded, Outcome::Failed));
    assert_eq!(class(&report, "fails"), Some(FailureClass::Permanent));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_blocking_work_is_a_panic_of_its_item() {
    let report = run(Scripted::new(&["a"])
        .on_item(|item| item.blocking(|item| -> SyncResult { panic!("no page for {}", item.name()) }).boxed()))
    .await;
    assert_eq!(outcome(&report, "a"), Outcome::Failed);
    assert_eq!(&*report.runs[0].log[0].text, "the handler panicked: no page for a");
    assert_eq!(report.runs[0].log[0].item, Some(id("a")));
}

#[tokio::test(start_paused = true)]
async fn a_spawned_task_runs_concurrently_and_its_result_is_awaited() {
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        async {
            let context = item.clone();
            let task = item.spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                context.progress(1, 1)?;
                Ok("done")
            });
            let before = tokio::time::Instant::now();
            ensure!(
                task.await? == "done" && before.elapsed() >= Duration::from_secs(1),
                "the item did not wait for its task"
            );
            Ok(())
        }
        .boxed()
    }))
    .await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_or_panic_of_a_detached_task_fails_its_item_and_is_logged() {
    let report = run(Scripted::new(&["fails", "panics", "fine"]).on_item(|item| {
        let name = item.name().to_owned();
        drop(item.spawn(async move {
            tokio::task::yield_now().await;
            match name.as_str() {
                "fails" => Err(anyhow!("no such page")).gone(),
                "panics" => panic!("what page"),
                _ => Ok(()),
            }
        }));
        async { Ok(()) }.boxed()
    }))
    .await;
    let outcomes: Vec<_> = report.items().map(|item| (item.outcome, item.class)).collect();
    let failed = |class| (Outcome::Failed, Some(class));
    let expected = [failed(FailureClass::Gone), failed(FailureClass::Transient), (Outcome::Succeeded, None)];
    assert_eq!(outcomes, expected);
    let logged = |name| report.runs[0].log.iter().find(|entry| entry.item == Some(id(name))).map(|entry| &*entry.text);
    assert_eq!(logged("fails"), Some("a task of the item failed: no such page"));
    assert_eq!(logged("panics"), Some("a task of the item panicked: what page"));
    assert_eq!(logged("fine"), None);
}

#[tokio::test(start_paused = true)]
async fn concurrent_work_respects_its_limit_and_order_and_may_borrow() {
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        async move {
            let (running, max) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let pages: Vec<u64> = (0..20).collect();
            let fetched = item.concurrently(3, &pages, async |page| {
                max.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                // Later pages are faster, but the results keep the order of the inputs.
                tokio::time::sleep(Duration::from_millis(100 - 5 * page)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok(*page)
            });
            ensure!(fetched.await? == pages, "the results are out of order");
            ensure!(max.load(Ordering::Relaxed) == 3, "{max:?} concurrent calls");
            Ok(())
        }
        .boxed()
    }))
    .await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_first_error_of_concurrent_work_drops_the_rest() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let report = run(Scripted::new(&["a"]).on_item(move |item| {
        let begun = count.clone();
        async move {
            let fetch = async |page| {
                begun.fetch_add(1, Ordering::Relaxed);
                if page == 1 { Err(anyhow!("page {page}")).permanent() } else { std::future::pending().await }
            };
            item.concurrently(2, 0..10, fetch).await.map(|_: Vec<()>| ())
        }
        .boxed()
    }))
    .await;
    assert_eq!(class(&report, "a"), Some(FailureClass::Permanent));
    assert_eq!(begun.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn an_item_with_a_tolerated_failure_continues_and_ends_failed() {
    let transcript = Transcript::new();
    let notes = transcript.clone();
    let handler = Scripted::new(&["mixed", "permanent", "fine"]).on_item(move |item| {
        let notes = notes.clone();
        async move {
            let broken = || Err::<u8, _>(std::io::Error::other("unreadable"));
            if item.name() != "fine" {
                ensure!(item.tolerate("read page 1", broken().permanent())?.is_none());
            }
            if item.name() == "mixed" {
                ensure!(item.tolerate("read page 2", broken())?.is_none());
            }
            ensure!(item.tolerate("read page 3", anyhow::Ok(3))? == Some(3));
            notes.note("the end of the item");
            Ok(())
        }
        .boxed()
    });
    let report = run(handler).await;
    assert_eq!(transcript.count("the end of the item"), 3);
    let outcomes: Vec<_> = report.items().map(|item| (item.outcome, item.class)).collect();
    let failed = |class| (Outcome::Failed, Some(class));
    // A transient class outweighs others, because the item is worth a retry.
    let expected = [failed(FailureClass::Transient), failed(FailureClass::Permanent), (Outcome::Succeeded, None)];
    assert_eq!(outcomes, expected);
    assert!(report.runs[0].log.iter().all(|entry| entry.level == LogLevel::Error && entry.item.is_some()));
    assert_eq!(&*report.runs[0].log[0].text, "read page 1: unreadable");
    assert_eq!(report.runs[0].log.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_class_survives_added_context_and_helper_functions() {
    fn helper(item: &ItemContext) -> anyhow::Result<()> {
        let refused = Err::<(), _>(std::io::Error::other("503"));
        match item.name() {
            "later" => refused.retry_after(Duration::from_secs(9)),
            "gone" => refused.gone().context("while fetching"),
            "unreadable" => Err(std::io::Error::other(refused.unreadable_state().unwrap_err()).into()),
            _ => Ok(refused?),
        }
    }
    let names = ["later", "gone", "unreadable", "unmarked"];
    let report = run(Scripted::new(&names).on_item(|item| async { helper(item) }.boxed())).await;
    let classes: Vec<_> = report.items().map(|item| item.class.unwrap()).collect();
    let later = FailureClass::NotBefore(syncmgr::retry::RetryAt::After(Duration::from_secs(9)));
    assert_eq!(classes, [later, FailureClass::Gone, FailureClass::UnreadableState, FailureClass::Transient]);
    assert_eq!(&*report.runs[0].log[1].text, "while fetching: 503");
}

#[tokio::test(start_paused = true)]
async fn a_failure_or_panic_of_dropped_blocking_work_fails_its_item() {
    let report = run(Scripted::new(&["fails", "panics"]).on_item(|item| {
        async {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let (release, released) = std::sync::mpsc::channel::<()>();
            let work = item.blocking(move |item| -> SyncResult {
                let _ = (begun.send(()), released.recv());
                assert!(item.name() != "panics", "what page");
                Err(anyhow!("no such page")).gone()
            });
            tokio::select! {
                biased;
                _ = work => unreachable!("the work waits to be released"),
                begins = begins => begins?,
            }
            // The work continues although its result is no longer awaited.
            Ok(release.send(())?)
        }
        .boxed()
    }))
    .await;
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed; 2]);
    let logged = |name| report.runs[0].log.iter().any(|entry| entry.item == Some(id(name)));
    assert!(logged("fails") && logged("panics"), "{report}");
}
