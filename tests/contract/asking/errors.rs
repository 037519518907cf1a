//! The error log: R140 to R143.

use futures::FutureExt;
use syncmgr::classic::{ErrorFlags, HResult, LogErrorInfo, SyncCallback};
use syncmgr::log::{ErrorId, ErrorScope};
use syncmgr::{HandlerId, HandlerInfo, LogEntry, LogLevel, Report, SessionError, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, within};
use crate::support::window::{Window, link, ran, waiting_handler};
use crate::support::{HANDLER, Scripted, id};

const OK: HResult = HResult::S_OK;
const LEVELS: [LogLevel; 3] = [LogLevel::Information, LogLevel::Warning, LogLevel::Error];

/// Returns the levels and texts of the log entries of a handler.
fn log(report: &Report, handler: HandlerId) -> Vec<(LogLevel, &str)> {
    ran(report, handler).log.iter().map(|entry| (entry.level, &*entry.text)).collect()
}

fn info_with_id(key: &str) -> LogErrorInfo {
    LogErrorInfo { error: Some(ErrorId::from_key(key)), ..LogErrorInfo::default() }
}

fn texts(report: &Report, handler: HandlerId) -> Vec<&str> {
    log(report, handler).into_iter().map(|(_, text)| text).collect()
}

#[tokio::test(start_paused = true)]
async fn r140_every_level_is_accepted_with_or_without_an_info() {
    let window = Window::of(waiting_handler(&["a"])).await;
    for level in LEVELS {
        assert_eq!(window.callback().log_error(level, "bare", None), OK);
        let about = LogErrorInfo { item: Some(id("a")), ..info_with_id("x") };
        assert_eq!(window.callback().log_error(level, "full", Some(&about)), OK);
    }
    let report = within(async {
        window.status("a", syncmgr::progress::Status::Succeeded);
        window.complete(OK).await
    })
    .await;
    let both = |level| [(level, "bare"), (level, "full")];
    assert_eq!(log(&report, CLASSIC), LEVELS.map(both).concat());
    let (bare, full) = (&report.runs[0].log[0], &report.runs[0].log[1]);
    assert_eq!((bare.item, bare.id), (None, None));
    assert_eq!((full.item, full.id), (Some(id("a")), Some(ErrorId::from_key("x"))));
}

#[tokio::test(start_paused = true)]
async fn r140_an_unknown_level_is_an_invalid_argument() {
    for number in [0, 4, u32::MAX] {
        assert_eq!(LogLevel::try_from(number).unwrap_err().hresult(), HResult::E_INVALIDARG);
    }
    let levels: Vec<_> = (1..=3).map(|number| LogLevel::try_from(number).unwrap()).collect();
    assert_eq!((levels.as_slice(), LogLevel::MAX), (&LEVELS[..], LogLevel::Error));
}

#[tokio::test(start_paused = true)]
async fn r140_log_entries_reach_the_host_with_their_level() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async {
            item.info("worth knowing");
            item.warn("unexpected");
            item.log(LogEntry::new(LogLevel::Error, "not done"));
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted").await;
    let wanted = ["LogError Information worth knowing", "LogError Warning unexpected", "LogError Error not done"];
    assert_eq!(transcript.of(&["LogError"]), wanted);
}

#[tokio::test(start_paused = true)]
async fn r141_an_entry_is_a_link_only_with_jump_text_and_an_error_id() {
    let window = Window::of(waiting_handler(&["a"])).await;
    let jump = Some(ErrorFlags::ENABLE_JUMP_TEXT);
    let infos = [
        ("link", link("link")),
        ("unflagged", info_with_id("unflagged")),
        ("other flag", LogErrorInfo { flags: Some(ErrorFlags::from_bits_retain(2)), ..info_with_id("other flag") }),
        ("nameless", LogErrorInfo { flags: jump, ..LogErrorInfo::default() }),
    ];
    for (text, info) in &infos {
        assert_eq!(window.callback().log_error(LogLevel::Error, text, Some(info)), OK);
    }
    let report = window.complete(OK).await;
    let links = report.runs[0].log.iter().filter(|entry| entry.is_link()).map(|entry| &*entry.text);
    assert_eq!(links.collect::<Vec<_>>(), ["link"]);
    for key in ["unflagged", "other flag"] {
        let error = ErrorId::from_key(key);
        let opened = within(window.session.show_error(CLASSIC, error)).await;
        assert_eq!(opened, Err(SessionError::NotALink { error }));
    }
    assert_eq!(window.transcript().count("ShowError"), 0);
}

#[tokio::test(start_paused = true)]
async fn r141_a_host_receives_the_link_flag_of_an_entry() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async {
            let error = ErrorId::from_key("x");
            item.log(LogEntry::new(LogLevel::Error, "plain").with_id(error));
            item.log(LogEntry::new(LogLevel::Error, "jump").with_link(error));
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted").await;
    assert_eq!(transcript.of(&["LogError"]), ["LogError Error plain", "LogError Error jump link"]);
}

#[tokio::test(start_paused = true)]
async fn r142_deleting_an_error_id_removes_only_the_entries_with_that_id() {
    let window = Window::of(waiting_handler(&["a"])).await;
    let callback = window.callback();
    for (text, info) in [("one", info_with_id("x")), ("two", info_with_id("y")), ("three", link("x"))] {
        callback.log_error(LogLevel::Warning, text, Some(&info));
    }
    callback.log_error(LogLevel::Warning, "nameless", None);
    assert_eq!(callback.delete_log_error(ErrorScope::One(ErrorId::from_key("x"))), OK);
    assert_eq!(callback.delete_log_error(ErrorScope::One(ErrorId::from_key("unknown"))), OK);
    window.status("a", syncmgr::progress::Status::Succeeded);
    let report = window.complete(OK).await;
    assert_eq!(texts(&report, CLASSIC), ["two", "nameless"]);
    // The entries of a run can change until its results are closed.
    assert_eq!(callback.delete_log_error(ErrorScope::One(ErrorId::from_key("y"))), OK);
    assert_eq!(texts(&within(window.session.report()).await, CLASSIC), ["nameless"]);
}

/// Returns two handlers that log two entries each. The first one deletes all of its entries.
fn two_logging_handlers() -> [Scripted; 2] {
    let logging = || {
        Scripted::new(&["a"]).on_prepare(|run| {
            async {
                run.warn("general");
                run.log(LogEntry::new(LogLevel::Error, "named").with_id(ErrorId::from_key("x")));
                Ok(())
            }
            .boxed()
        })
    };
    let deleting = logging().on_item(|item| {
        async {
            item.run().delete_log(ErrorScope::All);
            item.info("after");
            Ok(())
        }
        .boxed()
    });
    [deleting, logging().info(|_| HandlerInfo::new(CLASSIC, "Other"))]
}

#[tokio::test(start_paused = true)]
async fn r143_deleting_all_removes_only_the_entries_of_this_handler() {
    let manager = SyncManager::new();
    for handler in two_logging_handlers() {
        manager.register(handler).unwrap();
    }
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    assert_eq!(texts(&report, HANDLER), ["after"]);
    assert_eq!(texts(&report, CLASSIC), ["general", "named"]);
}

#[tokio::test(start_paused = true)]
async fn r143_deleting_all_keeps_the_entries_of_another_session() {
    let manager = SyncManager::new();
    let [deleting, _] = two_logging_handlers();
    manager.register(deleting).unwrap();
    let other = Scripted::new(&["b"]).info(|_| HandlerInfo::new(CLASSIC, "Other")).on_item(|item| {
        item.warn("from another session");
        async { Ok(()) }.boxed()
    });
    manager.register(other).unwrap();
    let first = manager.session(Trigger::Manual).handlers([CLASSIC]).start().unwrap();
    within(first.report()).await;
    within(manager.session(Trigger::Manual).handlers([HANDLER]).start().unwrap().finish()).await;
    assert_eq!(texts(&within(first.report()).await, CLASSIC), ["from another session"]);
}

#[tokio::test(start_paused = true)]
async fn r142_r143_deletions_of_a_handler_reach_the_host() {
    let transcript = Transcript::new();
    let error = ErrorId::from_key("x");
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        async move {
            item.run().delete_log(ErrorScope::One(error));
            item.run().delete_log(ErrorScope::All);
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted").await;
    let wanted = [format!("DeleteLogError {:?}", ErrorScope::One(error)), "DeleteLogError All".into()];
    assert_eq!(transcript.of(&["DeleteLogError"]), wanted);
}

#[tokio::test(start_paused = true)]
async fn r140_r142_a_detached_callback_neither_logs_nor_deletes() {
    let captured = std::sync::Arc::new(std::sync::Mutex::new(None::<std::sync::Arc<dyn SyncCallback>>));
    let slot = captured.clone();
    let handler = ScriptedHandler::new(crate::support::awaitable_host::items_named(&["a"])).on_prepare(move |side| {
        *slot.lock().unwrap() = Some(side.callback());
        side.callback().log_error(LogLevel::Warning, "in time", Some(&info_with_id("x")));
        side.callback().prepare_for_sync_completed(HResult::S_FALSE)
    });
    let (manager, _handler) = crate::support::awaitable_host::host_classic(handler);
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.close()).await;
    let late = captured.lock().unwrap().take().unwrap();
    assert_eq!(late.log_error(LogLevel::Error, "late", None), HResult::E_UNEXPECTED);
    assert_eq!(late.delete_log_error(ErrorScope::All), HResult::E_UNEXPECTED);
    let report = session.report().await;
    assert!(texts(&report, CLASSIC).contains(&"in time"));
    assert!(!texts(&report, CLASSIC).contains(&"late"));
}
