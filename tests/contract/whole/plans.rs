//! Handlers as data: what they list, and what each of their methods does.

use std::time::Duration;

use syncmgr::handler::WhenStalled;
use syncmgr::item::{ItemFlags, ItemState};
use syncmgr::{ItemId, Limits, SyncItem};

use super::steps::{ItemStep, RunStep};

/// The names items claim.
pub(crate) const CLAIMS: [&str; 3] = ["account", "disk", "server"];

/// The names of items, in the order they are listed.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

const STALLED_REPORTS_END: bool = true;

/// A handler.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) bounds: Bounds,
    pub(crate) listing: Listing,
    pub(crate) items: Vec<ItemPlan>,
    /// What it is registered for, as the bits of `RegisterFlags`.
    pub(crate) events: u32,
    pub(crate) initialize: Vec<RunStep>,
    pub(crate) declines: bool,
    pub(crate) prepare: Vec<RunStep>,
    pub(crate) synchronize: Synchronize,
    pub(crate) show_error: ShowError,
    pub(crate) style: Style,
}

/// How a handler is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Async,
    /// In the call/completed style: how it completes each of its pairs.
    Classic {
        prepare: Completion,
        synchronize: Completion,
        show_error: Completion,
    },
}

/// When a call/completed-style handler completes a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Completion {
    AtOnce,
    Later(u16),
    Twice(u16),
    Never,
    Refused,
    Failing,
}

/// What `items` answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Listing {
    Complete,
    Incomplete,
    /// The first item once more, and one with the nil id.
    WithOffenders,
    Error,
    Panic,
    Hang,
}

/// An item, and what happens to it when it runs.
#[derive(Clone, Debug)]
pub(crate) struct ItemPlan {
    pub(crate) claims: Vec<usize>,
    pub(crate) checked: bool,
    pub(crate) flags: u32,
    pub(crate) steps: Vec<ItemStep>,
}

/// How items are run.
#[derive(Clone, Debug)]
pub(crate) enum Synchronize {
    EachItem,
    /// Twice at once: the items are shared between both calls.
    EachItemTwice,
    Each,
    /// All items in one piece of work; what is reported of each in turn.
    ByHand(Vec<Hand>),
    /// These steps before and after the items.
    Around(Vec<RunStep>, Vec<RunStep>),
}

/// What a handler reports of an item itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hand {
    Nothing,
    Begins,
    Succeeds(u16),
    Fails,
    EndsTwice,
    NamesAnother,
}

/// How a log entry is explained.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShowError {
    Done,
    /// Runs these items again, as bits.
    Retry(u8),
    Ask(u16),
    Fail,
    Panic,
    Hang,
}

/// What a host grants a handler.
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
            .with_stall_policy(if self.reports_stalls { WhenStalled::Report } else { WhenStalled::Cancel })
    }
}

/// The id of the item at this place.
pub(crate) fn item_id(place: usize) -> ItemId {
    ItemId::from_name(NAMES[place % NAMES.len()])
}

impl Plan {
    /// What the handler lists, offenders apart.
    pub(crate) fn listed(&self) -> Vec<SyncItem> {
        self.items.iter().zip(NAMES).map(|(plan, name)| plan.listed(name)).collect()
    }

    /// The same handler, asking for no connections.
    pub(crate) fn without_connections(mut self) -> Self {
        self.retain(|step| !matches!(step, RunStep::Connect(_)), |step| !matches!(step, ItemStep::Connect(_)));
        self
    }

    /// The same handler, as far as it comes to an end whatever the user does: it is cancelled where it stalls, which
    /// nothing does while it has the user's attention.
    pub(crate) fn that_ends(mut self) -> Self {
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

    /// The plan of the item with this name.
    pub(crate) fn item(&self, name: &str) -> (usize, &ItemPlan) {
        let place = NAMES.iter().position(|known| *known == name).expect("items have names from the list");
        (place, &self.items[place])
    }
}

impl ItemPlan {
    fn listed(&self, name: &'static str) -> SyncItem {
        let state = if self.checked { ItemState::Checked } else { ItemState::Unchecked };
        let item = SyncItem::named(name).with_flags(ItemFlags::from_bits_retain(self.flags)).with_state(state);
        self.claims.iter().fold(item, |item, claim| item.with_claim(CLAIMS[*claim]))
    }
}
