//! Places in a handler at which a script cuts in.

use std::fmt;
use std::sync::Arc;

use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::text::Escaped;

/// An item, and what people call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) id: ItemId,
    pub(super) name: Arc<str>,
}

impl From<&SyncItem> for Named {
    fn from(item: &SyncItem) -> Self {
        Self { id: item.id(), name: item.name().into() }
    }
}

/// A call of one of the handler's methods, or a task one of them started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Info,
    Initialize,
    Items,
    Prepare,
    Synchronize,
    Item(Named),
    /// The n-th task that was started in the session.
    Task(u32),
    SetItemStatus,
    ShowError,
    ShowProperties,
}

/// When in a call something is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// The n-th time the call waits for something.
    Await(u32),
    /// The n-th commit was asked for, and nothing of it is stored.
    BeforeCommit(u32),
    /// The n-th commit is stored, and the handler has not heard of it.
    AfterCommit(u32),
}

/// Where a script cuts in: a moment of one call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) call: Call,
    pub(super) moment: Moment,
}

/// What a script does at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Somebody skips this item.
    Skip(Named),
    /// Somebody stops the session.
    Stop,
    /// Somebody stops the session, and the call does not wake again before it is dropped.
    Drop,
    /// The process is killed.
    Kill,
    /// The call panics.
    Panic,
    /// The store takes nothing.
    Refuse,
}

/// What a script does, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) place: Place,
    pub(super) how: How,
}

impl Cut {
    /// The item this is about.
    pub(super) fn item(&self) -> Option<&Named> {
        match &self.how {
            How::Skip(item) => Some(item),
            _ => self.place.call.item(),
        }
    }
}

impl Call {
    /// The item this call is about.
    pub(super) fn item(&self) -> Option<&Named> {
        match self {
            Self::Item(item) => Some(item),
            _ => None,
        }
    }
}

impl fmt::Display for Named {
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
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moment {
            Moment::Await(number) => write!(f, "await {number} of {}", self.call),
            Moment::BeforeCommit(number) => write!(f, "before commit {number} of {}", self.call),
            Moment::AfterCommit(number) => write!(f, "after commit {number} of {}", self.call),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Skip(item) => write!(f, "skip {item}"),
            How::Stop => f.write_str("stop"),
            How::Drop => f.write_str("stop and drop"),
            How::Kill => f.write_str("kill"),
            How::Panic => f.write_str("panic"),
            How::Refuse => f.write_str("the store refuses,"),
        }?;
        let at = if matches!(self.place.moment, Moment::Await(_)) { " at" } else { "" };
        write!(f, "{at} {}", self.place)
    }
}
