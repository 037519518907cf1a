//! Items that their handler no longer lists: no retry starts for them.

use syncmgr_core::id::HandlerId;
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{SessionRecord, StateChange};

use super::Model;
use crate::peer::Key;

impl Model {
    /// Records that a complete listing has an item, or lacks it.
    pub(crate) fn observe_listed(&mut self, key: Key, listed: Listed) {
        match listed {
            Listed::Yes => self.unlisted.remove(&key),
            Listed::No => self.unlisted.insert(key),
        };
    }

    /// Records that a handler has a new registration, which does not know its listings.
    pub(crate) fn forget_listings(&mut self, handler: HandlerId) {
        self.unlisted.retain(|key| key.0 != handler);
    }

    /// Notes the runs of a session that begins for unlisted items only.
    pub(crate) fn observe_change(&mut self, change: &StateChange) {
        let StateChange::SessionBegan(SessionRecord { session, runs, .. }) = change else { return };
        let is_unlisted = |run: &&RunRequest| {
            let is_unlisted = |items: &std::collections::BTreeSet<_>| {
                !items.is_empty() && items.iter().all(|item| self.unlisted.contains(&(run.handler, *item)))
            };
            run.items.as_deref().is_some_and(is_unlisted)
        };
        let unlisted: Vec<_> = runs.iter().filter(is_unlisted).map(|run| (*session, run.handler)).collect();
        self.unlisted_runs.extend(unlisted);
    }
}

/// The presence of an item in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Yes,
    No,
}
