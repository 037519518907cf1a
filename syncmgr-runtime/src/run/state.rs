//! The state behind the mutex of a run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::choice::Preferences;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::{Start, StartReason};
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::protocol::{Protocol, Purpose};
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::error::{FailureClass, SyncResult};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, SessionId, Subject};
use syncmgr_core::item::SyncItem;
use syncmgr_core::port::RunInfo;
use syncmgr_core::store::StateChange;
use syncmgr_core::trigger::RunFlags;
use tokio::sync::oneshot;

use crate::ending::RunEnding;
use crate::session::scope::{Choosing, SessionScope};
use crate::turns::{Since, Turn};

/// The state of a run.
pub(super) struct RunState {
    pub(super) protocol: Protocol,
    pub(super) listing: Listing,
    /// The earlier choices among the handler's items.
    pub(super) preferences: Preferences,
    /// The items that the last listing of a watched handler has added to the watched ones.
    pub(super) appeared: BTreeSet<ItemId>,
    /// The items of the next attempt.
    pub(super) next_items: Arc<[SyncItem]>,
    /// The turns of other runs of the handler since this run was requested, until the items are chosen.
    pub(super) turns_since: Option<Since>,
    /// The run's own turn, while it has one.
    pub(super) turn: Option<Arc<Turn>>,
    /// The items skipped before their attempt began.
    pub(super) skipped: BTreeSet<ItemId>,
    pub(super) stop: Option<CancelReason>,
    /// The requests for the idle run. Bounded by the callers: each waits for its reply.
    pub(super) commands: VecDeque<Command>,
    /// `true` while the run waits for requests.
    pub(super) idle: bool,
    /// The number of times the run became idle.
    pub(super) times_idle: u64,
    /// The reason properties could not be shown.
    pub(super) not_shown: Option<(HResult, String)>,
    /// `true` once the run is released.
    pub(super) ended: bool,
    /// `true` once the run has checked that it may begin.
    pub(super) has_begun: bool,
    /// The running items whose requirements have ended, with the reasons.
    pub(super) items_set_aside: BTreeMap<ItemId, Hold>,
    /// The reason the handler may not run now, or that stopped it, if any.
    pub(super) hold: Option<Hold>,
    /// The origin of the request. At least `User` once the user has opened the results.
    pub(super) requested_by: RequestedBy,
    /// `true` while the run is the automatic run of its handler.
    pub(super) automatic: bool,
    /// The interrupted sessions that the run resumes, and their unfinished items.
    pub(super) resumed: Vec<SessionId>,
    pub(super) unfinished: BTreeSet<ItemId>,
    /// The change that counts an interruption of the handler, until it has prepared.
    pub(super) counted: Option<StateChange>,
    /// `true` once the handler was forgotten: nothing about the run is stored.
    pub(super) forgotten: bool,
    /// The forgotten items, about which nothing is stored.
    pub(super) forgotten_items: BTreeSet<ItemId>,
    pub(super) ending: Option<RunEnding>,
    /// The failure class of the last failed `prepare`.
    pub(super) class: FailureClass,
}

/// A request for an idle run. The reply is sent once the run is idle again.
pub(crate) struct Command {
    pub(crate) request: IdleRequest,
    pub(crate) reply: oneshot::Sender<()>,
}

/// The kinds of requests for an idle run.
pub(crate) enum IdleRequest {
    /// Explain this log entry.
    ShowError(ErrorId),
    /// Run these items again, after an answer to a question.
    Retry(Vec<ItemId>),
    /// Show properties.
    ShowProperties(Subject),
    /// Close the results.
    Close,
}

/// The position of the recording in an attempt, and the pending writes.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) attempt: u32,
    pub(super) entries: usize,
    /// The jitter of the attempt's retries. All of them have the same jitter, so that they are due together.
    pub(super) jitter: Option<u64>,
    pub(super) writes: VecDeque<BoxFuture<'static, SyncResult>>,
}

/// Returns the purpose of a run in this session.
pub(super) fn purpose(scope: &SessionScope, run_info: &RunInfo) -> Purpose {
    match scope.terms.choosing {
        Choosing::Explain => Purpose::Explain,
        _ if run_info.flags.contains(RunFlags::SETTINGS) => Purpose::Settings,
        _ => Purpose::Synchronize,
    }
}

impl RunState {
    pub(super) fn new(purpose: Purpose, reason: StartReason, requested_by: RequestedBy) -> Self {
        Self {
            protocol: Protocol::new(purpose),
            listing: Listing::empty(),
            preferences: Preferences::default(),
            appeared: BTreeSet::new(),
            next_items: Arc::default(),
            turns_since: None,
            turn: None,
            skipped: BTreeSet::new(),
            stop: None,
            commands: VecDeque::new(),
            idle: false,
            times_idle: 0,
            not_shown: None,
            ended: false,
            has_begun: false,
            items_set_aside: BTreeMap::new(),
            hold: None,
            requested_by,
            automatic: Start::is_automatic(reason, requested_by),
            resumed: Vec::new(),
            unfinished: BTreeSet::new(),
            counted: None,
            forgotten: false,
            forgotten_items: BTreeSet::new(),
            ending: None,
            class: FailureClass::Transient,
        }
    }
}
