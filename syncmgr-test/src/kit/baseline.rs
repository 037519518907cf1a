//! The baseline: a run without faults, to which the checks compare every script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::SyncItem;

use super::Kit;
use super::end::EndState;
use super::events::{Event, EventLog};
use super::fixture::{Fixture, Time};
use super::injection::{Call, CallCounts, ItemLabel};
use super::process::{SessionPlan, SessionResult};
use super::violation::{ScriptResult, Violation};

/// The maximum number of items that are run alone to learn their data.
const MAX_ITEMS_ALONE: usize = 16;

/// The results of a run without faults.
pub(super) struct Baseline {
    pub(super) info: HandlerInfo,
    pub(super) time: Time,
    pub(super) items: Vec<SyncItem>,
    pub(super) counts: CallCounts,
    pub(super) end: EndState,
    pub(super) shows_data: bool,
    /// `true` if every process uses the same handler value, whose memory then survives kills.
    pub(super) shares_handler: bool,
    outcomes: BTreeMap<ItemId, Outcome>,
    durations: BTreeMap<ItemId, Duration>,
}

impl Baseline {
    /// Runs the handler without faults, on two providers.
    pub(super) fn measure(kit: &Kit) -> Result<Self, Violation> {
        let mut fixture = kit.fixture();
        let handler = fixture.provider().clone().handler();
        let (info, time) = (handler.info(), kit.options.time(&*handler));
        let shares_handler = Arc::ptr_eq(&handler, &fixture.provider().clone().handler());
        let (ran, counts) = fixture
            .run_process(async |process| (process.session(SessionPlan::default()).await, process.monitor.counts()));
        let (items, outcomes) = check_outcomes(kit, &ran, &fixture.log)?;
        let (end, shows_data) = (fixture.end_state(info.id()), !fixture.provider().data().is_empty());
        let durations = call_durations(&fixture.log);
        check_reproducible(kit, &mut fixture, &items, &end)?;
        Ok(Self { info, time, items, counts, end, shows_data, shares_handler, outcomes, durations })
    }

    /// Returns the outcome of an item.
    pub(super) fn outcome(&self, item: ItemId) -> Outcome {
        self.outcomes.get(&item).copied().unwrap_or(Outcome::Failed)
    }

    /// Returns `true` if the outcome is acceptable. An item that is not expected to succeed may have any outcome except success.
    pub(super) fn allows(&self, item: ItemId, ended: Option<Outcome>) -> bool {
        match self.outcome(item) {
            Outcome::Succeeded => ended == Some(Outcome::Succeeded),
            _ => ended != Some(Outcome::Succeeded),
        }
    }

    /// Returns `true` if the outcome of a run that may have new items is acceptable. New items must succeed.
    pub(super) fn allows_of(&self, item: &SyncItem, ended: Outcome) -> bool {
        match self.outcomes.contains_key(&item.id()) {
            true => self.allows(item.id(), Some(ended)),
            false => ended == Outcome::Succeeded,
        }
    }

    /// Returns `true` if items have calls of their own.
    pub(super) fn has_item_calls(&self) -> bool {
        !self.durations.is_empty()
    }

    /// Returns the duration of the item's call.
    pub(super) fn duration(&self, item: ItemId) -> Duration {
        self.durations.get(&item).copied().unwrap_or_default()
    }

    /// Returns `true` if there are data or checkpoints to compare.
    pub(super) fn is_comparable(&self) -> bool {
        !self.end.0.is_empty()
    }

    /// Returns the data that each item writes when it runs alone; empty if there are too many items or no data.
    pub(super) fn data_per_item(&self, kit: &Kit) -> BTreeMap<ItemId, EndState> {
        let items = self.items.iter().filter(|_| self.shows_data && self.items.len() <= MAX_ITEMS_ALONE);
        let alone = |item: &SyncItem| {
            let mut fixture = kit.fixture();
            fixture.run_process(async |process| drop(process.session(SessionPlan::single_item(item.id())).await));
            (item.id(), fixture.end_state(self.info.id()))
        };
        items.map(alone).collect()
    }
}

pub(super) const FIXTURE_HELP: &str = "give the kit a provider on which the handler succeeds; declare items that are not \
                                       meant to succeed with `Kit::expecting`; a handler that uses sockets needs `Kit::real_time`";

/// Checks that the session and its items end as expected.
fn check_outcomes(
    kit: &Kit,
    ran: &SessionResult,
    log: &EventLog,
) -> Result<(Vec<SyncItem>, BTreeMap<ItemId, Outcome>), Violation> {
    let violation = |headline: &str| Violation::new(headline, FIXTURE_HELP).with_log(log);
    let SessionResult::Ended(report, outcomes) = ran else {
        return Err(violation("the session does not end, although no fault was injected"));
    };
    let items: Vec<_> = report.items().map(|ended| ended.item.clone()).collect();
    if items.is_empty() {
        let lines = report.to_string().lines().map(String::from).collect::<Vec<_>>();
        return Err(violation("no item was run, so there is nothing to check").with_details(lines));
    }
    let names: BTreeSet<&str> = items.iter().map(SyncItem::name).collect();
    if let Some(name) = kit.expected.keys().find(|name| !names.contains(name.as_str())) {
        return Err(violation(&format!("the kit expects an outcome of `{name}`, but no item has this name")));
    }
    for item in &items {
        let outcome = outcomes.get(&item.id()).copied().unwrap_or(Outcome::Failed);
        kit.check_expected(item, outcome, log)?;
    }
    match report.is_success() || !kit.expected.is_empty() {
        true => Ok((items, outcomes.clone())),
        false => {
            let lines = report.to_string().lines().map(String::from).collect::<Vec<_>>();
            Err(violation("the run does not succeed, although no fault was injected").with_details(lines))
        }
    }
}

/// Checks that a run without faults on another provider has the same items and leaves the same data.
fn check_reproducible(kit: &Kit, first: &mut Fixture, items: &[SyncItem], end: &EndState) -> ScriptResult {
    let mut second = kit.fixture();
    let (handler, listed) = list_items(&mut second);
    let differences = differing_ids(items, &listed);
    // The check `Listing` finds ids that differ in every listing.
    if !differences.is_empty() && differing_ids(items, &list_items(first).1).is_empty() {
        return Err(Violation::new("the items of two providers have different ids", IDS_HELP).with_details(differences));
    }
    let differences = second.end_state(handler).differences(end);
    match differences.is_empty() {
        true => Ok(()),
        false => {
            let help = "exclude values that differ between providers from `Provider::data`: times, random numbers, temporary paths";
            Err(Violation::new("two runs without faults, on two providers, leave different data", help)
                .with_details(differences))
        }
    }
}

const IDS_HELP: &str = "the kit creates a new provider for every script and recognizes items by their ids, so an id must not contain \
                        what is new in each provider, such as the free port of a test server or a temporary path. Derive ids from the \
                        name or path at the peer, without host and port; or let all providers of the test share one server, started \
                        once in a `LazyLock`";

/// Runs all items. Returns the handler's id and the items.
fn list_items(fixture: &mut Fixture) -> (HandlerId, Vec<SyncItem>) {
    let (info, ran) =
        fixture.run_process(async |process| (process.info(), process.session(SessionPlan::default()).await));
    let items = match ran {
        SessionResult::Ended(report, _) => report.items().map(|ended| ended.item.clone()).collect(),
        _ => Vec::new(),
    };
    (info.id(), items)
}

/// Returns the items whose ids differ, one line each.
fn differing_ids(first: &[SyncItem], second: &[SyncItem]) -> Vec<String> {
    let ids: BTreeSet<_> = second.iter().map(SyncItem::id).collect();
    let differing = first.iter().filter(|item| !ids.contains(&item.id()));
    let other = |item: &SyncItem| {
        let same_name = second.iter().find(|other| other.name() == item.name());
        same_name.map_or_else(|| "no item of this name".into(), |other| other.id().to_string())
    };
    differing.map(|item| format!("{}: {}, then {}", ItemLabel::from(item), item.id(), other(item))).take(4).collect()
}

/// Returns the duration of each item's call.
fn call_durations(log: &EventLog) -> BTreeMap<ItemId, Duration> {
    let (mut began, mut durations) = (BTreeMap::<ItemLabel, Duration>::new(), BTreeMap::new());
    for (time, event) in log.events() {
        match event {
            Event::Called(Call::Item(item)) => drop(began.insert(item, time)),
            Event::Returned(Call::Item(item), _) => {
                durations.extend(began.get(&item).map(|began| (item.id, time.saturating_sub(*began))));
            }
            _ => {}
        }
    }
    durations
}
