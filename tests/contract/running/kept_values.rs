//! Kept values and borrows of a handler: `keep` and `kept`, `each`, `instance`, `uninterrupted`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::request::RequestError;
use syncmgr::{
    FailureClass, HandlerInfo, ItemContext, Items, Limits, Outcome, SyncHandler, SyncItem, SyncManager, SyncResult,
    SynchronizeContext, Trigger,
};
use syncmgr_test::Transcript;
use tokio::sync::Notify;

use crate::support::awaitable_host::within;
use crate::support::{HANDLER, Scripted, id, run, start};

/// A logged-in connection that notes when it is closed.
struct Connection {
    number: u64,
    closed: Transcript,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closed.note(format!("connection {} closed", self.number));
    }
}

/// A handler that logs in during `prepare`. Its items note the connection they use.
fn handler_that_logs_in(notes: &Transcript) -> Scripted {
    let (closed, used, logins) = (notes.clone(), notes.clone(), AtomicU64::new(0));
    Scripted::new(&["a", "b"])
        .on_prepare(move |run| {
            let number = logins.fetch_add(1, Ordering::Relaxed);
            run.keep(Connection { number, closed: closed.clone() });
            async { Ok(()) }.boxed()
        })
        .on_item(move |item| {
            let connection = item.kept::<Connection>().expect("`prepare` kept the connection");
            used.note(format!("{} uses connection {}", item.name(), connection.number));
            async { Ok(()) }.boxed()
        })
}

#[tokio::test(start_paused = true)]
async fn items_find_a_value_kept_by_prepare_until_the_results_are_closed() {
    let notes = Transcript::new();
    let session = start(handler_that_logs_in(&notes));
    assert!(within(session.report()).await.is_success());
    assert_eq!(notes.lines(), ["a uses connection 0", "b uses connection 0"]);
    within(session.close()).await;
    assert_eq!(notes.lines()[2..], ["connection 0 closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_kept_by_one_session_is_not_found_in_another() {
    let notes = Transcript::new();
    let manager = SyncManager::new();
    manager.register(handler_that_logs_in(&notes)).unwrap();
    let first = manager.session(Trigger::Manual).start().unwrap();
    // The second session has more rights than the first, so the two do not merge.
    let second = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    within(second.report()).await;
    let used = notes.of(&["a uses"]);
    assert_eq!(used, ["a uses connection 0", "a uses connection 1"]);
    assert_eq!(notes.count("connection"), 0, "a connection was closed before its results");
    within(first.close()).await;
    assert_eq!(notes.of(&["connection"]), ["connection 0 closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_kept_value_is_a_permanent_failure_that_names_the_type() {
    let report = run(Scripted::new(&["a"]).on_item(|item| async { item.kept::<Connection>().map(drop) }.boxed())).await;
    assert_eq!(report.items().next().unwrap().class, Some(FailureClass::Permanent));
    assert!(report.runs[0].log[0].text.contains("Connection"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn work_passed_to_each_may_borrow_the_locals_of_synchronize() {
    let handler = Scripted::new(&["a", "b", "c"]).on_synchronize(|run| {
        async {
            let mut names: Vec<String> = Vec::new();
            let seen = Mutex::new(&mut names);
            let one = async |item: ItemContext| {
                tokio::time::sleep(Duration::from_millis(10)).await;
                seen.lock().unwrap().push(item.name().to_owned());
                Ok(())
            };
            run.each(|item| one(item).boxed()).await?;
            names.sort();
            anyhow::ensure!(names == ["a", "b", "c"], "{names:?}");
            Ok(())
        }
        .boxed()
    });
    let report = run(handler).await;
    assert!(report.is_success(), "{report}");
}

/// The current and the greatest number of concurrent items.
#[derive(Default)]
struct Concurrency {
    now: AtomicU64,
    max: AtomicU64,
}

impl Concurrency {
    async fn work(&self) {
        self.max.fetch_max(self.now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_method_each_respects_the_limit_and_isolates_items_like_each_item() {
    let names = ["a", "b", "c", "panics", "fails", "d"];
    let concurrency = Arc::new(Concurrency::default());
    let counted = concurrency.clone();
    let handler =
        Scripted::new(&names).info(|info| info.with_limits(Limits::DEFAULT.with_items(2))).on_synchronize(move |run| {
            let concurrency = counted.clone();
            async move {
                run.each(|item| {
                    let concurrency = &concurrency;
                    async move {
                        concurrency.work().await;
                        assert!(item.name() != "panics", "the item panics");
                        anyhow::ensure!(item.name() != "fails", "the item fails");
                        Ok(())
                    }
                })
                .await
            }
            .boxed()
        });
    let report = run(handler).await;
    assert_eq!(concurrency.max.load(Ordering::Relaxed), 2);
    for item in report.items() {
        let failed = ["panics", "fails"].contains(&item.item.name());
        assert_eq!(item.outcome, if failed { Outcome::Failed } else { Outcome::Succeeded }, "{report}");
    }
}

/// A mail account, one of several of its type.
struct Mail(&'static str);

#[async_trait]
impl SyncHandler for Mail {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HANDLER, "Mail").instance(self.0)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("inbox")].into_iter().collect())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        anyhow::ensure!(run.handler() == self.info().id());
        run.each(|_| async { Ok(()) }).await
    }
}

#[tokio::test(start_paused = true)]
async fn two_accounts_of_one_type_are_two_handlers() {
    let manager = SyncManager::new();
    let ann = manager.register(Mail("ann")).unwrap();
    let bob = manager.register(Mail("bob")).unwrap();
    assert_eq!(manager.register(Mail("ann")), Err(RequestError::AlreadyRegistered { handler: ann }));
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    assert!(report.is_success() && report.items().count() == 2, "{report}");
    assert_eq!(report.run(ann).unwrap().name, "Mail (ann)");
    assert_eq!(report.run(bob).unwrap().name, "Mail (bob)");
}

#[tokio::test(start_paused = true)]
async fn an_uninterrupted_item_is_not_dropped_and_may_finish() {
    let (begun, done) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (beginning, doing) = (begun.clone(), done.clone());
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (begun, done) = (beginning.clone(), doing.clone());
        async move {
            let _guard = item.uninterrupted();
            begun.notify_one();
            tokio::time::sleep(Duration::from_secs(4)).await;
            done.store(true, Ordering::Relaxed);
            Ok(())
        }
        .boxed()
    });
    let session = start(handler);
    within(begun.notified()).await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert!(done.load(Ordering::Relaxed));
    // The item finished within the hard grace.
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded);
}
