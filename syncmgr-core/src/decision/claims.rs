//! Who has which named resource, and who waits for one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::host::RunId;
use super::line::{Line, Priority};
use crate::claim::Claim;
use crate::id::{HandlerId, ItemId};

/// An item of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemOfRun {
    /// The run.
    pub run: RunId,
    /// The item.
    pub item: ItemId,
}

/// The claims of one item; all are granted at once or none.
pub type ClaimSet = Arc<[Claim]>;

/// What is claimed in a host.
///
/// An item has its claims from before it begins until it has ended. One that was abandoned keeps them until what it
/// started has ended: it is in quarantine.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    capacities: BTreeMap<Claim, usize>,
    taken: BTreeMap<Claim, usize>,
    held: BTreeMap<ItemOfRun, ClaimSet>,
    waiting: Line<(ItemOfRun, ClaimSet)>,
    quarantined: BTreeMap<(HandlerId, ItemId), ClaimSet>,
}

impl Claims {
    pub(super) fn set_capacity(&mut self, claim: Claim, capacity: usize) {
        self.capacities.insert(claim, capacity.max(1));
    }

    /// Whether the item has its claims now. If not, it waits in line.
    pub(super) fn claim(&mut self, item: ItemOfRun, claims: ClaimSet, priority: Priority) -> bool {
        self.waiting.push((item, claims), priority);
        // Nobody else can be granted anything by that: they could have been before.
        self.grant().contains(&item)
    }

    /// The item has ended, or no longer waits. Returns who has their claims now.
    pub(super) fn release(&mut self, item: ItemOfRun) -> Vec<ItemOfRun> {
        self.waiting.retain(|(waiting, _)| *waiting != item);
        if let Some(claims) = self.held.remove(&item) {
            self.return_all(&claims);
        }
        self.grant()
    }

    /// The item has not begun after all and waits for its turn again: what it has goes back.
    pub(super) fn put_back(&mut self, item: ItemOfRun) -> Vec<ItemOfRun> {
        if let Some(claims) = self.held.remove(&item) {
            self.return_all(&claims);
        }
        self.grant()
    }

    /// The run is over: what it has and waits for is released, apart from what is in quarantine.
    pub(super) fn release_run(&mut self, run: RunId) -> Vec<ItemOfRun> {
        self.waiting.retain(|(waiting, _)| waiting.run != run);
        let held: Vec<_> = self.held.keys().filter(|held| held.run == run).copied().collect();
        for item in held {
            let claims = self.held.remove(&item).unwrap_or_default();
            self.return_all(&claims);
        }
        self.grant()
    }

    /// What the item has started goes on without it: it keeps what it has.
    pub(super) fn quarantine(&mut self, item: ItemOfRun) {
        let claims = self.held.remove(&item).unwrap_or_default();
        if let Some(before) = self.quarantined.insert((item.run.handler, item.item), claims) {
            self.return_all(&before);
        }
    }

    /// What the abandoned item had started has ended.
    pub(super) fn lift(&mut self, handler: HandlerId, item: ItemId) -> Vec<ItemOfRun> {
        if let Some(claims) = self.quarantined.remove(&(handler, item)) {
            self.return_all(&claims);
        }
        self.grant()
    }

    pub(super) fn quarantined(&self) -> impl Iterator<Item = (HandlerId, ItemId)> {
        self.quarantined.keys().copied()
    }

    /// Who waits, each with a claim it waits for.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (ItemOfRun, Claim)> {
        let first_taken =
            |claims: &ClaimSet| claims.iter().find(|claim| !self.is_free(claim)).or(claims.first()).cloned();
        self.waiting.iter().filter_map(move |((item, claims), _)| Some((*item, first_taken(claims)?)))
    }

    /// The items of the run wait with this priority now. Returns who has their claims because of that: one may have been
    /// kept back by one that it overtakes.
    pub(super) fn reassign(&mut self, priority: Priority, run: RunId) -> Vec<ItemOfRun> {
        self.waiting.reassign(priority, |(item, _)| item.run == run);
        self.grant()
    }

    /// Grants in order. One that still waits keeps those behind it from what it wants, so that an item with many claims
    /// is not passed over for ever by items with few.
    fn grant(&mut self) -> Vec<ItemOfRun> {
        let mut granted = Vec::new();
        let mut wanted: BTreeSet<Claim> = BTreeSet::new();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|(item, claims)| {
            let free = claims.iter().all(|claim| self.is_free(claim) && !wanted.contains(claim));
            // An item that asks again before it has put back what it had waits for that.
            let free = free && !self.held.contains_key(item);
            match free {
                true => {
                    self.take(*item, claims.clone());
                    granted.push(*item);
                }
                false => wanted.extend(claims.iter().cloned()),
            }
            !free
        });
        self.waiting = waiting;
        granted
    }

    fn is_free(&self, claim: &Claim) -> bool {
        let capacity = self.capacities.get(claim).copied().unwrap_or(1);
        self.taken.get(claim).copied().unwrap_or(0) < capacity
    }

    fn take(&mut self, item: ItemOfRun, claims: ClaimSet) {
        for claim in claims.iter() {
            *self.taken.entry(claim.clone()).or_default() += 1;
        }
        self.held.insert(item, claims);
    }

    fn return_all(&mut self, claims: &ClaimSet) {
        for claim in claims.iter() {
            if let Some(taken) = self.taken.get_mut(claim) {
                *taken -= 1;
                if *taken == 0 {
                    self.taken.remove(claim);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
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
    fn the_second_item_waits_for_the_first() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(2), set(&["a"]), LOW));
        assert_eq!(claims.waiting().next(), Some((item(2), Claim::new("a"))));
        assert_eq!(claims.release(item(1)), [item(2)]);
    }

    #[test]
    fn a_capacity_of_two_lets_two_in() {
        let mut claims = Claims::default();
        claims.set_capacity(Claim::new("a"), 2);
        assert!(claims.claim(item(1), set(&["a"]), LOW) && claims.claim(item(2), set(&["a"]), LOW));
        assert!(!claims.claim(item(3), set(&["a"]), LOW));
    }

    #[test]
    fn an_item_with_two_claims_is_not_passed_over_by_items_with_one() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(2), set(&["a", "b"]), LOW));
        assert!(!claims.claim(item(3), set(&["b"]), LOW), "behind one that wants it");
        assert_eq!(claims.release(item(1)), [item(2)]);
        assert_eq!(claims.release(item(2)), [item(3)]);
    }

    #[test]
    fn an_abandoned_item_keeps_its_claims_until_its_work_has_ended() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        claims.quarantine(item(1));
        assert!(!claims.claim(item(2), set(&["a"]), LOW));
        assert_eq!(claims.release_run(item(9).run), [], "the whole run leaves, quarantine stays");
        assert_eq!(claims.quarantined().collect::<Vec<_>>(), [(item(1).run.handler, item(1).item)]);
        assert!(!claims.claim(item(3), set(&["a"]), LOW));
        assert_eq!(claims.lift(item(1).run.handler, item(1).item), [item(3)]);
    }

    #[test]
    fn a_run_that_is_over_releases_what_it_has_and_nothing_of_others() {
        let mut claims = Claims::default();
        let other = |number| ItemOfRun { run: RunId { session: SessionId(2), ..item(1).run }, ..item(number) };
        assert!(claims.claim(item(1), set(&["a"]), LOW) && claims.claim(other(1), set(&["b"]), LOW));
        assert!(!claims.claim(item(2), set(&["b"]), LOW) && !claims.claim(other(2), set(&["a"]), LOW));
        assert_eq!(claims.release_run(item(1).run), [other(2)]);
        assert_eq!(claims.release_run(other(1).run), []);
        assert!(claims.taken.is_empty() && claims.waiting.is_empty());
    }

    #[test]
    fn who_waits_for_several_claims_is_told_one_that_others_have() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["b"]), LOW));
        assert!(!claims.claim(item(2), set(&["a", "b"]), LOW));
        assert!(!claims.claim(item(3), set(&["a"]), LOW));
        let waiting: Vec<_> = claims.waiting().collect();
        assert_eq!(waiting, [(item(2), Claim::new("b")), (item(3), Claim::new("a"))], "the last waits for its turn");
    }

    #[test]
    fn a_run_that_became_urgent_is_granted_its_claims_before_others() {
        let mut claims = Claims::default();
        let urgent = ItemOfRun { run: RunId { session: SessionId(2), ..item(3).run }, ..item(3) };
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(2), set(&["a"]), LOW) && !claims.claim(urgent, set(&["a"]), LOW));
        assert_eq!(claims.reassign(Priority::Foreground, urgent.run), []);
        assert_eq!(claims.release(item(1)), [urgent]);
    }

    #[test]
    fn an_item_that_puts_its_claims_back_and_asks_again_is_not_forgotten() {
        let mut claims = Claims::default();
        assert!(claims.claim(item(1), set(&["a"]), LOW));
        assert!(!claims.claim(item(1), set(&["a"]), LOW), "asked again before it has put them back");
        assert_eq!(claims.put_back(item(1)), [item(1)]);
        assert_eq!(claims.release(item(1)), []);
        assert!(claims.taken.is_empty());
    }

    #[derive(Clone, Debug)]
    enum Act {
        Claim(u128, Vec<usize>, bool),
        Release(u128),
        Quarantine(u128),
        Reassign(u128, bool),
    }

    /// Of one of two runs.
    fn of_two(number: u128) -> ItemOfRun {
        let run = RunId { session: SessionId((number % 2) as u64), ..item(number).run };
        ItemOfRun { run, ..item(number) }
    }

    const fn priority(urgent: bool) -> Priority {
        if urgent { Priority::Foreground } else { LOW }
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let item = 1..12_u128;
        let names = proptest::collection::btree_set(0..4_usize, 1..4).prop_map(|names| names.into_iter().collect());
        let act = prop_oneof![
            4 => (item.clone(), names, any::<bool>()).prop_map(|(item, names, urgent)| Act::Claim(item, names, urgent)),
            3 => item.clone().prop_map(Act::Release),
            1 => item.clone().prop_map(Act::Quarantine),
            1 => (item, any::<bool>()).prop_map(|(item, urgent)| Act::Reassign(item, urgent)),
        ];
        proptest::collection::vec(act, 0..80)
    }

    proptest! {
        #[test]
        fn capacities_hold_and_everybody_gets_a_turn_once_others_end(acts in acts()) {
            const NAMES: [&str; 4] = ["a", "b", "c", "d"];
            let mut claims = Claims::default();
            claims.set_capacity(Claim::new("d"), 2);
            // What is in quarantine does not run again.
            let known = |claims: &Claims, item: ItemOfRun| {
                claims.held.contains_key(&item)
                    || claims.waiting.iter().any(|((waiting, _), _)| *waiting == item)
                    || claims.quarantined.contains_key(&(item.run.handler, item.item))
            };
            for act in acts {
                match act {
                    Act::Claim(number, names, urgent) => if !known(&claims, of_two(number)) {
                        let names: Vec<_> = names.into_iter().map(|name| NAMES[name]).collect();
                        claims.claim(of_two(number), set(&names), priority(urgent));
                    },
                    Act::Release(number) => { claims.release(of_two(number)); }
                    Act::Quarantine(number) => if claims.held.contains_key(&of_two(number)) {
                        claims.quarantine(of_two(number));
                    },
                    Act::Reassign(number, urgent) => { claims.reassign(priority(urgent), of_two(number).run); }
                }
                prop_assert_eq!(claims.clone().grant(), [], "who can begin does not wait");
                for (claim, taken) in &claims.taken {
                    let capacity = if claim.name() == "d" { 2 } else { 1 };
                    prop_assert!((1..=capacity).contains(taken), "{claim} is taken {taken} times");
                }
            }
            for (handler, item) in claims.quarantined().collect::<Vec<_>>() {
                claims.lift(handler, item);
            }
            while let Some(ended) = claims.held.keys().next().copied() {
                claims.release(ended);
            }
            prop_assert!(claims.waiting.is_empty(), "everybody had a turn");
            prop_assert!(claims.taken.is_empty(), "everything came back");
        }
    }
}
