//! `Initialize`: R25 to R38, without R26 and R34.

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::classic::{CodeError, HResult};
use syncmgr::environment::Confirmation;
use syncmgr::handler::{HandlerFlags, Resolution};
use syncmgr::log::ErrorId;
use syncmgr::request::RunFlags;
use syncmgr::session::RunFault;
use syncmgr::{
    HandlerId, HandlerInfo, LogEntry, LogLevel, Outcome, Participation, RunContext, RunEnding, Session, SessionRequest,
    Subject, SyncManager, Trigger,
};
use syncmgr_test::{ScriptedHandler, ScriptedUser, Transcript};

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, items_named, within};
use crate::support::{HANDLER, Scripted, run};

const TRIGGERS: [Trigger; 6] =
    [Trigger::Connect, Trigger::PendingDisconnect, Trigger::Manual, Trigger::Idle, Trigger::Invoke, Trigger::Scheduled];

#[tokio::test(start_paused = true)]
async fn r025_initialize_is_called_first_and_once() {
    let handler = Scripted::new(&["a", "b"]);
    let report = run(handler.clone()).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Succeeded));
    let lines = handler.transcript.lines();
    assert!(lines[0].starts_with("initialize Manual"), "{lines:?}");
    assert_eq!(handler.transcript.count("initialize"), 1);
}

#[tokio::test(start_paused = true)]
async fn r025_calls_before_initialize_and_a_second_initialize_are_refused() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::created(handler, &transcript);
    assert_eq!(on.adapter.enum_sync_items().await, Err(HResult::E_UNEXPECTED));
    assert_eq!(on.attach(), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    assert!(on.lines().is_empty(), "{:?}", on.lines());
    assert_eq!(on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, HResult::S_OK);
    assert_eq!(on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, HResult::E_UNEXPECTED);
    assert_eq!(transcript.count("initialize"), 1);
}

#[tokio::test(start_paused = true)]
async fn r027_the_event_is_exactly_one_of_1_to_6() {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&[])));
    for trigger in TRIGGERS {
        manager.session(trigger).handlers([CLASSIC]).start().unwrap().finish().await;
    }
    let words = ["0x0001", "0x0002", "0x0003", "0x0004", "0x0005", "0x0006"];
    let wanted = words.map(|word| format!("Initialize {word} None"));
    assert_eq!(handler.transcript().of(&["Initialize"]), wanted);
}

#[tokio::test(start_paused = true)]
async fn r028_trigger_and_flags_are_the_same_in_every_call_of_a_run() {
    let (transcript, error) = (Transcript::new(), ErrorId::from_key("link"));
    let noting = |method: &'static str| {
        let transcript = transcript.clone();
        move |run: &RunContext| transcript.note(format!("{method} {:?} {:?}", run.trigger(), run.flags()))
    };
    let [initialize, prepare, synchronize] = ["initialize", "prepare", "synchronize"].map(noting);
    let [item, explain] = ["item", "show_error"].map(noting);
    let handler = Scripted::new(&["a"])
        .on_initialize(move |run| {
            initialize(run);
            async { Ok(Participation::TakePart) }.boxed()
        })
        .on_prepare(move |run| {
            prepare(run);
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_synchronize(move |run| {
            synchronize(run);
            run.each_item().boxed()
        })
        .on_item(move |context| {
            item(context.run());
            async { Ok(()) }.boxed()
        })
        .on_show_error(move |run, _| {
            explain(run);
            async { Ok(Resolution::Done) }.boxed()
        });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let session = manager.session(Trigger::Scheduled).may_bother_user().start().unwrap();
    within(session.report()).await;
    within(session.show_error(HANDLER, error)).await.unwrap();
    let methods = ["initialize", "prepare", "synchronize", "item", "show_error"];
    let wanted = methods.map(|method| format!("{method} Scheduled RunFlags(MAY_BOTHER_USER)"));
    assert_eq!(transcript.lines(), wanted);
}

#[test]
fn r029_an_unknown_event_value_counts_as_manual() {
    for unknown in [0, 7, 0xFF] {
        assert_eq!(Trigger::from_word(unknown | RunFlags::MAY_BOTHER_USER.bits()), Trigger::Manual);
    }
    assert_eq!(TRIGGERS.map(|trigger| Trigger::from_word(trigger.word(RunFlags::SETTINGS))), TRIGGERS);
}

#[tokio::test(start_paused = true)]
async fn r030_initialize_returning_ok_is_followed_by_the_listing() {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&[])));
    manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert_eq!(handler.transcript().lines()[..2], ["Initialize 0x0003 None", "EnumSyncMgrItems"]);
}

#[tokio::test(start_paused = true)]
async fn r031_nothing_is_called_after_a_decline() {
    let (manager, handler) =
        host_classic(ScriptedHandler::new(items_named(&["a"])).on_initialize(|_| HResult::S_FALSE));
    let report = manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Declined));
    assert_eq!(handler.transcript().lines(), ["Initialize 0x0003 None"]);
}

#[tokio::test(start_paused = true)]
async fn r031_a_declining_handler_answers_s_false_and_refuses_further_calls() {
    let handler = Scripted::new(&["a"]).on_initialize(|_| async { Ok(Participation::Decline) }.boxed());
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::created(handler, &transcript);
    assert_eq!(on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, HResult::S_FALSE);
    assert_eq!(on.adapter.enum_sync_items().await, Err(HResult::E_UNEXPECTED));
    assert_eq!(on.attach(), HResult::E_UNEXPECTED);
    assert_eq!(on.lines().len(), 1, "{:?}", on.lines());
}

#[tokio::test(start_paused = true)]
async fn r032_declining_is_not_an_error_and_does_not_affect_other_handlers() {
    let other = HandlerId::from_u128(2);
    let manager = SyncManager::new();
    let declining = Scripted::new(&["a"]).on_initialize(|_| async { Ok(Participation::Decline) }.boxed());
    manager.register(declining).unwrap();
    manager.register(Scripted::new(&["b"]).info(|_| HandlerInfo::new(other, "Other"))).unwrap();
    let report = manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert!(report.is_success());
    assert_eq!(report.run(HANDLER).map(|run| (run.ending, run.log.len())), Some((Some(RunEnding::Declined), 0)));
    assert_eq!(report.run(other).and_then(|run| run.ending), Some(RunEnding::Completed));
}

#[tokio::test(start_paused = true)]
async fn r033_any_other_code_ends_the_run_and_is_logged() {
    for code in [HResult::E_FAIL, HResult::E_OUTOFMEMORY, HResult(0x8007_0005_u32 as i32)] {
        let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])).on_initialize(move |_| code));
        let report = manager.session(Trigger::Manual).start().unwrap().finish().await;
        assert_eq!(report.runs[0].ending, Some(RunEnding::NotBegun(code.into())));
        assert!(!report.is_success());
        assert!(matches!(&report.runs[0].log[..], [entry] if entry.level == LogLevel::Error), "{report:?}");
        assert_eq!(handler.transcript().lines(), ["Initialize 0x0003 None"]);
    }
}

#[tokio::test(start_paused = true)]
async fn r033_other_success_codes_do_not_begin_the_run() {
    let code = HResult::S_SYNCMGR_MISSINGITEMS;
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])).on_initialize(move |_| code));
    let report = manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert!(matches!(report.runs[0].ending, Some(RunEnding::NotBegun(_))), "{report:?}");
    assert_eq!((report.runs[0].log.len(), handler.transcript().lines().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r033_an_error_or_a_panic_of_initialize_is_logged_and_ends_the_run() {
    let failing = Scripted::new(&["a"]).on_initialize(|_| async { Err(anyhow!("no disk")) }.boxed());
    let panicking = Scripted::new(&["a"]).on_initialize(|_| async { panic!("no disk") }.boxed());
    for (handler, code) in [(failing, HResult::E_FAIL), (panicking, HResult::E_UNEXPECTED)] {
        let transcript = handler.transcript.clone();
        let report = run(handler).await;
        assert_eq!(report.runs[0].ending, Some(RunEnding::NotBegun(code.into())));
        let [entry] = &report.runs[0].log[..] else { panic!("{:?}", report.runs[0].log) };
        assert!(entry.level == LogLevel::Error && entry.text.contains("no disk"), "{entry:?}");
        assert_eq!(transcript.lines().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn r033_a_host_receives_the_code_of_a_failed_initialize() {
    let code = HResult::E_OUTOFMEMORY;
    let handler = Scripted::new(&["a"]).on_initialize(move |_| async move { Err(CodeError(code).into()) }.boxed());
    let on = HandlerOnHost::created(handler, &Transcript::new());
    assert_eq!(on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, code);
}

#[tokio::test(start_paused = true)]
async fn r035_the_cookie_arrives_only_with_invoke() {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&[])));
    for trigger in TRIGGERS {
        let request = manager.session(trigger).handlers([CLASSIC]).cookie(*b"\x01\x00");
        request.start().unwrap().finish().await;
    }
    let with_cookie: Vec<_> = handler.transcript().of(&["Initialize"]);
    let with_cookie: Vec<_> = with_cookie.iter().filter(|line| !line.ends_with("None")).collect();
    assert_eq!(with_cookie, ["Initialize 0x0005 Some([1, 0])"]);
}

#[tokio::test(start_paused = true)]
async fn r035_a_handler_sees_the_cookie_of_a_foreign_host_only_on_invoke() {
    for (trigger, seen) in [(Trigger::Manual, "None"), (Trigger::Invoke, "Some([7])")] {
        let handler = Scripted::new(&["a"]);
        let on = HandlerOnHost::created(handler.clone(), &Transcript::new());
        on.adapter.initialize(trigger, RunFlags::empty(), Some(&[7])).await;
        assert_eq!(handler.transcript.lines(), [format!("initialize {trigger:?} RunFlags(0x0) {seen}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn r036_a_run_for_settings_is_neither_prepared_nor_synchronized() {
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    let transcript = handler.transcript.clone();
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    manager.show_properties(HANDLER, Subject::Handler).await.unwrap();
    let lines = transcript.lines();
    assert!(lines[0].contains("SETTINGS"), "{lines:?}");
    assert_eq!(lines[1..], ["items", "show_properties Handler"]);
}

#[tokio::test(start_paused = true)]
async fn r036_a_host_cannot_prepare_a_handler_created_for_settings() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::created(handler, &transcript);
    on.adapter.initialize(Trigger::Manual, RunFlags::SETTINGS, None).await;
    let items: Vec<_> = on.adapter.enum_sync_items().await.unwrap().iter().map(|item| item.id()).collect();
    on.attach();
    assert_eq!(on.adapter.prepare_for_sync(&items), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    assert_eq!(transcript.count("prepare"), 0);
}

/// Starts a session of a handler that asks the user in `prepare`.
fn start_asking_session(transcript: &Transcript, bother: impl FnOnce(SessionRequest) -> SessionRequest) -> Session {
    let user = ScriptedUser::new().with_transcript(transcript).with_answer(1);
    let manager = SyncManager::builder().interaction(user).build();
    let handler = Scripted::new(&["a"]).with_transcript(transcript).on_prepare(|run| {
        async move {
            let answer = run.interaction().await?.confirm("really?").await?;
            anyhow::ensure!(answer == Confirmation::Confirm, "refused");
            Ok(())
        }
        .boxed()
    });
    manager.register(handler).expect("the handler can be registered");
    bother(manager.session(Trigger::Scheduled)).start().expect("inside a runtime")
}

#[tokio::test(start_paused = true)]
async fn r037_the_user_is_asked_only_with_may_bother_user() {
    let transcript = Transcript::new();
    start_asking_session(&transcript, |request| request).finish().await;
    assert_eq!(transcript.count("confirm"), 0);
    start_asking_session(&transcript, |request| request.may_bother_user()).finish().await;
    assert_eq!(transcript.of(&["confirm"]), ["confirm really?"]);
}

#[tokio::test(start_paused = true)]
async fn r038_a_run_that_needs_an_absent_user_fails_and_its_items_wait() {
    let transcript = Transcript::new();
    let report = start_asking_session(&transcript, |request| request).finish().await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::NeedsUser)));
    assert!(!report.is_success());
    assert!(report.items().all(|item| item.outcome == Outcome::NeedsUser));
    assert!(report.runs[0].log.iter().all(|entry| entry.level < LogLevel::Error), "{:?}", report.runs[0].log);
    assert_eq!(transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn r038_a_run_that_asks_the_user_succeeds_with_may_bother_user() {
    let report = start_asking_session(&Transcript::new(), |request| request.may_bother_user()).finish().await;
    assert!(report.is_success(), "{report}");
}
