//! The stream of the events of all sessions.

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, poll};
use syncmgr::retry::StartReason;
use syncmgr::session::{ManagerEvents, RunChange};
use syncmgr::{
    HandlerId, HandlerInfo, Limits, LogEntry, LogLevel, ManagerEvent, Outcome, SessionEvent, SessionId, SyncItem,
    SyncManager, Trigger,
};
use tokio::time::sleep;

use crate::support::awaitable_host::{begin, within};
use crate::support::steps::register_all;
use crate::support::test_clock::{MINUTE, StartTimes, TestClock, builder_with_clock, fail_until};
use crate::support::{HANDLER, Scripted, id};

/// More than a stream reads together.
const MANY: usize = 300;

/// Reads the events until the stream ends.
async fn rest(events: ManagerEvents) -> Vec<ManagerEvent> {
    within(events.collect()).await
}

/// The events of each session.
fn by_session(events: Vec<ManagerEvent>) -> BTreeMap<SessionId, Vec<SessionEvent>> {
    let mut sessions = BTreeMap::<_, Vec<_>>::new();
    for ManagerEvent { session, event, .. } in events {
        sessions.entry(session).or_default().push(event);
    }
    sessions
}

fn reasons(events: &[ManagerEvent]) -> Vec<StartReason> {
    let reason = |event: &ManagerEvent| match event.event {
        SessionEvent::Started { reason, .. } => Some(reason),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

fn named(number: u128, name: &'static str) -> Scripted {
    Scripted::new(&["a", "b"]).info(|_| HandlerInfo::new(HandlerId::from_u128(number), name))
}

/// A handler of many items that log an entry each.
fn large(number: u128, name: &'static str) -> Scripted {
    let items = || Ok((0..MANY).map(|item| SyncItem::named(item.to_string())).collect());
    named(number, name).items(items).on_item(|item| {
        item.info("one line");
        async { Ok(()) }.boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn sessions_that_the_manager_starts_have_events_too() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 2));
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    let events = manager.events();
    within(begin(&manager).finish()).await;
    sleep(10 * MINUTE).await;
    within(manager.shutdown()).await;
    let events = rest(events).await;
    assert_eq!(reasons(&events), [StartReason::Requested, StartReason::Retry, StartReason::Retry]);
    let ends = events.iter().filter_map(|event| match &event.event {
        SessionEvent::Ended { name, outcome, .. } => Some((&**name, *outcome)),
        _ => None,
    });
    let failed = ("a", Outcome::Failed);
    assert_eq!(ends.collect::<Vec<_>>(), [failed, failed, ("a", Outcome::Succeeded)]);
}

#[tokio::test(start_paused = true)]
async fn a_manager_stream_that_is_read_late_equals_the_sessions_streams() {
    let manager = SyncManager::new();
    for (number, name) in [(1, "Mail"), (2, "Feed")] {
        manager.register(large(number, name)).unwrap();
    }
    let unread = manager.events();
    let sessions = [begin(&manager), begin(&manager)];
    let mut expected = BTreeMap::new();
    for session in sessions {
        let (id, events) = (session.id(), session.events());
        within(session.finish()).await;
        expected.insert(id, within(events.collect::<Vec<_>>()).await);
    }
    within(manager.shutdown()).await;
    assert_eq!(by_session(rest(unread).await), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_handler_are_in_order_across_its_sessions() {
    across_sessions(200, named).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_large_handler_are_in_order_across_its_sessions() {
    across_sessions(20, large).await;
}

async fn across_sessions(count: u64, handler: fn(u128, &'static str) -> Scripted) {
    let manager = SyncManager::new();
    let handlers = [(1, "Mail"), (2, "Feed")]
        .map(|(number, name)| manager.register(handler(number, name)).expect("the handlers are new"));
    let events = tokio::spawn(rest(manager.events()));
    let start = |number: u64| {
        manager.session(Trigger::Manual).handlers([handlers[number as usize % 2]]).start().expect("the manager is open")
    };
    let sessions: Vec<_> = (0..count).map(start).collect();
    for session in sessions {
        within(session.finish()).await;
    }
    within(manager.shutdown()).await;
    let mut last = BTreeMap::new();
    for ManagerEvent { session, event, .. } in events.await.expect("the task reads to the end") {
        if let SessionEvent::Run { handler, .. }
        | SessionEvent::Began { handler, .. }
        | SessionEvent::Ended { handler, .. } = event
        {
            let before = last.insert(handler, session).unwrap_or_default();
            assert!(before <= session, "an event of session {session} follows one of session {before}");
        }
    }
    assert_eq!(last.into_values().collect::<Vec<_>>(), [SessionId(count - 1), SessionId(count)]);
}

#[tokio::test(start_paused = true)]
async fn every_event_of_a_manager_names_its_handler_and_item() {
    let manager = SyncManager::new();
    manager
        .register(named(1, "Mail").on_item(|item| {
            item.info("half");
            async { Ok(()) }.boxed()
        }))
        .unwrap();
    let events = manager.events();
    within(begin(&manager).finish()).await;
    within(manager.shutdown()).await;
    let mut named_items = Vec::new();
    for ManagerEvent { event, .. } in rest(events).await {
        match event {
            SessionEvent::Run { handler_name, .. } => assert_eq!(&*handler_name, "Mail"),
            SessionEvent::Began { handler_name, name, .. } | SessionEvent::Ended { handler_name, name, .. } => {
                named_items.push(format!("{handler_name}/{name}"));
            }
            SessionEvent::Logged { handler_name, name, .. } => {
                named_items.push(format!("{handler_name}/{} logged", name.unwrap()));
            }
            _ => {}
        }
    }
    named_items.sort();
    let of = |name| [format!("Mail/{name}"), format!("Mail/{name}"), format!("Mail/{name} logged")];
    assert_eq!(named_items, [of("a"), of("b")].concat());
}

#[tokio::test(start_paused = true)]
async fn a_session_over_one_of_six_items_says_that_one_is_selected() {
    let manager = SyncManager::new();
    manager.register(Scripted::new(&["a", "b", "c", "d", "e", "f"])).unwrap();
    let session = manager.session(Trigger::Manual).items(HANDLER, [id("c")]).start().unwrap();
    let events = session.events();
    within(session.finish()).await;
    let changes = within(events.collect::<Vec<_>>()).await.into_iter().filter_map(|event| match event {
        SessionEvent::Run { change, .. } => Some(change),
        _ => None,
    });
    assert_eq!(changes.take(2).collect::<Vec<_>>(), [RunChange::Listed(6), RunChange::Selected(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_with_the_sessions_that_are_open() {
    let manager = SyncManager::new();
    manager.register(named(1, "Mail")).unwrap();
    within(begin(&manager).finish()).await;
    let open = begin(&manager);
    open.report().await;
    let mut events = manager.events();
    let first = within(events.next()).await.unwrap();
    assert_eq!(first.session, open.id());
    assert!(matches!(first.event, SessionEvent::Started { .. }), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_does_not_keep_its_manager_alive() {
    let manager = SyncManager::new();
    manager.register(named(1, "Mail")).unwrap();
    let mut events = manager.events();
    assert!(poll!(Box::pin(events.next())).is_pending());
    drop(manager);
    assert_eq!(within(events.next()).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_never_read_leaves_out_the_oldest_sessions() {
    let items: Vec<_> = (0..400_000).map(|number| SyncItem::named(number.to_string())).collect();
    let manager = SyncManager::new();
    manager.register(Scripted::new(&[]).items(move || Ok(items.iter().cloned().collect()))).unwrap();
    let mut events = manager.events();
    for _ in 0..3 {
        let session = manager.session(Trigger::Manual).items(HANDLER, [id("7")]).start().unwrap();
        within(session.finish()).await;
    }
    let first = within(events.next()).await.unwrap();
    assert_eq!((first.session, events.missed()), (SessionId(2), 1));
}

#[tokio::test(start_paused = true)]
async fn events_and_reports_can_be_serialized() {
    let manager = SyncManager::new();
    let handler = named(1, "Mail").info(|info| info.with_limits(Limits::DEFAULT.with_items(1)));
    manager
        .register(handler.on_item(|item| {
            item.log(LogEntry::new(LogLevel::Warning, "half"));
            async { Ok(()) }.boxed()
        }))
        .unwrap();
    let events = manager.events();
    let report = within(begin(&manager).finish()).await;
    within(manager.shutdown()).await;
    let events = rest(events).await;
    let text = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<ManagerEvent>>(&text).unwrap(), events);
    let first = serde_json::to_value(&events[0]).unwrap();
    assert_eq!(
        (&first["session"], &first["event"], &first["trigger"]),
        (&1.into(), &"started".into(), &"manual".into())
    );
    let report = serde_json::to_value(&report).unwrap();
    let item = &report["runs"][0]["items"][0];
    assert_eq!((&item["name"], &item["outcome"]), (&"a".into(), &"succeeded".into()));
    assert_eq!((&report["runs"][0]["ending"], report["duration"].is_u64()), (&"completed".into(), true));
}

#[tokio::test(start_paused = true)]
async fn a_stream_from_now_on_leaves_out_what_has_happened() {
    let manager = register_all(SyncManager::new(), [named(1, "one")]);
    let open = begin(&manager);
    within(open.report()).await;
    let running = begin(&manager);
    let events = manager.events_from_now();
    within(running.finish()).await;
    within(manager.shutdown()).await;
    let mut sessions = by_session(rest(events).await);
    assert_eq!(sessions.remove(&open.id()), Some(vec![SessionEvent::Closed]));
    let (_, running) = sessions.pop_first().expect("the session ran");
    assert!(!running.iter().any(|event| matches!(event, SessionEvent::Started { .. })), "{running:?}");
    assert_eq!(running.iter().filter(|event| matches!(event, SessionEvent::Ended { .. })).count(), 2);
}
