//! Invalid ids, names and texts: each causes a typed error or a log entry, and does not affect the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::log::Action;
use syncmgr::request::{Invocation, InvokeFlags, RegisterFlags, RequestError};
use syncmgr::{
    HandlerId, HandlerInfo, ItemId, Items, Limits, LogEntry, LogLevel, Progress, Report, Session, SessionError,
    StartError, SyncItem, SyncManager, Trigger, text,
};

use crate::support::awaitable_host::{CLASSIC, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run, start};

const UNKNOWN: ItemId = ItemId::from_u128(0xBAD);

fn warnings(report: &Report) -> Vec<(Option<ItemId>, &str)> {
    let entries = ran(report, HANDLER).log.iter();
    let warnings = entries.filter(|entry| entry.level == LogLevel::Warning);
    warnings.map(|entry| (entry.item, &*entry.text)).collect()
}

fn manager_of(handler: Scripted) -> SyncManager {
    let manager = SyncManager::new();
    manager.register(handler).expect("the handler can be registered");
    manager
}

#[tokio::test(start_paused = true)]
async fn items_with_a_nil_or_duplicate_id_are_logged_and_the_others_run() {
    let listing = || -> Items {
        let nil = SyncItem::new(ItemId::from_u128(0), "nil");
        [SyncItem::named("a"), nil, SyncItem::new(id("a"), "again"), SyncItem::named("b")].into_iter().collect()
    };
    let handler = Scripted::new(&[]).items(move || Ok(listing()));
    let report = run(handler.clone()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare a b"]);
    let [nil, duplicate] = warnings(&report).try_into().unwrap();
    assert!(nil.1.contains("`nil`") && nil.1.contains("nil id"), "{report}");
    assert!(duplicate.0 == Some(id("a")) && duplicate.1.contains("`again`"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_of_only_invalid_items_leaves_nothing_to_do() {
    let report =
        run(Scripted::new(&[]).items(|| Ok([SyncItem::new(ItemId::from_u128(0), "nil")].into_iter().collect()))).await;
    assert_eq!(report.items().count(), 0);
    assert_eq!(warnings(&report).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn skipping_or_stopping_an_unknown_target_is_a_typed_error() {
    let session = start(Scripted::new(&["a"]));
    let handler = HandlerId::from_u128(0xBAD);
    within(session.report()).await;
    assert_eq!(session.skip(HANDLER, UNKNOWN), Err(SessionError::UnknownItem { handler: HANDLER, item: UNKNOWN }));
    assert_eq!(session.skip(handler, id("a")), Err(SessionError::UnknownHandler { handler }));
    assert_eq!(session.stop_handler(handler), Err(SessionError::UnknownHandler { handler }));
    let error = syncmgr::log::ErrorId::from_key("x");
    assert_eq!(session.show_error(handler, error).await, Err(SessionError::UnknownHandler { handler }));
    assert_eq!(session.answer(handler, error, 0).await, Err(SessionError::UnknownHandler { handler }));
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_item_in_a_request_is_reported_and_the_known_ones_run() {
    let request = manager_of(Scripted::new(&["a"])).session(Trigger::Manual).items(HANDLER, [UNKNOWN, id("a")]);
    let report = within(request.start().unwrap().finish()).await;
    assert_eq!(report.items().count(), 1);
    let [(_, text)] = warnings(&report).try_into().unwrap();
    assert!(text.contains(&UNKNOWN.to_string()), "{report}");
}

/// A chooser that chooses all offered items and an item that was not offered.
struct Inventing;

#[async_trait]
impl Chooser for Inventing {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        let offered = |offer: &Offer| offer.items.iter().map(|item| item.item).chain([UNKNOWN]).collect();
        let mut chosen: Chosen = offers.iter().map(|offer| (offer.handler, offered(offer))).collect();
        chosen.insert(HandlerId::from_u128(0xBAD), BTreeSet::from([UNKNOWN]));
        Some(chosen)
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_item_in_a_choice_is_reported_and_the_known_ones_run() {
    let manager = SyncManager::builder().chooser(Inventing).build();
    manager.register(Scripted::new(&["a", "b"])).unwrap();
    let report = within(manager.update_all().unwrap().finish()).await;
    assert_eq!(report.items().count(), 2);
    let [(_, text)] = warnings(&report).try_into().unwrap();
    assert!(text.contains(&UNKNOWN.to_string()), "{report}");
}

/// A chooser that panics.
struct Panicking;

#[async_trait]
impl Chooser for Panicking {
    async fn choose(&self, _: &[Offer]) -> Option<Chosen> {
        panic!("cannot choose")
    }
}

#[tokio::test(start_paused = true)]
async fn a_chooser_that_panics_chooses_nothing() {
    let manager = SyncManager::builder().chooser(Panicking).build();
    manager.register(Scripted::new(&["a"])).unwrap();
    let report = within(manager.update_all().unwrap().finish()).await;
    assert_eq!(report.items().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn registering_an_invalid_handler_is_a_typed_error_and_stores_nothing() {
    let manager = SyncManager::new();
    let with = |info: HandlerInfo| Scripted::new(&["a"]).info(|_| info);
    let nil = with(HandlerInfo::new(HandlerId::from_u128(0), "Nil"));
    assert_eq!(manager.register(nil), Err(RequestError::NilHandler));
    let idle = with(HandlerInfo::new(HANDLER, "Idle").with_limits(Limits::DEFAULT.with_items(0)));
    assert_eq!(manager.register(idle), Err(RequestError::NoItemsAllowed { handler: HANDLER }));
    let flagged = manager.register_for(Arc::new(Scripted::new(&["a"])), RegisterFlags::from_bits_retain(8));
    assert_eq!(flagged, Err(RequestError::UnknownFlags { bits: 8 }));
    assert_eq!((manager.handlers(), manager.registration(HANDLER)), (vec![], None));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_request_starts_nothing() {
    let handler = Scripted::new(&["a"]);
    let manager = manager_of(handler.clone());
    let refused = |started: Result<Session, StartError>| started.expect_err("the request was accepted");
    let unknown = StartError::Refused(RequestError::NotRegistered { handler: CLASSIC });
    assert_eq!(refused(manager.session(Trigger::Manual).handlers([HANDLER, CLASSIC]).start()), unknown);
    assert_eq!(refused(manager.session(Trigger::Manual).items(CLASSIC, [id("a")]).start()), unknown);
    let invoke =
        |handler, flags, cookie| manager.invoke(Invocation::new(handler).with_flags(flags).with_cookie(cookie));
    assert_eq!(refused(invoke(CLASSIC, InvokeFlags::START_SYNC, None)), unknown);
    let flags = InvokeFlags::from_bits_retain(1);
    assert_eq!(refused(invoke(HANDLER, flags, None)), RequestError::UnknownFlags { bits: 1 }.into());
    let cookie: Arc<[u8]> = vec![0; text::MAX_COOKIE + 1].into();
    let too_long = RequestError::CookieTooLong { length: cookie.len() };
    assert_eq!(refused(invoke(HANDLER, InvokeFlags::START_SYNC, Some(cookie))), too_long.into());
    tokio::task::yield_now().await;
    assert!(handler.transcript.lines().is_empty());
}

#[test]
fn a_session_outside_a_runtime_is_a_typed_error() {
    let started = manager_of(Scripted::new(&["a"])).update_all();
    assert_eq!(started.unwrap_err(), StartError::NoRuntime);
}

#[tokio::test(start_paused = true)]
async fn an_enormous_item_name_is_truncated_and_reported() {
    let name = "ü".repeat(5_000_000);
    let long = name.clone();
    let report =
        run(Scripted::new(&[]).items(move || Ok([SyncItem::named(long.as_str())].into_iter().collect()))).await;
    assert!(report.is_success());
    let item = report.items().next().unwrap().item;
    assert!(item.name().len() <= text::MAX_NAME && item.name().starts_with("ü"));
    assert_eq!(item.id(), ItemId::from_name(&name));
    assert_eq!(warnings(&report)[0].0, Some(item.id()));
}

#[tokio::test(start_paused = true)]
async fn an_enormous_handler_name_is_truncated() {
    let info = HandlerInfo::new(HANDLER, "").with_name("n".repeat(5_000_000));
    let report = run(Scripted::new(&["a"]).info(|_| info)).await;
    assert!(report.runs[0].name.len() <= text::MAX_NAME, "{} bytes", report.runs[0].name.len());
}

#[tokio::test(start_paused = true)]
async fn an_enormous_text_is_truncated_in_every_kind_of_log_entry() {
    let report = run(Scripted::new(&["logs", "fails", "panics", "tolerates"]).on_item(|item| {
        async {
            let long = "x".repeat(5_000_000);
            match item.name() {
                "logs" => item.warn(&long),
                "fails" => anyhow::bail!(long),
                "panics" => std::panic::panic_any(long),
                _ => drop(item.tolerate(&long, Err::<(), _>(anyhow::anyhow!("{long}")))),
            }
            Ok(())
        }
        .boxed()
    }))
    .await;
    assert_eq!(report.runs[0].log.len(), 4);
    assert!(report.runs[0].log.iter().all(|entry| entry.text.len() <= text::MAX_TEXT));
}

#[tokio::test(start_paused = true)]
async fn an_enormous_text_set_through_a_field_is_truncated() {
    let session = start(Scripted::new(&["a"]).on_item(|item| {
        async {
            let long: Arc<str> = "x".repeat(5_000_000).into();
            let mut entry = LogEntry::new(LogLevel::Warning, "short");
            entry.text = long.clone();
            item.log(entry);
            let mut report = Progress::new();
            report.text = Some(long);
            item.report(report)?;
            std::future::pending().await
        }
        .boxed()
    }));
    crate::support::awaitable_host::until(&mut session.events(), |event| {
        matches!(event, syncmgr::SessionEvent::Progress { .. })
    })
    .await;
    let shown = session.progress().remove(0).state.text.unwrap().len();
    session.stop();
    let logged = within(session.finish()).await.runs[0].log[0].text.len();
    assert!(shown <= text::MAX_TEXT && logged <= text::MAX_TEXT, "{shown} and {logged} bytes are stored");
}

#[tokio::test(start_paused = true)]
async fn an_enormous_question_is_truncated() {
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        let long = "x".repeat(5_000_000);
        let decided = item.decide("key", &long, &[long.as_str()]);
        assert!(decided.is_none());
        async { Ok(()) }.boxed()
    }))
    .await;
    let Some(Action::Decide(question)) = &report.runs[0].log[0].action else { panic!("expected an open question") };
    let lengths = (question.text.len(), question.choices[0].len());
    assert!(lengths.0 <= text::MAX_TEXT && lengths.1 <= text::MAX_TEXT, "{lengths:?} bytes are stored");
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_run_is_bounded() {
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        (0..30_000).for_each(|number| item.info(number.to_string()));
        async { Ok(()) }.boxed()
    }))
    .await;
    let log = &report.runs[0].log;
    assert!(log.len() < 30_000 && log.last().unwrap().text.contains("left out"), "{} entries", log.len());
    assert!(report.items().all(|item| item.outcome == syncmgr::Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn control_characters_in_a_name_are_escaped_when_shown() {
    let name = "a\u{1b}[2J\u{202e}b\nc";
    let report = run(Scripted::new(&[name]).on_item(|_| async { anyhow::bail!("no\u{1b}[1m") }.boxed())).await;
    let shown = report.to_string();
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
    assert_eq!(shown.lines().count(), 3, "{shown:?}");
}

#[test]
fn a_limit_of_zero_is_a_typed_error() {
    let zero = std::time::Duration::ZERO;
    let limits = [
        Limits::DEFAULT.with_initialize_deadline(zero),
        Limits::DEFAULT.with_items_deadline(zero),
        Limits::DEFAULT.with_prepare_deadline(zero),
        Limits::DEFAULT.with_stall_after(zero),
    ];
    for limits in limits {
        let manager = SyncManager::new();
        let handler = Scripted::new(&["a"]).info(move |info| info.with_limits(limits));
        assert_eq!(manager.register(handler), Err(RequestError::NoTimeAllowed { handler: HANDLER }));
        assert_eq!(manager.handlers(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn infinite_limits_do_not_overflow() {
    let infinite = std::time::Duration::MAX;
    let limits = Limits::DEFAULT.with_soft_grace(infinite).with_hard_grace(infinite).with_stall_after(infinite);
    let limits =
        limits.with_initialize_deadline(infinite).with_items_deadline(infinite).with_prepare_deadline(infinite);
    let handler = Scripted::new(&["a"]).info(move |info| info.with_limits(limits)).on_item(|item| {
        async move {
            item.cancelled().await;
            Ok(item.check()?)
        }
        .boxed()
    });
    let session = start(handler);
    crate::support::awaitable_host::until_began(&session).await;
    session.stop();
    assert_eq!(within(session.finish()).await.items().count(), 1);
}
