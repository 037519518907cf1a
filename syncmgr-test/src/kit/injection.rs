//! Injection points of a handler, and the faults that scripts inject there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::text::Escaped;

use super::change::ItemChange;

/// An item's id and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemLabel {
    pub(super) id: ItemId,
    pub(super) name: Arc<str>,
}

impl From<&SyncItem> for ItemLabel {
    fn from(item: &SyncItem) -> Self {
        Self { id: item.id(), name: item.name().into() }
    }
}

/// A call of one of the handler's methods, or a task that a method started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Info,
    Initialize,
    Items,
    Prepare,
    Synchronize,
    Item(ItemLabel),
    /// The n-th task that was started in the session.
    Task(u32),
    SetItemStatus,
    ShowError,
    ShowProperties,
    /// The stream of local changes is polled.
    Changes,
}

/// A moment within a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// The call returns `Pending` for the n-th time.
    Await(u32),
    /// The n-th commit was requested, but nothing of it is stored.
    BeforeCommit(u32),
    /// The n-th commit is stored, but the handler has not been notified.
    AfterCommit(u32),
}

/// A moment of one call at which a script can inject a fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InjectionPoint {
    pub(super) call: Call,
    pub(super) moment: Moment,
}

/// The number of awaits and of commits of each call in a session.
#[derive(Clone, Debug, Default)]
pub(super) struct CallCounts {
    pub(super) waits: BTreeMap<Call, u32>,
    pub(super) commits: BTreeMap<Call, u32>,
}

/// An event that a script injects at an injection point.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// The user skips this item.
    Skip(ItemLabel),
    /// The user stops the session.
    Stop,
    /// The user stops the session, and the call is dropped without being polled again.
    Drop,
    /// The process is killed.
    Kill,
    /// The call panics.
    Panic,
    /// The store refuses the commit.
    Refuse,
    /// The user pauses the session, and resumes it later.
    Pause,
    /// A condition of the run ends: the machine is about to sleep, so that automatic work stops.
    EndCondition,
    /// An item changes.
    Change(ItemChange),
}

/// A fault and its injection point.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Injection {
    pub(super) point: InjectionPoint,
    pub(super) fault: Fault,
}

impl Injection {
    /// Returns the item that is affected, if any.
    pub(super) fn item(&self) -> Option<&ItemLabel> {
        match &self.fault {
            Fault::Skip(item) => Some(item),
            _ => self.point.call.item(),
        }
    }
}

impl Call {
    /// Returns the item of the call, if any.
    pub(super) fn item(&self) -> Option<&ItemLabel> {
        match self {
            Self::Item(item) => Some(item),
            _ => None,
        }
    }
}

impl fmt::Display for ItemLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", Escaped(&self.name))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Info => f.write_str("info"),
            Self::Initialize => f.write_str("initialize"),
            Self::Items => f.write_str("items"),
            Self::Prepare => f.write_str("prepare"),
            Self::Synchronize => f.write_str("synchronize"),
            Self::Item(item) => write!(f, "synchronize_item of {item}"),
            Self::Task(number) => write!(f, "task {number}"),
            Self::SetItemStatus => f.write_str("set_item_status"),
            Self::ShowError => f.write_str("show_error"),
            Self::ShowProperties => f.write_str("show_properties"),
            Self::Changes => f.write_str("the stream of local changes"),
        }
    }
}

impl fmt::Display for InjectionPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moment {
            Moment::Await(number) => write!(f, "await {number} of {}", self.call),
            Moment::BeforeCommit(number) => write!(f, "before commit {number} of {}", self.call),
            Moment::AfterCommit(number) => write!(f, "after commit {number} of {}", self.call),
        }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Skip(item) => write!(f, "skip {item}"),
            Fault::Stop => f.write_str("stop"),
            Fault::Drop => f.write_str("stop and drop"),
            Fault::Kill => f.write_str("kill"),
            Fault::Panic => f.write_str("panic"),
            Fault::Refuse => f.write_str("store failure"),
            Fault::Pause => f.write_str("pause"),
            Fault::EndCondition => f.write_str("end of a condition"),
            Fault::Change(change) => change.fmt(f),
        }?;
        let at = if matches!(self.point.moment, Moment::Await(_)) { " at" } else { "" };
        write!(f, "{at} {}", self.point)
    }
}
