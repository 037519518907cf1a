//! The stream of events: complete and in order for each handler, even if it is read late.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{FutureExt, StreamExt, poll};
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::session::{Events, RunChange, RunFault};
use syncmgr::{
    HandlerId, HandlerInfo, Limits, LogEntry, LogLevel, Outcome, Participation, Progress, RunEnding, SessionEvent,
    SyncItem, SyncManager,
};
use tokio::sync::Notify;

use crate::support::awaitable_host::{begin, until, within};
use crate::support::{HANDLER, Scripted, id, start};

/// Reads the remaining events.
async fn rest(events: Events) -> Vec<SessionEvent> {
    within(events.collect()).await
}

/// Formats an event as a short text. The items are `a` and `b`.
fn short_text(event: &SessionEvent) -> String {
    let name = |item| if item == id("a") { "a" } else { "b" };
    match event {
        SessionEvent::Started { .. } => "started".into(),
        SessionEvent::Closed => "closed".into(),
        SessionEvent::Run { change, .. } => format!("{change:?}"),
        SessionEvent::Began { name, .. } => format!("began {name}"),
        SessionEvent::Progress { item, state, .. } => format!("progress {} {}", name(*item), state.value),
        SessionEvent::Ended { item, outcome, .. } => format!("ended {} {outcome}", name(*item)),
        SessionEvent::Logged { entry, .. } => format!("logged {}", entry.text),
        SessionEvent::Idle => "idle".into(),
        other => format!("{other:?}"),
    }
}

fn short_texts(events: &[SessionEvent]) -> Vec<String> {
    events.iter().map(short_text).collect()
}

fn link() -> ErrorId {
    ErrorId::from_key("link")
}

/// A handler that runs its items sequentially, logs in every phase and can be retried.
fn logging_handler() -> Scripted {
    Scripted::new(&["a", "b"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_prepare(|run| {
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(link()));
            async { Ok(()) }.boxed()
        })
        .on_item(|item| {
            item.info(format!("in {}", item.name()));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("b")])) }.boxed())
}

/// The events of a run of [`logging_handler`], from the start of its session until the session is idle.
const FULL_RUN: [&str; 14] = [
    "started",
    "Listed(2)",
    "Selected(2)",
    "Preparing",
    "logged link",
    "Synchronizing",
    "began a",
    "logged in a",
    "ended a succeeded",
    "began b",
    "logged in b",
    "ended b succeeded",
    "Ended(Completed)",
    "idle",
];

#[tokio::test(start_paused = true)]
async fn all_events_of_a_run_arrive_in_order() {
    let session = start(logging_handler());
    let events = session.events();
    drop(session);
    assert_eq!(short_texts(&rest(events).await), [&FULL_RUN[..], &["closed"]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_late_has_all_events() {
    let session = start(logging_handler());
    let unread = session.events();
    session.report().await;
    let after_the_end = session.events();
    session.close().await;
    let after_closing = session.events();
    drop(session);
    for late in [unread, after_the_end, after_closing] {
        assert_eq!(short_texts(&rest(late).await), [&FULL_RUN[..], &["closed"]].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_names_its_handler_and_two_streams_are_equal() {
    let manager = SyncManager::new();
    let ids = [1, 2].map(HandlerId::from_u128);
    for handler in ids {
        manager
            .register(logging_handler().info(|info| HandlerInfo::new(handler, "Two").with_limits(info.limits())))
            .unwrap();
    }
    let session = begin(&manager);
    let (first, second) = (session.events(), session.events());
    drop(session);
    let (first, second) = tokio::join!(rest(first), rest(second));
    for events in [first, second] {
        for handler in ids {
            let own: Vec<_> = events.iter().filter(|event| handler_of(event) == Some(handler)).cloned().collect();
            assert_eq!(short_texts(&own), FULL_RUN[1..13]);
        }
        let of_session: Vec<_> = events.iter().filter(|event| handler_of(event).is_none()).map(short_text).collect();
        assert_eq!(of_session, ["started", "idle", "closed"]);
    }
}

fn handler_of(event: &SessionEvent) -> Option<HandlerId> {
    match event {
        SessionEvent::Run { handler, .. }
        | SessionEvent::Began { handler, .. }
        | SessionEvent::Progress { handler, .. }
        | SessionEvent::Ended { handler, .. }
        | SessionEvent::Logged { handler, .. } => Some(*handler),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_items_each_begin_and_end_once_in_that_order() {
    let names = || (0..3000).map(|number| SyncItem::named(number.to_string()));
    let session = start(Scripted::new(&[]).items(move || Ok(names().collect())));
    let events = session.events();
    drop(session);
    let (mut open, mut ended) = (BTreeSet::new(), 0);
    for event in rest(events).await {
        match event {
            SessionEvent::Began { item, .. } => assert!(open.insert(item), "{item} began twice"),
            SessionEvent::Ended { item, outcome, .. } => {
                assert!(open.remove(&item), "{item} ended twice or without having begun");
                assert_eq!(outcome, Outcome::Succeeded);
                ended += 1;
            }
            _ => {}
        }
    }
    assert_eq!((open.len(), ended), (0, 3000));
}

/// Reads the events until the session is idle.
async fn until_idle(events: &mut Events) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|last| last != "idle") {
        texts.push(short_text(&within(events.next()).await.expect("the session is open")));
    }
    texts
}

const RETRY: [&str; 9] = [
    "Selected(1)",
    "Preparing",
    "logged link",
    "Synchronizing",
    "began b",
    "logged in b",
    "ended b succeeded",
    FULL_RUN[12],
    "idle",
];

#[tokio::test(start_paused = true)]
async fn events_of_a_retry_follow_those_of_the_first_attempt() {
    let session = start(logging_handler());
    session.report().await;
    within(session.show_error(HANDLER, link())).await.unwrap();
    let events = session.events();
    drop(session);
    assert_eq!(short_texts(&rest(events).await), [&FULL_RUN[..13], &RETRY[..], &["closed"]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_session_is_idle_again_after_a_retry() {
    let session = start(logging_handler());
    let mut events = session.events();
    assert_eq!(until_idle(&mut events).await, FULL_RUN);
    within(session.show_error(HANDLER, link())).await.unwrap();
    assert_eq!(until_idle(&mut events).await, RETRY);
    assert!(poll!(Box::pin(events.next())).is_pending());
}

#[tokio::test(start_paused = true)]
async fn progress_events_are_sampled_and_carry_the_last_report() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let go = waiting.clone();
        async move {
            for done in 0..=9 {
                item.progress(done, 10)?;
            }
            item.report(Progress::new().with_text("nearly"))?;
            go.notified().await;
            Ok(())
        }
        .boxed()
    });
    let session = start(handler);
    let mut events = session.events();
    let event = until(&mut events, |event| matches!(event, SessionEvent::Progress { .. })).await;
    let SessionEvent::Progress { state, .. } = event else { panic!("{event:?}") };
    assert_eq!((state.value, state.max, state.text.as_deref()), (9, 10, Some("nearly")));
    go.notify_one();
    drop(session);
    let rest = rest(events).await;
    assert_eq!(short_texts(&rest), ["ended a succeeded", "Ended(Completed)", "idle", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn runs_that_decline_or_fail_to_list_their_items_have_events() {
    let declining = Scripted::new(&["a"]).on_initialize(|_| async { Ok(Participation::Decline) }.boxed());
    let failing = Scripted::new(&["a"]).items(|| anyhow::bail!("no disk"));
    let ended = |ending| format!("{:?}", RunChange::Ended(ending));
    let session = start(declining);
    let events = session.events();
    drop(session);
    assert_eq!(
        short_texts(&rest(events).await),
        ["started".into(), ended(RunEnding::Declined), "idle".into(), "closed".into()]
    );
    let session = start(failing);
    let events = session.events();
    drop(session);
    let not_begun = ended(RunEnding::NotBegun(RunFault::Failed));
    assert_eq!(
        short_texts(&rest(events).await),
        [
            "started".into(),
            "logged could not list its items: no disk".into(),
            not_begun,
            "idle".into(),
            "closed".into()
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_skipped_before_it_begins_has_only_an_end_event() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a", "b"]).on_prepare(move |_| waiting.clone().notified_owned().map(Ok).boxed());
    let session = start(handler);
    let mut events = session.events();
    until(&mut events, |event| short_text(event) == "Preparing").await;
    session.skip(HANDLER, id("a")).unwrap();
    go.notify_one();
    drop(session);
    let texts = short_texts(&rest(events).await);
    let expected = ["ended a skipped", "Synchronizing", "began b", "ended b succeeded", FULL_RUN[12], "idle", "closed"];
    assert_eq!(texts, expected);
}
