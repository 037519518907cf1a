//! `UpdateItems` and `UpdateAll`: R14 to R24.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::request::{Invocation, InvokeFlags, RequestError, RunFlags};
use syncmgr::session::RunChange;
use syncmgr::{HandlerId, HandlerInfo, Report, StartError, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::choosing::choice::{Picker, manager_with_chooser};
use crate::support::awaitable_host::{
    CLASSIC, HandlerOnHost, begin, host_classic, items_named, manager_with_waiting_item, until_run, within,
};
use crate::support::window::assert_in_order;
use crate::support::{HANDLER, Scripted, id};

const OTHER: HandlerId = HandlerId::from_u128(0x07E4);

/// Returns an invocation without a cookie.
fn invocation(handler: HandlerId, flags: InvokeFlags) -> Invocation {
    Invocation::new(handler).with_flags(flags)
}

async fn invoke(manager: &SyncManager, invocation: Invocation) -> Report {
    within(manager.invoke(invocation).expect("the request is accepted").finish()).await
}

#[tokio::test(start_paused = true)]
async fn r014_update_items_runs_only_the_named_handler() {
    let (manager, named, other) = (SyncManager::new(), Scripted::new(&["a"]), Scripted::new(&["b"]));
    let other = other.info(|_| HandlerInfo::new(OTHER, "Other"));
    manager.register(named.clone()).unwrap();
    manager.register(other.clone()).unwrap();
    for flags in [InvokeFlags::empty(), InvokeFlags::START_SYNC] {
        let report = invoke(&manager, invocation(HANDLER, flags)).await;
        assert_eq!(report.runs.iter().map(|run| run.handler).collect::<Vec<_>>(), [HANDLER]);
        assert!(report.is_success(), "{report}");
    }
    assert_eq!((named.transcript.count("item a"), other.transcript.lines().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn r015_the_cookie_reaches_initialize_unchanged() {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for cookie in [&[][..], &[0, 0], b"\xFF\x00inbox", &every_byte] {
        let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])));
        let flags = InvokeFlags::START_SYNC;
        let session =
            manager.invoke(Invocation::new(CLASSIC).with_flags(flags).with_cookie(Arc::from(cookie))).unwrap();
        until_run(&session, RunChange::Preparing).await;
        session.stop();
        within(session.finish()).await;
        assert_eq!(handler.transcript().lines()[0], format!("Initialize 0x0005 Some({cookie:?})"));
    }
}

#[tokio::test(start_paused = true)]
async fn r016_sessions_other_than_update_items_have_no_cookie() {
    let (manager, handler) = (SyncManager::new(), Scripted::new(&["a"]));
    manager.register(handler.clone()).unwrap();
    let with_cookie = invocation(HANDLER, InvokeFlags::START_SYNC).with_cookie(Arc::from(&b"x"[..]));
    invoke(&manager, with_cookie).await;
    invoke(&manager, invocation(HANDLER, InvokeFlags::START_SYNC)).await;
    within(manager.update_all().unwrap().finish()).await;
    for trigger in [Trigger::Manual, Trigger::Scheduled] {
        within(manager.session(trigger).cookie(*b"x").start().unwrap().finish()).await;
    }
    let cookies = handler.transcript.of(&["initialize"]);
    let cookies: Vec<_> = cookies.iter().filter_map(|line| line.rsplit_once(' ')).map(|(_, cookie)| cookie).collect();
    assert_eq!(cookies, ["Some([120])", "None", "None", "None", "None"]);
}

/// Invokes a handler with the items `a` and `b` and a chooser that picks `b`; returns the calls and the report.
async fn invoke_with_chooser(flags: InvokeFlags) -> (Transcript, Report) {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a", "b"]).with_transcript(&transcript);
    let manager = manager_with_chooser(&handler, &Picker::these(&["b"], &transcript));
    let report = invoke(&manager, invocation(HANDLER, flags)).await;
    (transcript, report)
}

#[tokio::test(start_paused = true)]
async fn r017_with_start_sync_nothing_is_offered_for_choice() {
    let (transcript, report) = invoke_with_chooser(InvokeFlags::START_SYNC).await;
    assert_eq!(transcript.of(&["offer", "prepare"]), ["prepare a b"]);
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn r018_without_start_sync_the_choice_comes_first() {
    let (transcript, report) = invoke_with_chooser(InvokeFlags::empty()).await;
    assert_in_order(&transcript, &["items", "offer Scripted: +a +b", "prepare b", "synchronize", "item b"]);
    assert_eq!(report.items().map(|item| item.item.id()).collect::<Vec<_>>(), [id("b")]);
}

#[tokio::test(start_paused = true)]
async fn r019_minimized_does_not_change_the_items_that_run() {
    for flags in [InvokeFlags::empty(), InvokeFlags::START_SYNC] {
        let (plain, _) = invoke_with_chooser(flags).await;
        let (minimized, report) = invoke_with_chooser(flags | InvokeFlags::MINIMIZED).await;
        assert_eq!(minimized.lines(), plain.lines());
        assert!(report.is_success(), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn r020_update_all_returns_before_the_work_is_done() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let session = manager.update_all().unwrap();
    assert_eq!(transcript.lines(), [""; 0]);
    until_run(&session, RunChange::Synchronizing).await;
    assert_eq!(transcript.count("end"), 0);
    go.notify_one();
    assert!(within(session.finish()).await.is_success());
    assert_eq!(transcript.count("end"), 1);
}

#[tokio::test(start_paused = true)]
async fn r020_update_all_starts_a_manual_session_of_all_handlers() {
    let manager = SyncManager::new();
    let [first, second] = [HANDLER, OTHER].map(|id| Scripted::new(&["a"]).info(|_| HandlerInfo::new(id, "One of two")));
    manager.register(first.clone()).unwrap();
    manager.register(second.clone()).unwrap();
    let report = within(manager.update_all().unwrap().finish()).await;
    assert_eq!((report.trigger, report.runs.len(), report.is_success()), (Trigger::Manual, 2, true));
    assert_eq!((first.transcript.count("item a"), second.transcript.count("item a")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r021_update_items_returns_on_acceptance_even_if_the_session_waits() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let first = begin(&manager);
    until_run(&first, RunChange::Synchronizing).await;
    let second = manager.invoke(invocation(HANDLER, InvokeFlags::START_SYNC)).unwrap();
    assert_eq!((transcript.count("initialize"), transcript.count("end")), (1, 0));
    go.notify_one();
    until_run(&second, RunChange::Synchronizing).await;
    assert_eq!(transcript.count("end"), 1);
    go.notify_one();
    assert!(within(second.finish()).await.is_success());
    within(first.finish()).await;
}

#[tokio::test(start_paused = true)]
async fn r022_the_cookie_is_copied() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let first = begin(&manager);
    until_run(&first, RunChange::Synchronizing).await;
    let mut bytes = vec![1, 2, 3];
    let cookie = Some(Arc::from(&bytes[..]));
    let second =
        manager.invoke(Invocation::new(HANDLER).with_flags(InvokeFlags::START_SYNC).with_cookie(cookie)).unwrap();
    bytes.fill(0);
    drop(bytes);
    go.notify_one();
    within(first.finish()).await;
    go.notify_one();
    within(second.finish()).await;
    assert_eq!(transcript.of(&["initialize Invoke"]), ["initialize Invoke RunFlags(0x0) Some([1, 2, 3])"]);
}

#[tokio::test(start_paused = true)]
async fn r022_the_adapter_copies_the_cookie_in_initialize() {
    let transcript = Transcript::new();
    let notes = transcript.clone();
    let handler = Scripted::new(&["a"]).on_prepare(move |run| {
        notes.note(format!("{:?}", run.cookie()));
        async { Ok(()) }.boxed()
    });
    let on = HandlerOnHost::created(handler, &Transcript::new());
    let mut bytes = vec![1, 2, 3];
    assert_eq!(on.adapter.initialize(Trigger::Invoke, RunFlags::empty(), Some(&bytes)).await, HResult::S_OK);
    bytes.fill(0);
    on.adapter.enum_sync_items().await.unwrap();
    on.attach();
    on.adapter.prepare_for_sync(&[id("a")]);
    assert_eq!(transcript.lines(), ["Some([1, 2, 3])"]);
}

#[tokio::test(start_paused = true)]
async fn r023_unknown_invoke_flags_are_refused() {
    let (manager, handler) = (SyncManager::new(), Scripted::new(&["a"]));
    manager.register(handler.clone()).unwrap();
    for bits in [0x01, 0x08, 0x02 | 0x01, u32::MAX] {
        let error = manager.invoke(invocation(HANDLER, InvokeFlags::from_bits_retain(bits))).unwrap_err();
        let StartError::Refused(error) = error else { panic!("{error}") };
        assert_eq!(error, RequestError::UnknownFlags { bits: bits & !0x06 });
        assert_eq!(error.hresult(), HResult::E_INVALIDARG);
    }
    tokio::task::yield_now().await;
    assert_eq!(handler.transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r024_an_unregistered_handler_is_refused_and_nothing_is_created() {
    let (manager, other) = (SyncManager::new(), Scripted::new(&["a"]));
    manager.register(other.clone()).unwrap();
    let error = manager.invoke(invocation(OTHER, InvokeFlags::START_SYNC)).unwrap_err();
    assert_eq!(error, StartError::Refused(RequestError::NotRegistered { handler: OTHER }));
    assert_eq!(RequestError::NotRegistered { handler: OTHER }.hresult(), HResult::E_FAIL);
    tokio::task::yield_now().await;
    assert_eq!(other.transcript.lines(), [""; 0]);
}
