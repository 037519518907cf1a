//! The stream of events: complete and in order for each handler, however late it is read.

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

use crate::support::watched::{begin, until, within};
use crate::support::{HANDLER, Scripted, id, start};

/// Everything that is still to come.
async fn rest(events: Events) -> Vec<SessionEvent> {
    within(events.collect()).await
}

/// An event in a word or two. Ids are those of the items named `a` and `b`.
fn short(event: &SessionEvent) -> String {
    let name = |item| if item == id("a") { "a" } else { "b" };
    match event {
        SessionEvent::Run { change, .. } => format!("{change:?}"),
        SessionEvent::Began { name, .. } => format!("began {name}"),
        SessionEvent::Progress { item, state, .. } => format!("progress {} {}", name(*item), state.value),
        SessionEvent::Ended { item, outcome, .. } => format!("ended {} {outcome}", name(*item)),
        SessionEvent::Logged { entry, .. } => format!("logged {}", entry.text),
        SessionEvent::Rested => "rested".into(),
        other => format!("{other:?}"),
    }
}

fn all_short(events: &[SessionEvent]) -> Vec<String> {
    events.iter().map(short).collect()
}

fn link() -> ErrorId {
    ErrorId::from_key("look")
}

/// A handler that runs its items one after the other, logs in every phase and can be retried.
fn talking() -> Scripted {
    Scripted::new(&["a", "b"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_prepare(|run| {
            run.log(LogEntry::new(LogLevel::Warning, "look").with_link(link()));
            async { Ok(()) }.boxed()
        })
        .on_item(|item| {
            item.info(format!("in {}", item.name()));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("b")])) }.boxed())
}

const TALK: [&str; 12] = [
    "Listed(2)",
    "Preparing",
    "logged look",
    "Synchronizing",
    "began a",
    "logged in a",
    "ended a succeeded",
    "began b",
    "logged in b",
    "ended b succeeded",
    "Ended(Completed)",
    "rested",
];

#[tokio::test(start_paused = true)]
async fn everything_that_happens_in_a_run_is_told_in_order() {
    let session = start(talking());
    let events = session.events();
    drop(session);
    assert_eq!(all_short(&rest(events).await), TALK);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_late_still_has_everything() {
    let session = start(talking());
    let unread = session.events();
    session.report().await;
    let after_the_end = session.events();
    session.close().await;
    let after_closing = session.events();
    drop(session);
    for late in [unread, after_the_end, after_closing] {
        assert_eq!(all_short(&rest(late).await), TALK);
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_names_its_handler_and_two_streams_tell_the_same() {
    let manager = SyncManager::new();
    let ids = [1, 2].map(HandlerId::from_u128);
    for handler in ids {
        manager.register(talking().info(|info| HandlerInfo::new(handler, "Two").with_limits(info.limits()))).unwrap();
    }
    let session = begin(&manager);
    let (first, second) = (session.events(), session.events());
    drop(session);
    let (first, second) = tokio::join!(rest(first), rest(second));
    for events in [first, second] {
        for handler in ids {
            let own: Vec<_> = events.iter().filter(|event| handler_of(event) == Some(handler)).cloned().collect();
            assert_eq!(all_short(&own), TALK[..11]);
        }
        assert_eq!(events.iter().filter(|event| handler_of(event).is_none()).count(), 1);
        assert_eq!(events.last(), Some(&SessionEvent::Rested));
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
async fn thousands_of_items_each_begin_and_end_once_and_in_that_order() {
    let names = || (0..3000).map(|number| SyncItem::named(number.to_string()));
    let session = start(Scripted::new(&[]).items(move || Ok(names().collect())));
    let events = session.events();
    drop(session);
    let (mut open, mut ended) = (BTreeSet::new(), 0);
    for event in rest(events).await {
        match event {
            SessionEvent::Began { item, .. } => assert!(open.insert(item), "{item} began twice"),
            SessionEvent::Ended { item, outcome, .. } => {
                assert!(open.remove(&item), "{item} ended without having begun, or twice");
                assert_eq!(outcome, Outcome::Succeeded);
                ended += 1;
            }
            _ => {}
        }
    }
    assert_eq!((open.len(), ended), (0, 3000));
}

/// What is told until the session rests.
async fn until_rest(events: &mut Events) -> Vec<String> {
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "rested") {
        told.push(short(&within(events.next()).await.expect("the session is open")));
    }
    told
}

const RETRY: [&str; 8] =
    ["Preparing", "logged look", "Synchronizing", "began b", "logged in b", "ended b succeeded", TALK[10], "rested"];

#[tokio::test(start_paused = true)]
async fn a_retry_is_told_after_the_first_attempt() {
    let session = start(talking());
    session.report().await;
    within(session.show_error(HANDLER, link())).await.unwrap();
    let events = session.events();
    drop(session);
    assert_eq!(all_short(&rest(events).await), [&TALK[..11], &RETRY[..]].concat());
}

#[tokio::test(start_paused = true)]
async fn a_session_rests_again_after_a_retry() {
    let session = start(talking());
    let mut events = session.events();
    assert_eq!(until_rest(&mut events).await, TALK);
    within(session.show_error(HANDLER, link())).await.unwrap();
    assert_eq!(until_rest(&mut events).await, RETRY);
    assert!(poll!(Box::pin(events.next())).is_pending());
}

#[tokio::test(start_paused = true)]
async fn progress_is_sampled_the_last_report_is_seen_and_those_before_it_are_not() {
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
    assert_eq!(all_short(&rest), ["ended a succeeded", "Ended(Completed)", "rested"]);
}

#[tokio::test(start_paused = true)]
async fn runs_that_do_not_get_far_are_told_too() {
    let declining = Scripted::new(&["a"]).on_initialize(|_| async { Ok(Participation::Decline) }.boxed());
    let failing = Scripted::new(&["a"]).items(|| anyhow::bail!("no disk"));
    let ended = |ending| format!("{:?}", RunChange::Ended(ending));
    let session = start(declining);
    let events = session.events();
    drop(session);
    assert_eq!(all_short(&rest(events).await), [ended(RunEnding::Declined), "rested".into()]);
    let session = start(failing);
    let events = session.events();
    drop(session);
    let not_begun = ended(RunEnding::NotBegun(RunFault::Failed));
    assert_eq!(
        all_short(&rest(events).await),
        ["logged could not list its items: no disk".into(), not_begun, "rested".into()]
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_skipped_before_it_begins_is_told_by_its_end_alone() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a", "b"]).on_prepare(move |_| waiting.clone().notified_owned().map(Ok).boxed());
    let session = start(handler);
    let mut events = session.events();
    until(&mut events, |event| short(event) == "Preparing").await;
    session.skip(HANDLER, id("a")).unwrap();
    go.notify_one();
    drop(session);
    let told = all_short(&rest(events).await);
    let wanted = ["ended a skipped", "Synchronizing", "began b", "ended b succeeded", TALK[10], "rested"];
    assert_eq!(told, wanted);
}
