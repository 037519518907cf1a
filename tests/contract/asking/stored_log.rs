//! Opening and answering log entries of earlier sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::handler::Resolution;
use syncmgr::log::{ErrorId, ErrorScope};
use syncmgr::request::RequestError;
use syncmgr::session::LogAccessError;
use syncmgr::store::MemoryStore;
use syncmgr::{
    LogEntry, LogLevel, NeedsUser, Outcome, Participation, RunEnding, SessionError, StartError, SyncManager,
};

use crate::persistence::settings::{LINK, PLAIN, repairable, texts, with_store};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{Steps, assert_succeeds, nth, outcome, wait_until_idle};
use crate::support::{HANDLER, Scripted, id, stored_log};

/// Returns a handler whose item `a` asks a question until it is answered.
pub(crate) fn asking_handler() -> Scripted {
    Scripted::new(&["a", "b"]).on_item(|item| {
        let open = item.name() == "a" && item.decide("side", "which side wins?", &["here", "there"]).is_none();
        async move { if open { Err(NeedsUser::new("an answer").into()) } else { Ok(()) } }.boxed()
    })
}

/// Returns the stored question of [`asking_handler`].
pub(crate) fn question(manager: &SyncManager) -> ErrorId {
    stored_log(manager, HANDLER).iter().find_map(|record| record.entry.id).expect("the question is stored")
}

#[tokio::test(start_paused = true)]
async fn r144_opening_an_entry_of_a_closed_session_runs_its_items_again() {
    let handler = repairable();
    let manager = with_store(&MemoryStore::new(), &handler);
    within(begin(&manager).finish()).await;
    let before = handler.transcript.lines().len();
    let report = within(manager.show_error(HANDLER, LINK)).await.unwrap();
    assert!(report.is_success(), "{report}");
    assert_eq!(report.items().map(|item| item.item.id()).collect::<Vec<_>>(), [id("a")]);
    let lines: Vec<String> = handler.transcript.lines().split_off(before);
    let kinds: Vec<&str> = lines.iter().map(|line| line.split_once(' ').map_or(&**line, |(kind, _)| kind)).collect();
    assert_eq!(kinds, ["initialize", "items", "show_error", "prepare", "synchronize", "item"]);
    assert!(lines[0].contains("MAY_BOTHER_USER"), "`MAY_BOTHER_USER` is missing: {}", lines[0]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_can_be_opened_in_another_manager_over_the_same_store() {
    let (store, handler) = (MemoryStore::new(), repairable());
    within(begin(&with_store(&store, &handler)).finish()).await;
    let report = within(with_store(&store, &handler).show_error(HANDLER, LINK)).await.unwrap();
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn r147_an_entry_that_is_only_explained_prepares_nothing() {
    let handler = repairable().on_show_error(|run, _| {
        run.info("explained");
        async { Ok(Resolution::Done) }.boxed()
    });
    let manager = with_store(&MemoryStore::new(), &handler);
    within(begin(&manager).finish()).await;
    let report = within(manager.show_error(HANDLER, LINK)).await.unwrap();
    assert_eq!((report.runs[0].ending, report.items().count()), (Some(RunEnding::NothingToDo), 0));
    assert_eq!(handler.transcript.count("prepare"), 1);
    assert!(texts(&manager).contains(&"explained".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn opening_or_answering_the_wrong_entry_is_a_typed_error() {
    let manager = with_store(&MemoryStore::new(), &repairable());
    within(begin(&manager).finish()).await;
    let unknown = ErrorId::from_key("unknown");
    let show = async |handler, error| within(manager.show_error(handler, error)).await.map(drop);
    let session = |error| Err(LogAccessError::Session(error));
    assert_eq!(show(HANDLER, unknown).await, session(SessionError::UnknownError { error: unknown }));
    assert_eq!(show(nth(9), LINK).await, session(SessionError::UnknownError { error: LINK }));
    assert_eq!(show(HANDLER, PLAIN).await, session(SessionError::NotALink { error: PLAIN }));
    let answer = |error| manager.answer(HANDLER, error, 0).map(drop);
    assert_eq!(answer(unknown), session(SessionError::UnknownError { error: unknown }));
    assert_eq!(answer(LINK), session(SessionError::NotAQuestion { error: LINK }));
    manager.unregister(HANDLER);
    let refused = StartError::Refused(RequestError::NotRegistered { handler: HANDLER });
    assert_eq!(show(HANDLER, LINK).await, Err(LogAccessError::Start(refused)));
}

#[tokio::test(start_paused = true)]
async fn answering_a_question_of_a_closed_session_runs_only_its_item() {
    let handler = asking_handler();
    let manager = with_store(&MemoryStore::new(), &handler);
    within(begin(&manager).finish()).await;
    let error = question(&manager);
    assert_eq!(
        within(manager.show_error(HANDLER, error)).await.map(drop),
        Err(LogAccessError::Session(SessionError::Question { error }))
    );
    let no_such = SessionError::NoSuchChoice { error, choice: 2 };
    assert_eq!(manager.answer(HANDLER, error, 2).map(drop), Err(LogAccessError::Session(no_such)));
    let changed = LogAccessError::Session(SessionError::OtherRevision { error });
    assert_eq!(manager.answer_revision(HANDLER, error, 0, 1).map(drop), Err(changed));
    let report = assert_succeeds(manager.answer(HANDLER, error, 1).unwrap()).await;
    assert_eq!(report.items().map(|item| item.item.id()).collect::<Vec<_>>(), [id("a")]);
    assert!(manager.log(HANDLER).await.unwrap().iter().all(|record| record.entry.id.is_none()));
    assert_eq!(
        manager.answer(HANDLER, error, 1).map(drop),
        Err(LogAccessError::Session(SessionError::UnknownError { error }))
    );
    // The success consumed the answer: the item asks again.
    assert!(!within(begin(&manager).finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_question_can_be_answered_in_another_manager_over_the_same_store() {
    let (store, handler) = (MemoryStore::new(), asking_handler());
    within(begin(&with_store(&store, &handler)).finish()).await;
    let second = with_store(&store, &handler);
    assert_succeeds(second.answer(HANDLER, question(&second), 0).unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_consumed_for_later_managers_of_the_same_store_too() {
    let (store, handler) = (MemoryStore::new(), asking_handler());
    let first = with_store(&store, &handler);
    within(begin(&first).finish()).await;
    assert_succeeds(first.answer(HANDLER, question(&first), 0).unwrap()).await;
    drop(first);
    let report = within(begin(&with_store(&store, &handler)).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser, "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_stored_even_if_no_session_can_start() {
    let manager = with_store(&MemoryStore::new(), &asking_handler());
    within(begin(&manager).finish()).await;
    let error = question(&manager);
    manager.unregister(HANDLER);
    let refused = StartError::Refused(RequestError::NotRegistered { handler: HANDLER });
    assert_eq!(manager.answer(HANDLER, error, 0).map(drop), Err(LogAccessError::Start(refused)));
    manager.register(asking_handler()).unwrap();
    assert_succeeds(begin(&manager)).await;
}

#[tokio::test(start_paused = true)]
async fn opening_an_entry_of_a_handler_that_declines_is_a_typed_error() {
    let handler = repairable();
    let declines = Arc::new(AtomicBool::new(false));
    let declining = declines.clone();
    let handler = handler.on_initialize(move |_| {
        let part = if declining.load(Ordering::Relaxed) { Participation::Decline } else { Participation::TakePart };
        async move { Ok(part) }.boxed()
    });
    let manager = with_store(&MemoryStore::new(), &handler);
    within(begin(&manager).finish()).await;
    declines.store(true, Ordering::Relaxed);
    let opened = within(manager.show_error(HANDLER, LINK)).await.map(drop);
    assert_eq!(opened, Err(LogAccessError::Session(SessionError::Closed)));
    assert_eq!(handler.transcript.count("show_error"), 0);
}

#[tokio::test(start_paused = true)]
async fn r142_a_deleted_entry_is_removed_from_the_stored_log() {
    let handler = repairable().on_show_error(|run, error| {
        run.delete_log(ErrorScope::One(error));
        async { Ok(Resolution::Done) }.boxed()
    });
    let manager = with_store(&MemoryStore::new(), &handler);
    let session = begin(&manager);
    within(session.report()).await;
    within(session.show_error(HANDLER, LINK)).await.unwrap();
    within(session.finish()).await;
    assert_eq!(texts(&manager), ["an aside", "it failed"]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_opened_while_its_handler_is_busy_waits_for_its_turn() {
    let (steps, error) = (Steps::default(), LINK);
    let handler = steps
        .handler(1, &["a"])
        .on_prepare(move |run| {
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Done) }.boxed());
    let transcript = handler.transcript.clone();
    let manager = with_store(&MemoryStore::new(), &handler);
    let first = begin(&manager);
    steps.release(&["a"]).await;
    within(first.finish()).await;
    let second = begin(&manager);
    assert_eq!(steps.running().await, "a");
    let mut shown = Box::pin(manager.show_error(nth(1), LINK));
    assert!(futures::poll!(&mut shown).is_pending());
    wait_until_idle().await;
    assert_eq!(transcript.count("show_error"), 0);
    steps.release(&["a"]).await;
    within(shown).await.unwrap();
    assert_eq!(transcript.count("show_error"), 1);
    assert_succeeds(second).await;
}
