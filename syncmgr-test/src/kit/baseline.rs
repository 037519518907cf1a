//! How a handler goes with nothing in its way: what every script is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::SyncItem;

use super::Kit;
use super::account::{Account, Event};
use super::breach::{Breach, Played};
use super::end::EndState;
use super::place::{Call, Named};
use super::process::{Ran, SessionPlan};
use super::rig::{Rig, Time};

/// Of how many items is learned what each of them makes.
const LEARNED: usize = 16;

/// How the handler goes undisturbed.
pub(super) struct Baseline {
    pub(super) info: HandlerInfo,
    pub(super) time: Time,
    pub(super) items: Vec<SyncItem>,
    /// How often each call waits, and commits.
    pub(super) waits: BTreeMap<Call, u32>,
    pub(super) commits: BTreeMap<Call, u32>,
    pub(super) end: EndState,
    pub(super) shows_data: bool,
    /// Every program has the same handler, with its memory.
    pub(super) is_one_value: bool,
    outcomes: BTreeMap<ItemId, Outcome>,
    took: BTreeMap<ItemId, Duration>,
}

impl Baseline {
    /// Runs the handler in two worlds, undisturbed.
    pub(super) fn take(kit: &Kit) -> Result<Self, Breach> {
        let mut rig = kit.rig();
        let handler = rig.provider().clone().handler();
        let (info, time) = (handler.info(), Time::of(&*handler));
        let is_one_value = Arc::ptr_eq(&handler, &rig.provider().clone().handler());
        let (ran, (waits, commits)) =
            rig.program(async |process| (process.session(SessionPlan::default()).await, process.watch.counts()));
        let (items, outcomes) = ends_well(kit, &ran, &rig.account)?;
        let (end, shows_data) = (rig.end_state(info.id()), !rig.provider().data().is_empty());
        same_in_another_world(kit, info.id(), &end)?;
        let took = took(&rig.account);
        Ok(Self { info, time, items, waits, commits, end, shows_data, is_one_value, outcomes, took })
    }

    /// How an item ends undisturbed.
    pub(super) fn outcome(&self, item: ItemId) -> Outcome {
        self.outcomes.get(&item).copied().unwrap_or(Outcome::Failed)
    }

    /// Whether an item may end like this. One that is meant not to succeed may do that in any way.
    pub(super) fn allows(&self, item: ItemId, ended: Option<Outcome>) -> bool {
        match self.outcome(item) {
            Outcome::Succeeded => ended == Some(Outcome::Succeeded),
            _ => ended != Some(Outcome::Succeeded),
        }
    }

    /// How long the call of an item takes undisturbed.
    pub(super) fn took(&self, item: ItemId) -> Duration {
        self.took.get(&item).copied().unwrap_or_default()
    }

    /// Whether there is anything to compare but how items end.
    pub(super) fn is_comparable(&self) -> bool {
        !self.end.0.is_empty()
    }

    /// What each of the first items makes when it is run alone.
    pub(super) fn pieces(&self, kit: &Kit) -> BTreeMap<ItemId, EndState> {
        let few = self.items.iter().filter(|_| self.shows_data && self.items.len() <= LEARNED);
        let alone = |item: &SyncItem| {
            let mut rig = kit.rig();
            rig.program(async |process| drop(process.session(SessionPlan::alone(item.id())).await));
            (item.id(), rig.end_state(self.info.id()))
        };
        few.map(alone).collect()
    }
}

pub(super) const FIXTURE: &str = "give the kit a world in which the handler succeeds; of an item that is meant to end otherwise, \
                                  say so with `Kit::expecting`; a handler over sockets needs `capabilities(real_time)`";

/// Whether the session and its items ended as they are meant to.
fn ends_well(kit: &Kit, ran: &Ran, account: &Account) -> Result<(Vec<SyncItem>, BTreeMap<ItemId, Outcome>), Breach> {
    let breach = |headline: &str| Breach::new(headline, FIXTURE).with_account(account);
    let Ran::Rested(report, outcomes) = ran else {
        return Err(breach("a session does not come to an end, although nothing is in its way"));
    };
    let items: Vec<_> = report.items().map(|ended| ended.item.clone()).collect();
    if items.is_empty() {
        let said = report.to_string().lines().map(String::from).collect::<Vec<_>>();
        return Err(breach("no item was run, so there is nothing to judge").with_details(said));
    }
    let names: BTreeSet<&str> = items.iter().map(SyncItem::name).collect();
    if let Some(name) = kit.expected.keys().find(|name| !names.contains(name.as_str())) {
        return Err(breach(&format!("the kit is told to expect something of `{name}`, which no item is called")));
    }
    for item in &items {
        let outcome = outcomes.get(&item.id()).copied().unwrap_or(Outcome::Failed);
        kit.expects(item, outcome, account)?;
    }
    match report.is_success() || !kit.expected.is_empty() {
        true => Ok((items, outcomes.clone())),
        false => {
            let said = report.to_string().lines().map(String::from).collect::<Vec<_>>();
            Err(breach("the handler does not get through undisturbed").with_details(said))
        }
    }
}

/// Whether an undisturbed run in another world comes to the same.
fn same_in_another_world(kit: &Kit, handler: HandlerId, end: &EndState) -> Played {
    let mut rig: Rig = kit.rig();
    rig.program(async |process| drop(process.session(SessionPlan::default()).await));
    let differences = rig.end_state(handler).differences(end);
    match differences.is_empty() {
        true => Ok(()),
        false => {
            let help = "leave out of `Provider::data` what is another in every world: times, numbers by chance, where the world is";
            Err(Breach::new("two worlds, both undisturbed, come to different data", help).with_details(differences))
        }
    }
}

/// How long the call of each item took.
fn took(account: &Account) -> BTreeMap<ItemId, Duration> {
    let (mut began, mut took) = (BTreeMap::<Named, Duration>::new(), BTreeMap::new());
    for (time, event) in account.events() {
        match event {
            Event::Called(Call::Item(item)) => drop(began.insert(item, time)),
            Event::Returned(Call::Item(item), _) => {
                took.extend(began.get(&item).map(|began| (item.id, time.saturating_sub(*began))));
            }
            _ => {}
        }
    }
    took
}
