//! Minimal cases of the bugs that the property test has found. The comments describe the bugs.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::{
    HandlerId, HandlerInfo, Limits, LogEntry, LogLevel, Participation, Progress, RunContext, SyncManager, Trigger,
    async_trait,
};

use crate::support::awaitable_host::{HandlerOnHost, begin, within};
use crate::support::{HANDLER, Scripted, handlers_of, id};

/// A handler with these limits whose item `a` never ends by itself.
fn endless_handler(limits: impl FnOnce(Limits) -> Limits) -> Scripted {
    let limits = limits(Limits::default());
    Scripted::new(&["a"]).info(|info| info.with_limits(limits)).on_item(|_| std::future::pending().boxed())
}

fn manager_of(handler: Scripted) -> SyncManager {
    let manager = SyncManager::new();
    manager.register(handler).expect("the handler can be registered");
    manager
}

async fn a_while() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// The watchdog evicted the item at the moment at which its worker would have abandoned it. The worker then polled once more
/// and replaced the waker that should lift the quarantine with its own waker.
#[tokio::test(start_paused = true)]
async fn a_quarantine_ends_when_the_worker_of_an_evicted_item_returns() {
    let soon = Duration::from_secs(1);
    let none = Duration::ZERO;
    let manager =
        manager_of(endless_handler(|limits| limits.with_soft_grace(none).with_hard_grace(none).with_stall_after(soon)));
    within(begin(&manager).finish()).await;
    a_while().await;
    assert_eq!(manager.held(), []);
    assert!(handlers_of(&within(manager.shutdown()).await).is_empty());
}

/// `SessionShared::stop` kept the first reason, so a session that was already stopped did not see the shutdown, and
/// `Run::open_error` ignored the stop of the run.
#[tokio::test(start_paused = true)]
async fn a_shutdown_stops_an_entry_opened_in_a_stopped_session() {
    let error = ErrorId::from_key("link");
    let handler = endless_handler(|limits| limits)
        .on_prepare(move |run| {
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let transcript = handler.transcript.clone();
    let manager = manager_of(handler);
    let session = begin(&manager);
    a_while().await;
    session.stop();
    let opener = session.clone();
    let opened = tokio::spawn(async move { opener.show_error(HANDLER, error).await });
    tokio::task::yield_now().await;
    assert!(handlers_of(&within(manager.shutdown()).await).is_empty());
    _ = within(opened).await;
    assert_eq!(transcript.count("item a"), 1);
}

/// `AdapterInstance::detach` stopped and closed only the latest attempt; the contexts of `initialize` and of earlier passes
/// stayed open.
#[tokio::test(start_paused = true)]
async fn the_context_of_initialize_is_closed_when_a_foreign_host_detaches() {
    let saved = Arc::new(OnceLock::<RunContext>::new());
    let save = saved.clone();
    let handler = Scripted::new(&["a"]).on_initialize(move |run| {
        let _ = save.set(run.clone());
        async { Ok(Participation::TakePart) }.boxed()
    });
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.set_progress_callback(None);
    let context = saved.get().expect("`initialize` ran");
    assert!(context.check().is_err());
    within(context.cancelled()).await;
}

/// The watchdog cancelled the item, which had no worker to end it, and did not check the run while a manually begun item was
/// active.
#[tokio::test(start_paused = true)]
async fn a_handler_that_begins_an_item_manually_and_goes_silent_is_stalled() {
    let handler = Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            run.report(id("a"), Progress::new().with_value(1))?;
            std::future::pending().await
        }
        .boxed()
    });
    let session = begin(&manager_of(handler));
    let report = tokio::time::timeout(Duration::from_secs(24 * 60 * 60), session.finish()).await;
    assert!(report.is_ok_and(|report| !report.is_success()));
}

/// A chooser that chooses every item.
struct Everything;

#[async_trait]
impl Chooser for Everything {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        Some(offers.iter().map(|offer| (offer.handler, offer.items.iter().map(|item| item.item).collect())).collect())
    }
}

/// The urgent session overtook the less urgent session in the queue of one handler while the less urgent session already had
/// the second handler. Each session delayed its choice until the handler of the other session made its offer.
#[tokio::test(start_paused = true)]
async fn a_more_urgent_session_with_a_chooser_causes_no_deadlock() {
    let manager = SyncManager::builder().chooser(Everything).build();
    manager.register(Scripted::new(&["a"])).expect("the handler can be registered");
    let other = HandlerId::from_u128(0x07E4);
    let busy = Scripted::new(&["b"]).info(|_| HandlerInfo::new(other, "Busy"));
    let busy = busy.on_item(|_| tokio::time::sleep(Duration::from_secs(5)).map(Ok).boxed());
    manager.register(busy).expect("the handler can be registered");
    let over_one = manager.session(Trigger::Manual).handlers([other]).start().expect("inside a runtime");
    let calm = manager.session(Trigger::Scheduled).may_bother_user().start().expect("inside a runtime");
    let urgent = manager.session(Trigger::Manual).may_bother_user().start().expect("inside a runtime");
    let all = async { tokio::join!(over_one.finish(), calm.finish(), urgent.finish()) };
    assert!(tokio::time::timeout(Duration::from_secs(24 * 60 * 60), all).await.is_ok(), "{:?}", manager.held());
}
