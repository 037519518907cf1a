//! Handlers as data: their items and the steps of their methods.

use std::time::Duration;

use syncmgr::handler::StallPolicy;
use syncmgr::item::{ItemFlags, ItemState};
use syncmgr::{ItemId, Limits, SyncItem};

use super::steps::{ItemStep, RunStep};

/// The claims of items.
pub(crate) const CLAIMS: [&str; 3] = ["account", "disk", "server"];

/// The names of items, in the order of the listing.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

const STALLED_REPORTS_END: bool = true;

/// A handler as data.
#[derive(Clone, Debug)]
pub(crate) struct HandlerPlan {
    pub(crate) bounds: Bounds,
    pub(crate) listing: Listing,
    pub(crate) items: Vec<ItemPlan>,
    /// The bits of the handler's `RegisterFlags`.
    pub(crate) events: u32,
    pub(crate) initialize: Vec<RunStep>,
    pub(crate) declines: bool,
    pub(crate) prepare: Vec<RunStep>,
    pub(crate) synchronize: Synchronize,
    pub(crate) show_error: ShowError,
    pub(crate) style: Style,
}

/// The style of a handler.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Async,
    /// A classic handler, with the completion of each of its pairs.
    Classic {
        prepare: Completion,
        synchronize: Completion,
        show_error: Completion,
    },
}

/// A classic handler's completion of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Completion {
    Immediately,
    Later(u16),
    Twice(u16),
    Never,
    Refused,
    Failing,
}

/// The answer of `items`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Listing {
    Complete,
    Incomplete,
    /// A listing with the first item twice and an item with the nil id.
    WithInvalidItems,
    Error,
    Panic,
    Hang,
}

/// An item and the steps of its run.
#[derive(Clone, Debug)]
pub(crate) struct ItemPlan {
    pub(crate) claims: Vec<usize>,
    pub(crate) checked: bool,
    pub(crate) flags: u32,
    pub(crate) steps: Vec<ItemStep>,
}

/// The way `synchronize` runs its items.
#[derive(Clone, Debug)]
pub(crate) enum Synchronize {
    EachItem,
    /// Two concurrent calls, which share the items.
    EachItemTwice,
    Each,
    /// One task, which reports all items sequentially.
    ManualReports(Vec<ManualReport>),
    /// These steps before and after the items.
    Around(Vec<RunStep>, Vec<RunStep>),
}

/// A report of a handler that drives an item manually.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ManualReport {
    Nothing,
    Begins,
    Succeeds(u16),
    Fails,
    EndsTwice,
    NamesAnother,
}

/// The answer of `show_error`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShowError {
    Done,
    /// Runs the items of a bit mask again.
    Retry(u8),
    Ask(u16),
    Fail,
    Panic,
    Hang,
}

/// The limits that a host applies to a handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) items: usize,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
    pub(crate) reports_stalls: bool,
}

impl Bounds {
    pub(crate) fn limits(self) -> Limits {
        let second = Duration::from_secs(1);
        Limits::default()
            .with_items(self.items)
            .with_soft_grace(Duration::from_millis(self.soft))
            .with_hard_grace(Duration::from_millis(self.hard))
            .with_initialize_deadline(second)
            .with_items_deadline(second)
            .with_prepare_deadline(second)
            .with_stall_after(2 * second)
            .with_stall_policy(if self.reports_stalls { StallPolicy::Report } else { StallPolicy::Cancel })
    }
}

/// The id of the item with this index.
pub(crate) fn item_id(index: usize) -> ItemId {
    ItemId::from_name(NAMES[index % NAMES.len()])
}

impl HandlerPlan {
    /// The valid items of the listing.
    pub(crate) fn listed(&self) -> Vec<SyncItem> {
        self.items.iter().zip(NAMES).map(|(plan, name)| plan.listed(name)).collect()
    }

    /// Returns the handler without requests for connections.
    pub(crate) fn without_connections(mut self) -> Self {
        self.retain(|step| !matches!(step, RunStep::Connect(_)), |step| !matches!(step, ItemStep::Connect(_)));
        self
    }

    /// Changes the handler to end without the user: the host cancels it when it stalls, and it keeps no attention permit,
    /// because a handler with a permit never counts as stalled.
    pub(crate) fn into_terminating(mut self) -> Self {
        self.bounds.reports_stalls = false;
        if let Style::Classic { synchronize: completion @ Completion::Never, .. } = &mut self.style
            && !STALLED_REPORTS_END
        {
            *completion = Completion::Later(300);
        }
        self.retain(|step| !matches!(step, RunStep::KeepPermit), |_| true);
        self
    }

    fn retain(&mut self, run: impl Fn(&RunStep) -> bool, of_item: impl Fn(&ItemStep) -> bool) {
        let mut steps = vec![&mut self.initialize, &mut self.prepare];
        if let Synchronize::Around(before, after) = &mut self.synchronize {
            steps.extend([before, after]);
        }
        steps.into_iter().for_each(|steps| steps.retain(&run));
        self.items.iter_mut().for_each(|item| item.steps.retain(&of_item));
    }

    /// The index and the plan of the item with this name.
    pub(crate) fn item(&self, name: &str) -> (usize, &ItemPlan) {
        let index = NAMES.iter().position(|known| *known == name).expect("an item's name is in `NAMES`");
        (index, &self.items[index])
    }
}

impl ItemPlan {
    fn listed(&self, name: &'static str) -> SyncItem {
        let state = if self.checked { ItemState::Checked } else { ItemState::Unchecked };
        let item = SyncItem::named(name).with_flags(ItemFlags::from_bits_retain(self.flags)).with_state(state);
        self.claims.iter().fold(item, |item, claim| item.with_claim(CLAIMS[*claim]))
    }
}
