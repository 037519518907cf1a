//! A classic handler between the return of `Synchronize` and its completion.

use std::sync::Arc;

use syncmgr::classic::{ErrorFlags, HResult, LogErrorInfo, SyncCallback};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::session::{RunChange, RunningItem};
use syncmgr::{HandlerId, Progress, Report, RunReport, Session, SessionEvent, SyncManager};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::support::awaitable_host::{CLASSIC, begin, host_classic, items_named, until, until_run, within};
use crate::support::id;

/// Returns a handler that completes `PrepareForSync` before it returns, and never completes `Synchronize`.
pub(crate) fn waiting_handler(names: &[&'static str]) -> ScriptedHandler {
    ScriptedHandler::new(items_named(names))
        .on_prepare(|side| side.callback().prepare_for_sync_completed(HResult::S_OK))
}

/// A session whose handler synchronizes until [`complete`](Window::complete).
pub(crate) struct Window {
    pub(crate) manager: SyncManager,
    pub(crate) session: Session,
    pub(crate) handler: Arc<ScriptedHandler>,
}

impl Window {
    /// Starts a manual session and waits until its handler synchronizes.
    pub(crate) async fn of(handler: ScriptedHandler) -> Self {
        let (manager, handler) = host_classic(handler);
        let session = begin(&manager);
        until_run(&session, RunChange::Synchronizing).await;
        Self { manager, session, handler }
    }

    /// Waits for the second `Synchronize` of the handler.
    pub(crate) async fn again(&self) {
        let mut events = self.session.events();
        for _ in 0..2 {
            until(&mut events, synchronizing).await;
        }
    }

    pub(crate) fn callback(&self) -> Arc<dyn SyncCallback> {
        self.handler.side().callback()
    }

    pub(crate) fn transcript(&self) -> &Transcript {
        self.handler.transcript()
    }

    /// Reports progress of an item, and returns the answer of the host.
    pub(crate) fn report(&self, name: &str, report: Progress) -> HResult {
        self.callback().progress(id(name), Some(&report))
    }

    /// Reports a status of an item, and returns the answer of the host.
    pub(crate) fn status(&self, name: &str, status: Status) -> HResult {
        self.report(name, Progress::new().with_status(status))
    }

    /// Calls `Progress` without a report for an item, and returns the answer of the host.
    pub(crate) fn poll(&self, name: &str) -> HResult {
        self.callback().progress(id(name), None)
    }

    pub(crate) fn skip(&self, name: &str) {
        self.session.skip(CLASSIC, id(name)).expect("the item is listed");
    }

    /// Returns the progress of the running items.
    pub(crate) fn progress(&self) -> Vec<RunningItem> {
        self.session.progress()
    }

    /// Calls `SynchronizeCompleted`. The session stays open.
    pub(crate) async fn complete(&self, code: HResult) -> Report {
        assert_eq!(self.callback().synchronize_completed(code), HResult::S_OK);
        within(self.session.report()).await
    }
}

fn synchronizing(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Run { change: RunChange::Synchronizing, .. })
}

/// Returns the run of a handler.
pub(crate) fn ran(report: &Report, handler: HandlerId) -> &RunReport {
    report.run(handler).expect("the handler is part of the session")
}

/// Returns the info of a log entry that is a link with this key.
pub(crate) fn link(key: &str) -> LogErrorInfo {
    LogErrorInfo { flags: Some(ErrorFlags::ENABLE_JUMP_TEXT), error: Some(ErrorId::from_key(key)), item: None }
}

/// Asserts that a transcript contains these lines in this order, with any lines between them.
pub(crate) fn assert_in_order(transcript: &Transcript, wanted: &[impl AsRef<str>]) {
    let lines = transcript.lines();
    let mut rest = lines.iter();
    for wanted in wanted {
        let wanted = wanted.as_ref();
        assert!(rest.any(|line| line == wanted), "`{wanted}` is missing or out of order in {lines:#?}");
    }
}
