//! A call/completed-style handler whose `Synchronize` has returned and not completed: the window is open.

use std::sync::Arc;

use syncmgr::classic::{ErrorFlags, HResult, LogErrorInfo, SyncCallback};
use syncmgr::log::ErrorId;
use syncmgr::progress::{ProgressState, Status};
use syncmgr::session::RunChange;
use syncmgr::{HandlerId, ItemId, Progress, Report, RunReport, Session, SessionEvent, SyncManager};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::support::id;
use crate::support::watched::{CLASSIC, begin, hosting, listed, until, until_run, within};

/// A handler that has prepared when `PrepareForSync` returns, and does nothing more by itself.
pub(crate) fn waiting(names: &[&'static str]) -> ScriptedHandler {
    ScriptedHandler::new(listed(names)).on_prepare(|side| side.callback().prepare_for_sync_completed(HResult::S_OK))
}

/// A session in which a handler synchronizes until it is told to complete.
pub(crate) struct Window {
    pub(crate) manager: SyncManager,
    pub(crate) session: Session,
    pub(crate) handler: Arc<ScriptedHandler>,
}

impl Window {
    /// Starts a manual session that has come so far.
    pub(crate) async fn of(handler: ScriptedHandler) -> Self {
        let (manager, handler) = hosting(handler);
        let session = begin(&manager);
        until_run(&session, RunChange::Synchronizing).await;
        Self { manager, session, handler }
    }

    /// Waits until the handler synchronizes for the second time.
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

    /// What the host answers to a report of an item.
    pub(crate) fn tell(&self, name: &str, report: Progress) -> HResult {
        self.callback().progress(id(name), Some(&report))
    }

    /// What the host answers to a status of an item.
    pub(crate) fn status(&self, name: &str, status: Status) -> HResult {
        self.tell(name, Progress::new().with_status(status))
    }

    /// What the host answers when asked whether to go on with an item.
    pub(crate) fn ask(&self, name: &str) -> HResult {
        self.callback().progress(id(name), None)
    }

    pub(crate) fn skip(&self, name: &str) {
        self.session.skip(CLASSIC, id(name)).expect("the item is listed");
    }

    /// What the session shows of its running items.
    pub(crate) fn shown(&self) -> Vec<(HandlerId, ItemId, ProgressState)> {
        self.session.progress()
    }

    /// `SynchronizeCompleted`; the session stays open.
    pub(crate) async fn complete(&self, code: HResult) -> Report {
        assert_eq!(self.callback().synchronize_completed(code), HResult::S_OK);
        within(self.session.report()).await
    }
}

fn synchronizing(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Run { change: RunChange::Synchronizing, .. })
}

/// How a handler's run went.
pub(crate) fn ran(report: &Report, handler: HandlerId) -> &RunReport {
    report.run(handler).expect("the handler is part of the session")
}

/// What a handler says of an entry that is a link named by this key.
pub(crate) fn link(key: &str) -> LogErrorInfo {
    LogErrorInfo { flags: Some(ErrorFlags::ENABLE_JUMP_TEXT), error: Some(ErrorId::from_key(key)), item: None }
}

/// Asserts that these lines are in a transcript in this order, whatever is between them.
pub(crate) fn in_order(transcript: &Transcript, wanted: &[impl AsRef<str>]) {
    let lines = transcript.lines();
    let mut rest = lines.iter();
    for wanted in wanted {
        let wanted = wanted.as_ref();
        assert!(rest.any(|line| line == wanted), "`{wanted}` is missing or out of order in {lines:#?}");
    }
}
