//! The time until the future of a cancelled item is dropped.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use syncmgr::{ItemContext, Outcome, Report, Session, SyncManager};
use syncmgr_test::Transcript;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::awaitable_host::{begin, within};
use crate::support::{HANDLER, Scripted, id, start};

/// A session whose only item, `a`, has begun.
pub(crate) struct Begun {
    pub(crate) manager: SyncManager,
    pub(crate) session: Session,
}

impl Begun {
    /// Starts a session whose item runs `item`, and waits until it begins.
    pub(crate) async fn with(
        item: impl for<'a> Fn(&'a ItemContext) -> futures::future::BoxFuture<'a, syncmgr::SyncResult>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let begun = Arc::new(Notify::new());
        let beginning = begun.clone();
        let handler = Scripted::new(&["a"]).on_item(move |context| {
            beginning.notify_one();
            item(context)
        });
        let manager = SyncManager::new();
        manager.register(handler).expect("the handler can be registered");
        let session = begin(&manager);
        within(begun.notified()).await;
        Self { manager, session }
    }

    pub(crate) async fn end(self) -> Report {
        within(self.session.finish()).await
    }
}

pub(crate) fn only_outcome(report: &Report) -> Outcome {
    report.items().next().expect("there is one item").outcome
}

/// Notes its lifetime in milliseconds on drop.
struct Alive(Instant, Transcript);

impl Alive {
    fn of(transcript: &Transcript) -> Self {
        Self(Instant::now(), transcript.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.1.note(self.0.elapsed().as_millis().to_string());
    }
}

/// Asserts that one [`Alive`] was dropped after `wanted` milliseconds. The timer may be a millisecond late.
fn assert_dropped_at(transcript: &Transcript, wanted: u64) {
    let lines = transcript.lines();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let at: u64 = line.parse().expect("the line is a number");
    assert!((wanted..=wanted + 1).contains(&at), "dropped after {at} ms instead of {wanted}");
}

#[tokio::test(start_paused = true)]
async fn an_item_without_cancellation_checks_is_dropped_after_the_soft_grace() {
    let dropped = Transcript::new();
    let notes = dropped.clone();
    let begun = Begun::with(move |_| {
        let alive = Alive::of(&notes);
        async move {
            let _alive = alive;
            std::future::pending().await
        }
        .boxed()
    })
    .await;
    begun.session.skip(HANDLER, id("a")).unwrap();
    assert_eq!(only_outcome(&begun.end().await), Outcome::Skipped);
    assert_dropped_at(&dropped, 100);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_checks_for_cancellation_ends_immediately() {
    let dropped = Transcript::new();
    let notes = dropped.clone();
    let begun = Begun::with(move |item| {
        let alive = Alive::of(&notes);
        async move {
            let _alive = alive;
            item.cancelled().await;
            Ok(item.check()?)
        }
        .boxed()
    })
    .await;
    begun.session.stop();
    assert_eq!(only_outcome(&begun.end().await), Outcome::Stopped);
    assert_dropped_at(&dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn uninterrupted_work_is_dropped_only_after_the_hard_grace() {
    let dropped = Transcript::new();
    let notes = dropped.clone();
    let begun = Begun::with(move |item| {
        let alive = Alive::of(&notes);
        async move {
            let (_alive, _uninterrupted) = (alive, item.uninterrupted());
            std::future::pending().await
        }
        .boxed()
    })
    .await;
    begun.session.skip(HANDLER, id("a")).unwrap();
    assert_eq!(only_outcome(&begun.end().await), Outcome::Skipped);
    assert_dropped_at(&dropped, 5000);
}

#[tokio::test(start_paused = true)]
async fn an_item_past_its_soft_grace_is_dropped_when_its_uninterrupted_work_ends() {
    let dropped = Transcript::new();
    let notes = dropped.clone();
    let begun = Begun::with(move |item| {
        let alive = Alive::of(&notes);
        async move {
            let _alive = alive;
            let uninterrupted = item.uninterrupted();
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(uninterrupted);
            std::future::pending().await
        }
        .boxed()
    })
    .await;
    begun.session.skip(HANDLER, id("a")).unwrap();
    assert_eq!(only_outcome(&begun.end().await), Outcome::Skipped);
    assert_dropped_at(&dropped, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_pending_methods_after_the_soft_grace() {
    let dropped = Transcript::new();
    let begun = Arc::new(Notify::new());
    let hang = |notes: Transcript, begun: Arc<Notify>| async move {
        let _alive = Alive::of(&notes);
        begun.notify_one();
        std::future::pending::<()>().await;
    };
    let (notes, beginning) = (dropped.clone(), begun.clone());
    let preparing = Scripted::new(&["a"]).on_prepare(move |_| hang(notes.clone(), beginning.clone()).map(Ok).boxed());
    let (notes, beginning) = (dropped.clone(), begun.clone());
    let initializing = Scripted::new(&["a"]).on_initialize(move |_| {
        hang(notes.clone(), beginning.clone()).map(|()| Ok(syncmgr::Participation::TakePart)).boxed()
    });
    let (notes, beginning) = (dropped.clone(), begun.clone());
    let synchronizing =
        Scripted::new(&["a"]).on_synchronize(move |_| hang(notes.clone(), beginning.clone()).map(Ok).boxed());
    for handler in [preparing, initializing, synchronizing] {
        let session = start(handler);
        within(begun.notified()).await;
        session.stop();
        let report = within(session.finish()).await;
        assert!(report.items().all(|item| item.outcome == Outcome::Stopped));
    }
    let lines = dropped.lines();
    assert!(lines.len() == 3 && lines.iter().all(|line| ["100", "101"].contains(&line.as_str())), "{lines:?}");
}
