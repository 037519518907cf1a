//! The records that changes touch, and the cost of changes.

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;

/// The subject of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::sqlite) enum Key {
    /// One item's record or answers.
    Item(HandlerId, ItemId),
    /// Every item of a handler.
    Handler(HandlerId),
    /// The choices of a handler.
    Choices(HandlerId),
}

/// The length of an id in JSON, in bytes.
const ID: usize = 40;

/// Estimates the cost of storing the changes: one for each statement and for each KiB of text.
pub(super) fn cost(changes: &[StateChange]) -> usize {
    let kib = |text: &str| text.len() >> 10;
    let cost = |change: &StateChange| match change {
        StateChange::Committed { checkpoint, .. } => 1 + kib(&checkpoint.state),
        StateChange::Ended { items, .. } => items.len(),
        StateChange::Choices { items, .. } => items.len(),
        StateChange::Names { items, .. } => items.len(),
        StateChange::Absent { items, .. } => items.len(),
        StateChange::Fired { firings, .. } => firings.len(),
        StateChange::Waiting { runs, .. } => {
            runs.iter().flat_map(|run| &run.items).map(|items| (items.len() * ID) >> 10).sum()
        }
        StateChange::Log { entries, .. } | StateChange::Logged { entries, .. } => {
            entries.iter().map(|entry| 1 + kib(&entry.text)).sum()
        }
        _ => 1,
    };
    changes.iter().map(|change| cost(change).max(1)).sum::<usize>().max(1)
}

/// Calls `touch` with the subjects of the changes.
pub(super) fn keys(changes: &[StateChange], touch: &mut impl FnMut(Key)) {
    for change in changes {
        match change {
            StateChange::Committed { handler, item, .. }
            | StateChange::Retry { handler, item, .. }
            | StateChange::Reset { handler, item }
            | StateChange::Answered { handler, item, .. } => touch(Key::Item(*handler, *item)),
            StateChange::Choices { handler, .. } => touch(Key::Choices(*handler)),
            StateChange::ForgetItem { handler, item } => {
                touch(Key::Item(*handler, *item));
                touch(Key::Choices(*handler));
            }
            StateChange::Ended { handler, items, .. } => {
                items.iter().for_each(|(item, _)| touch(Key::Item(*handler, *item)))
            }
            StateChange::Absent { handler, items, .. } => {
                items.keys().for_each(|item| touch(Key::Item(*handler, *item)))
            }
            StateChange::Forget { handler } => {
                touch(Key::Handler(*handler));
                touch(Key::Choices(*handler));
            }
            _ => {}
        }
    }
}
