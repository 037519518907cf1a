//! Registration, and the triggers that create a handler: R1 to R12.

use std::sync::Arc;

use syncmgr::classic::HResult;
use syncmgr::request::{RegisterFlags, Registration, RequestError};
use syncmgr::session::RunChange;
use syncmgr::{HandlerId, HandlerInfo, Outcome, Report, StartError, SyncManager, Trigger};
use syncmgr_core::register::Registry;
use syncmgr_test::Transcript;

use crate::support::awaitable_host::{begin, manager_with_waiting_item, until_run, within};
use crate::support::{HANDLER, Scripted};

const OTHER: HandlerId = HandlerId::from_u128(0x07E4);

async fn run_session(manager: &SyncManager, trigger: Trigger) -> Report {
    within(manager.session(trigger).start().expect("inside a runtime").finish()).await
}

fn registration(description: Option<&str>, flags: RegisterFlags) -> Registration {
    Registration::new(flags).with_description(description.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn r001_a_handler_without_flags_runs_in_the_next_manual_session() {
    let (manager, handler) = (SyncManager::new(), Scripted::new(&["a"]));
    assert_eq!(run_session(&manager, Trigger::Manual).await.runs.len(), 0);
    assert_eq!(manager.register(handler.clone()), Ok(HANDLER));
    let report = run_session(&manager, Trigger::Manual).await;
    assert_eq!(report.items().map(|item| item.outcome).collect::<Vec<_>>(), [Outcome::Succeeded]);
    assert_eq!(handler.transcript.count("item a"), 1);
}

#[tokio::test(start_paused = true)]
async fn r002_a_handler_needs_no_description() {
    let mut registry = Registry::default();
    assert_eq!(registry.register(HANDLER, registration(None, RegisterFlags::empty())), Ok(()));
    assert_eq!(registry.created_by(Trigger::Manual), [HANDLER]);

    let (manager, nameless) = (SyncManager::new(), Scripted::new(&["a"]).info(|_| HandlerInfo::new(HANDLER, "")));
    assert_eq!(manager.register(nameless), Ok(HANDLER));
    assert!(run_session(&manager, Trigger::Manual).await.run(HANDLER).unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn r003_unknown_flag_bits_are_refused_and_nothing_is_stored() {
    let manager = SyncManager::new();
    for bits in [0x8, 0x1 | 0x100, u32::MAX] {
        let flags = RegisterFlags::from_bits_retain(bits);
        let refused = manager.register_for(Arc::new(Scripted::new(&["a"])), flags).unwrap_err();
        assert_eq!(refused, RequestError::UnknownFlags { bits: bits & !0x7 });
        assert_eq!(refused.hresult(), HResult::E_INVALIDARG);
    }
    assert_eq!((manager.registration(HANDLER), manager.handlers()), (None, vec![]));
    assert_eq!(run_session(&manager, Trigger::Manual).await.runs.len(), 0);
}

#[test]
fn r004_registering_again_replaces_the_entry() {
    let mut registry = Registry::default();
    registry.register(HANDLER, registration(Some("before"), RegisterFlags::CONNECT)).unwrap();
    let after = registration(Some("after"), RegisterFlags::IDLE);
    registry.register(HANDLER, after.clone()).unwrap();
    assert_eq!(registry.registration(HANDLER), Some(&after));
    assert_eq!(registry.created_by(Trigger::Manual), [HANDLER]);
    assert_eq!((registry.created_by(Trigger::Connect), registry.created_by(Trigger::Idle)), (vec![], vec![HANDLER]));
}

#[tokio::test(start_paused = true)]
async fn r004_a_manager_refuses_a_second_handler_with_the_same_id() {
    let (manager, first, second) = (SyncManager::new(), Scripted::new(&["first"]), Scripted::new(&["second"]));
    manager.register_for(Arc::new(first.clone()), RegisterFlags::CONNECT).unwrap();
    let again = || manager.register_for(Arc::new(second.clone()), RegisterFlags::IDLE);
    assert_eq!(again(), Err(RequestError::AlreadyRegistered { handler: HANDLER }));
    assert_eq!(manager.registration(HANDLER).unwrap().flags, RegisterFlags::CONNECT);
    run_session(&manager, Trigger::Manual).await;
    assert!(manager.unregister(HANDLER));
    assert_eq!(again(), Ok(HANDLER));
    assert_eq!(manager.registration(HANDLER).unwrap().flags, RegisterFlags::IDLE);
    run_session(&manager, Trigger::Manual).await;
    assert_eq!((first.transcript.count("item"), second.transcript.count("item second")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn r005_an_unregistered_handler_is_in_no_session() {
    let (manager, handler) = (SyncManager::new(), Scripted::new(&["a"]));
    manager.register(handler.clone()).unwrap();
    assert!(manager.unregister(HANDLER));
    for trigger in EVERY_TRIGGER {
        assert_eq!(run_session(&manager, trigger).await.runs.len(), 0);
    }
    let refused = manager.session(Trigger::Manual).handlers([HANDLER]).start().unwrap_err();
    assert_eq!(refused, StartError::Refused(RequestError::NotRegistered { handler: HANDLER }));
    assert_eq!(handler.transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r005_a_session_continues_after_its_handler_is_unregistered() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let session = begin(&manager);
    until_run(&session, RunChange::Synchronizing).await;
    assert!(manager.unregister(HANDLER));
    go.notify_one();
    assert!(within(session.finish()).await.is_success());
    assert_eq!(transcript.count("end"), 1);
}

#[tokio::test(start_paused = true)]
async fn r006_unregistering_an_unknown_handler_changes_nothing() {
    let manager = SyncManager::new();
    manager.register(Scripted::new(&["a"])).unwrap();
    assert!(!manager.unregister(OTHER));
    assert!(manager.unregister(HANDLER));
    assert!(!manager.unregister(HANDLER));
    manager.register(Scripted::new(&["a"])).unwrap();
    assert!(!manager.unregister(OTHER));
    assert!(run_session(&manager, Trigger::Manual).await.run(HANDLER).unwrap().is_success());
}

#[test]
fn r007_a_registration_can_be_read_back() {
    let manager = SyncManager::new();
    for bits in 0..8 {
        let flags = RegisterFlags::from_bits_truncate(bits);
        manager.register_for(Arc::new(Scripted::new(&["a"])), flags).unwrap();
        assert_eq!(manager.registration(HANDLER), Some(registration(Some("Scripted"), flags)));
        assert_eq!(manager.handlers(), [HandlerInfo::new(HANDLER, "Scripted")]);
        manager.unregister(HANDLER);
    }
}

#[test]
fn r008_an_unknown_handler_has_no_registration() {
    let manager = SyncManager::new();
    manager.register_for(Arc::new(Scripted::new(&["a"])), RegisterFlags::all()).unwrap();
    assert_eq!(manager.registration(OTHER), None);
    manager.unregister(HANDLER);
    assert_eq!(manager.registration(HANDLER), None);
}

const EVERY_TRIGGER: [Trigger; 6] =
    [Trigger::Connect, Trigger::PendingDisconnect, Trigger::Manual, Trigger::Idle, Trigger::Invoke, Trigger::Scheduled];

/// Registers one handler per combination of flags, and returns the flags of the handlers that a trigger creates.
async fn created_by(trigger: Trigger) -> Vec<u32> {
    let (manager, transcript) = (SyncManager::new(), Transcript::new());
    for bits in 0..8 {
        let info = HandlerInfo::new(HandlerId::from_u128(u128::from(bits) + 1), "One of eight");
        let handler = Scripted::new(&["a"]).info(|_| info).with_transcript(&transcript);
        manager.register_for(Arc::new(handler), RegisterFlags::from_bits_truncate(bits)).expect("the handler is valid");
    }
    let report = run_session(&manager, trigger).await;
    assert_eq!(transcript.count("initialize"), report.runs.len(), "the created handlers are not the reported ones");
    let of = |handler| manager.registration(handler).expect("the handler is registered").flags.bits();
    report.runs.iter().map(|run| of(run.handler)).collect()
}

#[tokio::test(start_paused = true)]
async fn r009_a_connect_event_creates_only_handlers_registered_for_it() {
    assert_eq!(created_by(Trigger::Connect).await, [1, 3, 5, 7]);
}

#[tokio::test(start_paused = true)]
async fn r010_a_pending_disconnect_creates_only_handlers_registered_for_it() {
    assert_eq!(created_by(Trigger::PendingDisconnect).await, [2, 3, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn r011_an_idle_event_creates_only_handlers_registered_for_it() {
    assert_eq!(created_by(Trigger::Idle).await, [4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn r012_manual_invoked_and_scheduled_sessions_ignore_the_flags() {
    for trigger in [Trigger::Manual, Trigger::Invoke, Trigger::Scheduled] {
        assert_eq!(created_by(trigger).await, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
