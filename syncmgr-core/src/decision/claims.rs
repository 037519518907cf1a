//! The claims of items on named resources.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::fair_queue::{FairQueue, Rank, Urgency};
use super::host::RunId;
use crate::claim::Claim;
use crate::id::{HandlerId, ItemId};

/// An item in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemOfRun {
    /// The run.
    pub run: RunId,
    /// The item.
    pub item: ItemId,
}

/// The claims of one item. They are granted together or not at all.
pub type ClaimSet = Arc<[Claim]>;

/// The ranks of queued items that may get their claims, because something changed about one of these claims.
type Candidates = BTreeSet<Rank>;

/// The claims held and requested in a host.
///
/// An item holds its claims from before it begins until it has ended. An abandoned item is in quarantine: it holds its claims until
/// its abandoned work has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// The capacities that the application set.
    capacities: BTreeMap<Claim, usize>,
    taken: BTreeMap<Claim, Taken>,
    held: BTreeMap<ItemOfRun, ClaimSet>,
    waiting: FairQueue<(ItemOfRun, ClaimSet)>,
    /// The ranks of the queued items that want each claim.
    wanted: BTreeMap<Claim, BTreeSet<Rank>>,
    /// The rank of each queued item.
    queued: BTreeSet<(ItemOfRun, Rank)>,
    quarantined: BTreeMap<(HandlerId, ItemId), ClaimSet>,
    /// The number of claims that were checked.
    #[cfg(test)]
    checks: std::cell::Cell<usize>,
}

/// A claim that items hold.
#[derive(Clone, Copy, Debug)]
struct Taken {
    items: usize,
    /// The smallest capacity that the items declared since the claim was last free.
    capacity: usize,
}

impl Default for Taken {
    fn default() -> Self {
        Self { items: 0, capacity: usize::MAX }
    }
}

impl Taken {
    fn add(&mut self, claim: &Claim) {
        *self = Self { items: self.items + 1, capacity: self.capacity.min(declared(claim)) };
    }
}

impl Claims {
    pub(super) fn set_capacity(&mut self, claim: Claim, capacity: usize) {
        self.capacities.insert(claim, capacity.max(1));
    }

    /// Returns `true` if the claims are granted now. Otherwise the item is queued.
    pub(super) fn claim(&mut self, item: ItemOfRun, claims: ClaimSet, urgency: impl Into<Urgency>) -> bool {
        let is_unwanted = |claim| !self.wanted.contains_key(claim);
        if !self.held.contains_key(&item) && claims.iter().all(|claim| is_unwanted(claim) && self.is_free(claim)) {
            self.take(item, claims);
            return true;
        }
        let rank = self.enqueue(item, claims, urgency.into());
        // No other item gets its claims now: an item whose claims were free already has them.
        self.grant([rank].into()).contains(&item)
    }

    /// Releases the claims of an item and removes it from the queue. Returns the items that got their claims.
    pub(super) fn release(&mut self, item: ItemOfRun) -> Vec<ItemOfRun> {
        let mut candidates = Candidates::new();
        for rank in self.ranks_of(item) {
            self.dequeue(rank, &mut candidates);
        }
        self.release_held(item, &mut candidates);
        self.grant(candidates)
    }

    /// Releases the claims of an item that has not begun. Returns the items that got their claims.
    pub(super) fn requeue(&mut self, item: ItemOfRun) -> Vec<ItemOfRun> {
        let mut candidates: Candidates = self.ranks_of(item).into_iter().collect();
        self.release_held(item, &mut candidates);
        self.grant(candidates)
    }

    /// Releases the claims of a run and removes its items from the queue, except for items in quarantine.
    pub(super) fn release_run(&mut self, run: RunId) -> Vec<ItemOfRun> {
        if self.held.is_empty() && self.queued.is_empty() {
            return Vec::new();
        }
        let mut candidates = Candidates::new();
        for rank in self.ranks_of_run(run) {
            self.dequeue(rank, &mut candidates);
        }
        let held: Vec<_> = self.held.range(items_of(run)).map(|(held, _)| *held).collect();
        for item in held {
            self.release_held(item, &mut candidates);
        }
        self.grant(candidates)
    }

    /// Puts an item in quarantine. The item still holds its claims.
    pub(super) fn quarantine(&mut self, item: ItemOfRun) {
        let claims = self.held.remove(&item).unwrap_or_default();
        let quarantined = self.quarantined.entry((item.run.handler, item.item)).or_default();
        *quarantined = quarantined.iter().chain(claims.iter()).cloned().collect();
    }

    /// Ends the quarantine of an item.
    pub(super) fn end_quarantine(&mut self, handler: HandlerId, item: ItemId) -> Vec<ItemOfRun> {
        let mut candidates = Candidates::new();
        if let Some(claims) = self.quarantined.remove(&(handler, item)) {
            self.release_all(&claims, &mut candidates);
        }
        self.grant(candidates)
    }

    pub(super) fn quarantined(&self) -> impl Iterator<Item = (HandlerId, ItemId)> {
        self.quarantined.keys().copied()
    }

    /// Returns the queued items, each with a claim it waits for.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (ItemOfRun, Claim)> {
        let first_taken =
            |claims: &ClaimSet| claims.iter().find(|claim| !self.is_free(claim)).or(claims.first()).cloned();
        self.waiting.iter().filter_map(move |((item, claims), _)| Some((*item, first_taken(claims)?)))
    }

    /// Changes the urgency of the run's queued items. Returns the items that got their claims, because they are no longer behind
    /// another item.
    pub(super) fn reassign(&mut self, urgency: impl Into<Urgency>, run: RunId) -> Vec<ItemOfRun> {
        let urgency = urgency.into();
        let mut candidates = Candidates::new();
        for rank in self.ranks_of_run(run) {
            if self.waiting.urgency(rank) == Some(urgency) {
                continue;
            }
            let Some((item, claims)) = self.dequeue(rank, &mut candidates) else { continue };
            candidates.insert(self.enqueue(item, claims, urgency));
        }
        self.grant(candidates)
    }

    /// Grants claims to candidates, in the order of the queue. A claim that a queued item waits for is not granted to the items
    /// behind it, so that items with few claims cannot starve an item with many.
    fn grant(&mut self, mut candidates: Candidates) -> Vec<ItemOfRun> {
        let mut granted = Vec::new();
        while let Some(rank) = candidates.pop_first() {
            if self.may_have_claims(rank)
                && let Some((item, claims)) = self.dequeue(rank, &mut candidates)
            {
                self.take(item, claims);
                granted.push(item);
            }
        }
        granted
    }

    /// Returns `true` if all claims of a queued item are free and no item ahead of it waits for one of them.
    fn may_have_claims(&self, rank: Rank) -> bool {
        let Some((item, claims)) = self.waiting.get(rank) else { return false };
        let is_first = |claim| self.first_waiting(claim) == Some(rank);
        // An item that claims again waits until its earlier claims are released.
        !self.held.contains_key(item) && claims.iter().all(|claim| self.is_free(claim) && is_first(claim))
    }

    /// Returns the rank of the first queued item that wants this claim.
    fn first_waiting(&self, claim: &Claim) -> Option<Rank> {
        self.wanted.get(claim)?.first().copied()
    }

    fn enqueue(&mut self, item: ItemOfRun, claims: ClaimSet, urgency: Urgency) -> Rank {
        let rank = self.waiting.push((item, claims.clone()), urgency);
        self.queued.insert((item, rank));
        for claim in claims.iter() {
            self.wanted.entry(claim.clone()).or_default().insert(rank);
        }
        rank
    }

    /// Removes an item from the queue. The next items that want its claims become candidates.
    fn dequeue(&mut self, rank: Rank, candidates: &mut Candidates) -> Option<(ItemOfRun, ClaimSet)> {
        let (item, claims) = self.waiting.remove(rank)?;
        self.queued.remove(&(item, rank));
        for claim in claims.iter() {
            if let Entry::Occupied(mut ranks) = self.wanted.entry(claim.clone()) {
                ranks.get_mut().remove(&rank);
                match ranks.get().first() {
                    Some(next) => _ = candidates.insert(*next),
                    None => _ = ranks.remove(),
                }
            }
        }
        Some((item, claims))
    }

    fn ranks_of(&self, item: ItemOfRun) -> Vec<Rank> {
        self.queued.range((item, Rank::MIN)..=(item, Rank::MAX)).map(|(_, rank)| *rank).collect()
    }

    /// Returns the ranks of a run's queued items, in the order of the queue.
    fn ranks_of_run(&self, run: RunId) -> BTreeSet<Rank> {
        let items = items_of(run);
        self.queued.range((*items.start(), Rank::MIN)..=(*items.end(), Rank::MAX)).map(|(_, rank)| *rank).collect()
    }

    /// Releases the claims that an item holds.
    fn release_held(&mut self, item: ItemOfRun, candidates: &mut Candidates) {
        if let Some(claims) = self.held.remove(&item) {
            self.release_all(&claims, candidates);
        }
    }

    fn is_free(&self, claim: &Claim) -> bool {
        #[cfg(test)]
        self.checks.set(self.checks.get() + 1);
        let taken = self.taken.get(claim).copied().unwrap_or_default();
        let capacity = self.capacities.get(claim).copied().unwrap_or_else(|| taken.capacity.min(declared(claim)));
        taken.items < capacity
    }

    fn take(&mut self, item: ItemOfRun, claims: ClaimSet) {
        for claim in claims.iter() {
            match self.taken.get_mut(claim) {
                Some(taken) => taken.add(claim),
                None => self.taken.entry(claim.clone()).or_default().add(claim),
            }
        }
        self.held.insert(item, claims);
    }

    /// Releases claims. The first items that want them become candidates.
    fn release_all(&mut self, claims: &ClaimSet, candidates: &mut Candidates) {
        for claim in claims.iter() {
            if let Some(taken) = self.taken.get_mut(claim) {
                taken.items -= 1;
                if taken.items == 0 {
                    self.taken.remove(claim);
                }
            }
            candidates.extend(self.first_waiting(claim));
        }
    }
}

/// Returns the range of all items of a run.
fn items_of(run: RunId) -> RangeInclusive<ItemOfRun> {
    let item = |number| ItemOfRun { run, item: ItemId::from_u128(number) };
    item(0)..=item(u128::MAX)
}

/// The capacity that a claim declares.
fn declared(claim: &Claim) -> usize {
    claim.capacity().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decision::fair_queue::Priority;
    use crate::id::SessionId;

    fn item(number: u128) -> ItemOfRun {
        let run = RunId { session: SessionId(1), handler: HandlerId::from_u128(1) };
        ItemOfRun { run, item: ItemId::from_u128(number) }
    }

    fn set(names: &[&str]) -> ClaimSet {
        names.iter().map(Claim::new).collect()
    }

    const LOW: Priority = Priority::Background;

    #[test]
    fn an_item_waits_for_another_item_with_the_same_claim() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(2), set(&["a"]), LOW));
        assert_eq!(claims.waiting().next(), Some((item(2), Claim::new("a"))));
        assert_eq!(claims.release(item(1)), [item(2)]);
    }

    #[test]
    fn a_capacity_of_two_admits_two_items() {
        let mut claims = Claims::default();
        claims.set_capacity(Claim::new("a"), 2);
        assert!(claims.claim(item(1), set(&["a"]), LOW) && claims.claim(item(2), set(&["a"]), LOW));
        assert!(!claims.claim(item(3), set(&["a"]), LOW));
    }

    fn of_capacity(name: &str, capacity: usize) -> ClaimSet {
        [Claim::new(name).with_capacity(capacity)].into()
    }

    #[test]
    fn a_declared_capacity_admits_as_many_items() {
        let mut claims = Claims::default();
        let admitted = (1..=5).filter(|&number| claims.claim(item(number), of_capacity("a", 3), LOW)).count();
        assert_eq!(admitted, 3);
        assert!(claims.claim(item(6), of_capacity("b", 0), LOW), "a capacity of 0 counts as 1");
    }

    #[test]
    fn the_capacity_of_the_application_overrides_a_declared_one() {
        for (set, admitted) in [(1, 1), (4, 4)] {
            let mut claims = Claims::default();
            claims.set_capacity(Claim::new("a"), set);
            let granted = (1..=5).filter(|&number| claims.claim(item(number), of_capacity("a", 3), LOW)).count();
            assert_eq!(granted, admitted);
        }
    }

    #[test]
    fn the_smallest_declared_capacity_applies_while_a_claim_is_held() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), of_capacity("a", 3), LOW) && claims.claim(item(2), of_capacity("a", 2), LOW));
        assert!(!claims.claim(item(3), of_capacity("a", 3), LOW), "an item at work declared a capacity of 2");
        assert!(!claims.claim(item(4), set(&["a"]), LOW), "a claim without a capacity is exclusive");
        assert_eq!(claims.release(item(1)), [item(3)]);
        assert_eq!(claims.release(item(2)), []);
        assert_eq!(claims.release(item(3)), [item(4)]);
        assert_eq!(claims.release(item(4)), []);
        assert!(claims.taken.is_empty(), "a capacity is kept although no item holds its claim");
    }

    #[test]
    fn an_item_with_two_claims_is_not_overtaken_by_items_with_one() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(2), set(&["a", "b"]), LOW));
        assert!(!claims.claim(item(3), set(&["b"]), LOW), "the claim was granted ahead of an item that waits for it");
        assert_eq!(claims.release(item(1)), [item(2)]);
        assert_eq!(claims.release(item(2)), [item(3)]);
    }

    #[test]
    fn an_abandoned_item_holds_its_claims_until_its_work_has_ended() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        claims.quarantine(item(1));
        assert!(!claims.claim(item(2), set(&["a"]), LOW));
        assert_eq!(claims.release_run(item(9).run), [], "the end of the run ended the quarantine");
        assert_eq!(claims.quarantined().collect::<Vec<_>>(), [(item(1).run.handler, item(1).item)]);
        assert!(!claims.claim(item(3), set(&["a"]), LOW));
        assert_eq!(claims.end_quarantine(item(1).run.handler, item(1).item), [item(3)]);
    }

    #[test]
    fn a_run_that_ends_releases_only_its_own_claims() {
        let mut claims = Claims::default();
        let other = |number| ItemOfRun { run: RunId { session: SessionId(2), ..item(1).run }, ..item(number) };
        assert!(claims.claim(item(1), set(&["a"]), LOW) && claims.claim(other(1), set(&["b"]), LOW));
        assert!(!claims.claim(item(2), set(&["b"]), LOW) && !claims.claim(other(2), set(&["a"]), LOW));
        assert_eq!(claims.release_run(item(1).run), [other(2)]);
        assert_eq!(claims.release_run(other(1).run), []);
        assert!(claims.taken.is_empty() && claims.queued.is_empty());
    }

    #[test]
    fn a_waiting_item_names_a_claim_that_another_item_holds() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["b"]), LOW));
        assert!(!claims.claim(item(2), set(&["a", "b"]), LOW));
        assert!(!claims.claim(item(3), set(&["a"]), LOW));
        let waiting: Vec<_> = claims.waiting().collect();
        assert_eq!(
            waiting,
            [(item(2), Claim::new("b")), (item(3), Claim::new("a"))],
            "item 3 waits behind item 2, although its claim is free"
        );
    }

    #[test]
    fn a_run_that_became_urgent_gets_its_claims_first() {
        let mut claims = Claims::default();
        let urgent = ItemOfRun { run: RunId { session: SessionId(2), ..item(3).run }, ..item(3) };
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(2), set(&["a"]), LOW) && !claims.claim(urgent, set(&["a"]), LOW));
        assert_eq!(claims.reassign(Priority::Foreground, urgent.run), []);
        assert_eq!(claims.release(item(1)), [urgent]);
    }

    #[test]
    fn an_item_that_claims_again_gets_its_claims_after_the_release() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(1), set(&["a"]), LOW), "the claim was granted again before its release");
        assert_eq!(claims.requeue(item(1)), [item(1)]);
        assert_eq!(claims.release(item(1)), []);
        assert!(claims.taken.is_empty());
    }

    #[test]
    fn each_claim_of_an_item_is_checked_once_for_each_item_that_gets_it() {
        const ITEMS: u128 = 40;
        let names: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        let all = || names.iter().map(Claim::new).collect::<ClaimSet>();
        let mut claims = Claims::default();
        let granted = (1..=ITEMS).filter(|number| claims.claim(item(*number), all(), LOW)).count();
        assert_eq!(granted, 1);
        for number in 1..ITEMS {
            assert_eq!(claims.release(item(number)), [item(number + 1)]);
        }
        // An item that does not get its claims is checked up to the first claim that is not free: once when it asks for them, and
        // once when the item before it gets them.
        assert!(claims.checks.get() <= (names.len() + 2) * ITEMS as usize, "{} checks", claims.checks.get());
    }

    #[derive(Clone, Debug)]
    enum Op {
        Claim(u128, Vec<usize>, bool),
        Release(u128),
        Quarantine(u128),
        Reassign(u128, bool),
    }

    /// An item of one of two runs.
    fn item_of_two_runs(number: u128) -> ItemOfRun {
        let run = RunId { session: SessionId((number % 2) as u64), ..item(number).run };
        ItemOfRun { run, ..item(number) }
    }

    const fn priority(urgent: bool) -> Priority {
        if urgent { Priority::Foreground } else { LOW }
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let item = 1..12_u128;
        let names = proptest::collection::btree_set(0..4_usize, 1..4).prop_map(|names| names.into_iter().collect());
        let op = prop_oneof![
            4 => (item.clone(), names, any::<bool>()).prop_map(|(item, names, urgent)| Op::Claim(item, names, urgent)),
            3 => item.clone().prop_map(Op::Release),
            1 => item.clone().prop_map(Op::Quarantine),
            1 => (item, any::<bool>()).prop_map(|(item, urgent)| Op::Reassign(item, urgent)),
        ];
        proptest::collection::vec(op, 0..80)
    }

    proptest! {
        #[test]
        fn no_capacity_is_exceeded_and_every_item_gets_its_claims(ops in ops()) {
            const NAMES: [&str; 4] = ["a", "b", "c", "d"];
            let mut claims = Claims::default();
            claims.set_capacity(Claim::new("d"), 2);
            // An item in quarantine does not run again.
            let known = |claims: &Claims, item: ItemOfRun| {
                claims.held.contains_key(&item)
                    || claims.waiting.iter().any(|((waiting, _), _)| *waiting == item)
                    || claims.quarantined.contains_key(&(item.run.handler, item.item))
            };
            for op in ops {
                match op {
                    Op::Claim(number, names, urgent) => if !known(&claims, item_of_two_runs(number)) {
                        let names: Vec<_> = names.into_iter().map(|name| NAMES[name]).collect();
                        claims.claim(item_of_two_runs(number), set(&names), priority(urgent));
                    },
                    Op::Release(number) => { claims.release(item_of_two_runs(number)); }
                    Op::Quarantine(number) => if claims.held.contains_key(&item_of_two_runs(number)) {
                        claims.quarantine(item_of_two_runs(number));
                    },
                    Op::Reassign(number, urgent) => { claims.reassign(priority(urgent), item_of_two_runs(number).run); }
                }
                let all = claims.queued.iter().map(|(_, rank)| *rank).collect();
                prop_assert_eq!(claims.clone().grant(all), [], "an item waits for free claims");
                for (claim, taken) in &claims.taken {
                    let capacity = if claim.name() == "d" { 2 } else { 1 };
                    prop_assert!((1..=capacity).contains(&taken.items), "{claim} is taken {} times", taken.items);
                }
            }
            for (handler, item) in claims.quarantined().collect::<Vec<_>>() {
                claims.end_quarantine(handler, item);
            }
            while let Some(ended) = claims.held.keys().next().copied() {
                claims.release(ended);
            }
            prop_assert!(claims.queued.is_empty(), "an item never got its claims");
            prop_assert!(claims.taken.is_empty(), "a claim was not released");
            prop_assert!(claims.wanted.is_empty() && claims.queued.is_empty(), "the index has an item that left");
        }
    }
}
