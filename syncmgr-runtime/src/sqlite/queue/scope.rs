//! The part of the store that a read returns, and the changes that matter to it.

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;

/// The part of the store that a read returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Scope {
    /// The handlers with data.
    Handlers,
    /// The sessions.
    Sessions,
    /// The highest number of a session, of its record or in a fence.
    LastSession,
    /// The retry states of resources.
    Resources,
    /// The histograms.
    Histograms,
    /// The data of a handler.
    Handler(HandlerId),
    /// An item's record or answers.
    Item(HandlerId, ItemId),
}

impl Scope {
    /// Returns the part of a change that is in this scope.
    pub(super) fn part(self, change: &StateChange) -> Option<StateChange> {
        match self {
            Self::Item(handler, item) if handler_of(change) == Some(handler) => part_about(item, change),
            _ => self.has(change).then(|| change.clone()),
        }
    }

    /// Returns `true` if the whole change is in this scope.
    fn has(self, change: &StateChange) -> bool {
        use StateChange::{Committed, Ended, Forget, ForgetItem, Histogram, Resource, SessionBegan, SessionEnded};
        match self {
            Self::Handlers => handler_of(change).is_some(),
            Self::Sessions => {
                matches!(change, SessionBegan(_) | SessionEnded { .. } | Forget { .. } | ForgetItem { .. })
            }
            Self::LastSession => matches!(change, SessionBegan(_) | Committed { .. } | Ended { .. }),
            Self::Resources => matches!(change, Resource { .. }),
            Self::Histograms => matches!(change, Histogram { .. }),
            Self::Handler(handler) => handler_of(change) == Some(handler),
            Self::Item(..) => false,
        }
    }
}

fn handler_of(change: &StateChange) -> Option<HandlerId> {
    match change {
        StateChange::Registered { handler, .. }
        | StateChange::Flags { handler, .. }
        | StateChange::Waiting { handler, .. }
        | StateChange::Choices { handler, .. }
        | StateChange::Names { handler, .. }
        | StateChange::Disabled { handler, .. }
        | StateChange::Override { handler, .. }
        | StateChange::Fired { handler, .. }
        | StateChange::Committed { handler, .. }
        | StateChange::Ended { handler, .. }
        | StateChange::Retry { handler, .. }
        | StateChange::Absent { handler, .. }
        | StateChange::Reset { handler, .. }
        | StateChange::Log { handler, .. }
        | StateChange::Logged { handler, .. }
        | StateChange::Answered { handler, .. }
        | StateChange::LogDeleted { handler, .. }
        | StateChange::Settled { handler, .. }
        | StateChange::Forget { handler }
        | StateChange::ForgetItem { handler, .. } => Some(*handler),
        _ => None,
    }
}

/// Returns the part of a change of a handler that concerns the record or the answers of an item.
fn part_about(of: ItemId, change: &StateChange) -> Option<StateChange> {
    match change {
        StateChange::Committed { item, .. }
        | StateChange::Retry { item, .. }
        | StateChange::Reset { item, .. }
        | StateChange::Answered { item, .. }
        | StateChange::ForgetItem { item, .. } => (*item == of).then(|| change.clone()),
        StateChange::Ended { handler, fence, time, items } => {
            let items: Vec<_> = items.iter().filter(|(item, _)| *item == of).cloned().collect();
            let (handler, fence, time) = (*handler, *fence, *time);
            (!items.is_empty()).then_some(StateChange::Ended { handler, fence, time, items })
        }
        StateChange::Absent { handler, items } => {
            let since = items.get(&of)?;
            Some(StateChange::Absent { handler: *handler, items: [(of, *since)].into() })
        }
        StateChange::Forget { .. } => Some(change.clone()),
        _ => None,
    }
}
