//! What the mutex of a run guards.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::choice::{Listing, Preferences};
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::protocol::{Protocol, Purpose};
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::error::{FailureClass, SyncResult};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, SessionId, Subject};
use syncmgr_core::item::{Items, SyncItem};
use syncmgr_core::port::RunFacts;
use syncmgr_core::trigger::RunFlags;
use tokio::sync::oneshot;

use super::Run;
use crate::attempt::Attempt;
use crate::ending::RunEnding;
use crate::session::scope::{Choosing, SessionScope};

/// The state of a run.
pub(super) struct RunState {
    pub(super) protocol: Protocol,
    pub(super) listing: Listing,
    /// What was chosen of the handler's items before.
    pub(super) preferences: Preferences,
    /// What the next attempt is about.
    pub(super) wanted: Arc<[SyncItem]>,
    /// The runs of the same handler that came first, until the items are chosen.
    pub(super) earlier: Vec<Earlier>,
    /// What was skipped before there was an attempt to skip it in.
    pub(super) skipped: BTreeSet<ItemId>,
    pub(super) stop: Option<CancelReason>,
    pub(super) attempts: Vec<Arc<Attempt>>,
    /// What is wanted of the run once it rests. Bounded by those who look at the results: each waits for the reply to what
    /// it asked.
    pub(super) commands: VecDeque<Command>,
    /// Whether the run waits for somebody who looks at it.
    pub(super) resting: bool,
    /// How often it has come to rest.
    pub(super) rests: u64,
    /// Why properties could not be shown.
    pub(super) not_shown: Option<(HResult, String)>,
    /// Whether the run was let go of.
    pub(super) over: bool,
    /// Why it may not run now, if it may not.
    pub(super) hold: Option<Hold>,
    /// How firmly it was asked for; somebody who looks at its results asks by hand.
    pub(super) ask: Ask,
    /// The interrupted sessions it took up, and what was unfinished in them.
    pub(super) taken_up: Vec<SessionId>,
    pub(super) unfinished: BTreeSet<ItemId>,
    /// Whether its handler was forgotten, and nothing of it is to be stored.
    pub(super) forgotten: bool,
    /// Items of which nothing is to be stored.
    pub(super) forgotten_items: BTreeSet<ItemId>,
    pub(super) ending: Option<RunEnding>,
    /// What the last failed `prepare` means for its items.
    pub(super) class: FailureClass,
}

/// What somebody who looks at a resting run wants. The reply is sent when the run rests again.
pub(crate) struct Command {
    pub(crate) wish: Wish,
    pub(crate) reply: oneshot::Sender<()>,
}

/// What is wanted of a resting run.
pub(crate) enum Wish {
    /// Explain this entry.
    Open(ErrorId),
    /// Run these items again: a question of theirs was answered.
    Retry(Vec<ItemId>),
    /// Show properties.
    Properties(Subject),
    /// Nobody looks any more.
    Close,
}

/// A run that came before this one, and how far it was when this one was asked for.
pub(super) struct Earlier {
    pub(super) run: Arc<Run>,
    pub(super) attempt: u32,
    pub(super) entry: usize,
}

/// How far the recording of an attempt is, and what is still being written.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) attempt: u32,
    pub(super) entries: usize,
    pub(super) writes: VecDeque<BoxFuture<'static, SyncResult>>,
}

/// What a run of this session is for.
pub(super) fn purpose(scope: &SessionScope, facts: &RunFacts) -> Purpose {
    match scope.terms.choosing {
        Choosing::Explain => Purpose::Explain,
        _ if facts.flags.contains(RunFlags::SETTINGS) => Purpose::Settings,
        _ => Purpose::Synchronize,
    }
}

impl RunState {
    pub(super) fn latest(&self) -> Arc<Attempt> {
        self.attempts.last().expect("a run is made with an attempt").clone()
    }

    pub(super) fn new(purpose: Purpose, ask: Ask) -> Self {
        let nothing: Items = std::iter::empty().collect();
        Self {
            protocol: Protocol::new(purpose),
            listing: Listing::check(nothing).0,
            preferences: Preferences::default(),
            wanted: Arc::default(),
            earlier: Vec::new(),
            skipped: BTreeSet::new(),
            stop: None,
            attempts: Vec::new(),
            commands: VecDeque::new(),
            resting: false,
            rests: 0,
            not_shown: None,
            over: false,
            hold: None,
            ask,
            taken_up: Vec::new(),
            unfinished: BTreeSet::new(),
            forgotten: false,
            forgotten_items: BTreeSet::new(),
            ending: None,
            class: FailureClass::Transient,
        }
    }
}
