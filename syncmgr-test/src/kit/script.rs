//! The scripts that the kit plays: sessions with a fault injected at an injection point, and custom scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use syncmgr_core::id::ItemId;

use super::checker::{Checker, Script};
use super::injection::{Call, CallCounts, Fault, Injection, InjectionPoint, Moment};
use super::process::SessionPlan;
use super::violation::ScriptResult;

/// A script that is a named closure.
pub(super) struct CustomScript {
    name: String,
    play: Box<dyn Fn(&Checker<'_>) -> ScriptResult>,
}

impl CustomScript {
    pub(super) fn new(name: impl Into<String>, play: impl Fn(&Checker<'_>) -> ScriptResult + 'static) -> Self {
        Self { name: name.into(), play: Box::new(play) }
    }
}

impl Script for CustomScript {
    fn play(&self, checker: &Checker<'_>) -> ScriptResult {
        (self.play)(checker)
    }
}

impl fmt::Display for CustomScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A session with a fault injected at one injection point, and the function that plays and verifies it.
#[derive(Clone)]
pub(super) struct FaultScript {
    pub(super) injection: Injection,
    scope: Scope,
    verify: Verify,
}

/// Plays a script and verifies the result.
type Verify = fn(&FaultScript, &Checker<'_>) -> ScriptResult;

/// The items of the session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    AllItems,
    /// Only the item with the injection.
    SingleItem,
    /// All items, because a single item would not show the violation.
    AllItemsOnly,
}

impl FaultScript {
    /// Creates a script over all items for each injection point, in the same order.
    pub(super) fn all(points: Vec<InjectionPoint>, fault: Fault, verify: Verify) -> Vec<Self> {
        Self::each(points.into_iter().map(|point| Injection { point, fault: fault.clone() }), verify)
    }

    pub(super) fn each(injections: impl Iterator<Item = Injection>, verify: Verify) -> Vec<Self> {
        injections.map(|injection| Self { injection, scope: Scope::AllItemsOnly, verify }).collect()
    }

    /// Allows each script to be shortened to its item alone.
    pub(super) fn or_single_item(scripts: Vec<Self>, checker: &Checker<'_>) -> Vec<Self> {
        let all_items = scripts.into_iter().map(|script| Self { scope: Scope::AllItems, ..script });
        match checker.kit.only {
            None => all_items.collect(),
            Some(_) => all_items.flat_map(|script| [script.shorter(), Some(script)]).flatten().collect(),
        }
    }

    /// Returns the session with the injection.
    pub(super) fn plan(&self) -> SessionPlan {
        let item = self.injection.point.call.item().filter(|_| self.scope == Scope::SingleItem);
        let items = item.map(|item| BTreeSet::from([item.id]));
        SessionPlan { items, injection: Some(self.injection.clone()), ..SessionPlan::default() }
    }
}

impl Script for FaultScript {
    fn play(&self, checker: &Checker<'_>) -> ScriptResult {
        let result = (self.verify)(self, checker);
        checker.count_if_unreached();
        match self.injection.item() {
            Some(item) => result.map_err(|violation| violation.with_item(item)),
            None => result,
        }
    }

    fn shorter(&self) -> Option<Self> {
        let has_item = self.injection.point.call.item().is_some();
        (has_item && self.scope == Scope::AllItems).then(|| Self { scope: Scope::SingleItem, ..self.clone() })
    }
}

impl fmt::Display for FaultScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = if self.scope == Scope::SingleItem { ", this item only" } else { "" };
        write!(f, "{}{scope}", self.injection)
    }
}

impl Checker<'_> {
    /// Returns the awaits of the calls that match, early ones first.
    pub(super) fn awaits(&self, matches: impl Fn(&Call) -> bool) -> Vec<InjectionPoint> {
        self.early_first(awaits_of(&self.baseline.counts).filter(|point| matches(&point.call)))
    }

    /// Returns the injection points before and after each commit, early ones first.
    pub(super) fn commits(&self) -> Vec<InjectionPoint> {
        self.early_first(commits_of(&self.baseline.counts))
    }

    /// Returns all injection points of the baseline, early ones first.
    pub(super) fn injection_points(&self) -> Vec<InjectionPoint> {
        self.injection_points_of(&self.baseline.counts)
    }

    /// Returns all injection points of a session with these calls, early ones first.
    pub(super) fn injection_points_of(&self, counts: &CallCounts) -> Vec<InjectionPoint> {
        self.early_first(awaits_of(counts).chain(commits_of(counts)))
    }

    /// Sorts by the number within a call, then by the order in which the items are listed.
    fn early_first(&self, points: impl Iterator<Item = InjectionPoint>) -> Vec<InjectionPoint> {
        let number = |point: &InjectionPoint| match point.moment {
            Moment::Await(number) | Moment::BeforeCommit(number) | Moment::AfterCommit(number) => number,
        };
        let order: BTreeMap<ItemId, usize> =
            self.baseline.items.iter().enumerate().map(|(index, item)| (item.id(), index)).collect();
        let listed = |point: &InjectionPoint| point.call.item().and_then(|item| order.get(&item.id)).copied();
        let mut points: Vec<_> = points.collect();
        points.sort_by_cached_key(|point| (number(point), listed(point), point.moment, point.call.clone()));
        points
    }
}

fn awaits_of(counts: &CallCounts) -> impl Iterator<Item = InjectionPoint> {
    counts.waits.iter().flat_map(|(call, waits)| (1..=*waits).map(|wait| point(call, Moment::Await(wait))))
}

fn commits_of(counts: &CallCounts) -> impl Iterator<Item = InjectionPoint> {
    let moments = |commit| [Moment::BeforeCommit(commit), Moment::AfterCommit(commit)];
    let commits = counts.commits.iter();
    commits.flat_map(move |(call, commits)| (1..=*commits).flat_map(moments).map(|moment| point(call, moment)))
}

fn point(call: &Call, moment: Moment) -> InjectionPoint {
    InjectionPoint { call: call.clone(), moment }
}
