//! Opening a log entry: R144 to R146, R150.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use syncmgr::classic::{Attention, HResult};
use syncmgr::environment::Confirmation;
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::{LogEntry, LogLevel, SessionError, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, ScriptedUser, Side, Transcript};
use tokio::sync::Notify;

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, within};
use crate::support::window::{Window, link, waiting_handler};
use crate::support::{HANDLER, Scripted, id, start};

const OK: HResult = HResult::S_OK;
const RETRY: HResult = HResult::S_SYNCMGR_RETRYSYNC;

pub(crate) fn error() -> ErrorId {
    ErrorId::from_key("x")
}

/// Returns a handler whose items log a link.
pub(crate) fn linking_handler(names: &[&str]) -> Scripted {
    Scripted::new(names).on_item(|item| {
        item.log(LogEntry::new(LogLevel::Error, "link").with_link(error()));
        async { Ok(()) }.boxed()
    })
}

/// Returns a classic handler whose `Synchronize` logs a link and whose `ShowError` calls `explain`.
pub(crate) fn explaining_handler(
    names: &[&'static str],
    explain: impl FnMut(&Side) -> HResult + Send + 'static,
) -> ScriptedHandler {
    let complete_all = |side: &Side| {
        for item in side.items() {
            side.callback().progress(item, Some(&syncmgr::Progress::new().with_status(Status::Succeeded)));
        }
        side.callback().log_error(LogLevel::Error, "link", Some(&link("x")));
        side.callback().synchronize_completed(OK)
    };
    waiting_handler(names).on_synchronize(complete_all).on_show_error(explain)
}

/// Returns the calls from `PrepareForSync` on.
pub(crate) fn calls(transcript: &Transcript) -> Vec<String> {
    transcript.of(&["PrepareForSync", "Synchronize", "ShowError", "SetProgressCallback NULL"])
}

#[tokio::test(start_paused = true)]
async fn r144_opening_an_entry_calls_show_error_of_its_handler() {
    let handler = linking_handler(&["a"]);
    let session = start(handler.clone());
    within(session.report()).await;
    within(session.show_error(HANDLER, error())).await.unwrap();
    assert_eq!(handler.transcript.of(&["show_error"]), [format!("show_error {}", error())]);
}

#[tokio::test(start_paused = true)]
async fn r144_only_entries_that_are_links_can_be_opened() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        item.log(LogEntry::new(LogLevel::Error, "no link").with_id(error()));
        let _ = item.decide("key", "which?", &["this", "that"]);
        async { Ok(()) }.boxed()
    });
    let session = start(handler.clone());
    within(session.report()).await;
    let question = ErrorId::of_question(id("a"), "key");
    let unknown = ErrorId::from_key("unknown");
    for (opened, wanted) in [
        (error(), SessionError::NotALink { error: error() }),
        (question, SessionError::Question { error: question }),
        (unknown, SessionError::UnknownError { error: unknown }),
    ] {
        assert_eq!(within(session.show_error(HANDLER, opened)).await, Err(wanted));
    }
    assert_eq!(handler.transcript.count("show_error"), 0);
}

#[tokio::test(start_paused = true)]
async fn r144_an_entry_can_be_opened_after_a_stop() {
    let transcript = Transcript::new();
    let notes = transcript.clone();
    let handler = Scripted::new(&["a"])
        .on_item(|item| {
            item.log(LogEntry::new(LogLevel::Error, "link").with_link(error()));
            std::future::pending().boxed()
        })
        .on_show_error(move |run, _| {
            let notes = notes.clone();
            async move {
                run.check()?;
                tokio::time::sleep(Duration::from_secs(1)).await;
                notes.note("explained");
                Ok(Resolution::Done)
            }
            .boxed()
        });
    let session = start(handler);
    crate::support::awaitable_host::until(&mut session.events(), |event| {
        matches!(event, syncmgr::SessionEvent::Logged { .. })
    })
    .await;
    session.stop();
    within(session.report()).await;
    within(session.show_error(HANDLER, error())).await.unwrap();
    assert_eq!(transcript.lines(), ["explained"]);
}

#[tokio::test(start_paused = true)]
async fn r145_show_error_may_ask_the_user_in_an_unattended_session() {
    let user = ScriptedUser::new().with_answer(1);
    let (asked, manager) = (user.transcript().clone(), SyncManager::builder().interaction(user).build());
    let handler = linking_handler(&["a"]).on_show_error(|run, _| {
        async {
            let answer = run.interaction().await?.confirm("again?").await?;
            assert_eq!(answer, Confirmation::Confirm);
            Ok(Resolution::Done)
        }
        .boxed()
    });
    manager.register(handler).unwrap();
    let session = manager.session(Trigger::Scheduled).start().unwrap();
    within(session.report()).await;
    within(session.show_error(HANDLER, error())).await.unwrap();
    assert_eq!(asked.lines(), ["confirm again?"]);
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn r145_show_error_gets_attention_in_an_unattended_session() {
    let answers = Transcript::new();
    let notes = answers.clone();
    let handler = explaining_handler(&["a"], move |side| {
        notes.note(side.callback().enable_modeless(Attention::Ask).to_string());
        side.callback().enable_modeless(Attention::Release);
        side.callback().show_error_completed(OK, &[])
    });
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    crate::support::awaitable_host::host_in(&manager, &Arc::new(handler));
    let session = manager.session(Trigger::Scheduled).start().unwrap();
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    assert_eq!(answers.lines(), ["S_OK"]);
}

#[tokio::test(start_paused = true)]
async fn r146_show_error_may_complete_before_or_after_its_return() {
    let early = explaining_handler(&["a"], |side| side.callback().show_error_completed(OK, &[]));
    let (manager, _handler) = host_classic(early);
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();

    let returns = Arc::new(Notify::new());
    let returning = returns.clone();
    let (manager, handler) = host_classic(explaining_handler(&["a"], move |_| {
        returning.notify_one();
        OK
    }));
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.report()).await;
    let mut opened = Box::pin(session.show_error(CLASSIC, error()));
    assert!((&mut opened).now_or_never().is_none());
    within(returns.notified()).await;
    assert!((&mut opened).now_or_never().is_none(), "the call ended before its completion");
    assert_eq!(handler.side().callback().show_error_completed(OK, &[]), OK);
    within(opened).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn r146_a_completion_after_a_failing_return_has_no_effect() {
    let (manager, handler) = host_classic(explaining_handler(&["a"], |_| HResult::E_FAIL));
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    let late = handler.side().callback().show_error_completed(RETRY, &[id("a")]);
    assert_eq!(late, HResult::E_UNEXPECTED);
    within(session.finish()).await;
    let wanted = ["PrepareForSync 1", "Synchronize", &format!("ShowError {}", error()), "SetProgressCallback NULL"];
    assert_eq!(calls(handler.transcript()), wanted);
}

#[tokio::test(start_paused = true)]
async fn r146_a_failing_show_error_completes_with_its_code_and_can_be_repeated() {
    let transcript = Transcript::new();
    let handler = linking_handler(&["a"])
        .with_transcript(&transcript)
        .on_show_error(|_, _| async { panic!("the fault") }.boxed());
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    for _ in 0..2 {
        assert_eq!(on.adapter.show_error(error()), OK);
    }
    assert_eq!(transcript.count("ShowErrorCompleted E_UNEXPECTED 0"), 2);
}

#[tokio::test(start_paused = true)]
async fn r150_the_instance_keeps_its_callback_until_the_results_are_closed() {
    let window = Window::of(waiting_handler(&["a"])).await;
    window.status("a", Status::Succeeded);
    window.complete(OK).await;
    let side = window.handler.side().clone();
    assert!(side.is_attached());
    assert_eq!(side.callback().log_error(LogLevel::Warning, "late", None), OK);
    assert_eq!(within(window.session.report()).await.runs[0].log.len(), 1);
    within(window.session.close()).await;
    assert!(!side.is_attached());
    let refused = within(window.session.show_error(CLASSIC, error())).await;
    assert_eq!(refused, Err(SessionError::UnknownError { error: error() }));
}

#[tokio::test(start_paused = true)]
async fn r150_an_entry_cannot_be_opened_after_the_results_are_closed() {
    let handler = linking_handler(&["a"]);
    let session = start(handler.clone());
    within(session.report()).await;
    within(session.close()).await;
    assert_eq!(within(session.show_error(HANDLER, error())).await, Err(SessionError::Closed));
    assert_eq!(handler.transcript.count("show_error"), 0);
}
