//! What the kit plays: scripts in which something happens at one place of a call, and other stories.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use syncmgr_core::id::ItemId;

use super::bench::{Bench, Promise};
use super::breach::Played;
use super::place::{Call, Cut, How, Moment, Place};
use super::process::SessionPlan;

/// A script that is told by its name.
pub(super) struct Story {
    name: String,
    play: Box<dyn Fn(&Bench<'_>) -> Played>,
}

impl Story {
    pub(super) fn new(name: impl Into<String>, play: impl Fn(&Bench<'_>) -> Played + 'static) -> Self {
        Self { name: name.into(), play: Box::new(play) }
    }
}

impl Promise for Story {
    fn play(&self, bench: &Bench<'_>) -> Played {
        (self.play)(bench)
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A session in which something happens at one place, and what must hold then.
#[derive(Clone)]
pub(super) struct CutScript {
    pub(super) cut: Cut,
    scope: Scope,
    judge: Judge,
}

/// What must hold after a script.
type Judge = fn(&CutScript, &Bench<'_>) -> Played;

/// Which items the session is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Everything,
    /// The session runs this item alone.
    Alone,
    /// As everything, and it would not show with the item alone.
    OnlyEverything,
}

impl CutScript {
    /// These cuts in a session over everything, the early ones first.
    pub(super) fn all(places: Vec<Place>, how: How, judge: Judge) -> Vec<Self> {
        Self::each(places.into_iter().map(|place| Cut { place, how: how.clone() }), judge)
    }

    pub(super) fn each(cuts: impl Iterator<Item = Cut>, judge: Judge) -> Vec<Self> {
        cuts.map(|cut| Self { cut, scope: Scope::OnlyEverything, judge }).collect()
    }

    /// The same, each also with its item alone, which makes a shorter story.
    pub(super) fn or_alone(scripts: Vec<Self>, bench: &Bench<'_>) -> Vec<Self> {
        let everything = scripts.into_iter().map(|script| Self { scope: Scope::Everything, ..script });
        match bench.kit.only {
            None => everything.collect(),
            Some(_) => everything.flat_map(|script| [script.shorter(), Some(script)]).flatten().collect(),
        }
    }

    /// The session with the cut.
    pub(super) fn plan(&self) -> SessionPlan {
        let item = self.cut.place.call.item().filter(|_| self.scope == Scope::Alone);
        let items = item.map(|item| BTreeSet::from([item.id]));
        SessionPlan { items, cut: Some(self.cut.clone()), ..SessionPlan::default() }
    }
}

impl Promise for CutScript {
    fn play(&self, bench: &Bench<'_>) -> Played {
        let played = (self.judge)(self, bench);
        bench.note_whether_reached();
        match self.cut.item() {
            Some(item) => played.map_err(|breach| breach.with_item(item)),
            None => played,
        }
    }

    fn shorter(&self) -> Option<Self> {
        let is_about_an_item = self.cut.place.call.item().is_some();
        (is_about_an_item && self.scope == Scope::Everything).then(|| Self { scope: Scope::Alone, ..self.clone() })
    }
}

impl fmt::Display for CutScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alone = if self.scope == Scope::Alone { ", alone" } else { "" };
        write!(f, "{}{alone}", self.cut)
    }
}

impl Bench<'_> {
    /// Every wait of the calls this is about, the early ones first.
    pub(super) fn waits(&self, about: impl Fn(&Call) -> bool) -> Vec<Place> {
        let calls = self.baseline.waits.iter().filter(|(call, _)| about(call));
        let places = calls.flat_map(|(call, waits)| (1..=*waits).map(|wait| place(call, Moment::Await(wait))));
        self.early_first(places)
    }

    /// Every commit, before and after it was stored.
    pub(super) fn commits(&self) -> Vec<Place> {
        let moments = |commit| [Moment::BeforeCommit(commit), Moment::AfterCommit(commit)];
        let commits = self.baseline.commits.iter();
        let places =
            commits.flat_map(|(call, commits)| (1..=*commits).flat_map(moments).map(|moment| place(call, moment)));
        self.early_first(places)
    }

    /// Every place there is.
    pub(super) fn places(&self) -> Vec<Place> {
        self.early_first(self.waits(|_| true).into_iter().chain(self.commits()))
    }

    /// The earlier in a call the sooner, and items in the order they are listed.
    fn early_first(&self, places: impl Iterator<Item = Place>) -> Vec<Place> {
        let number = |place: &Place| match place.moment {
            Moment::Await(number) | Moment::BeforeCommit(number) | Moment::AfterCommit(number) => number,
        };
        let order: BTreeMap<ItemId, usize> =
            self.baseline.items.iter().enumerate().map(|(place, item)| (item.id(), place)).collect();
        let listed = |place: &Place| place.call.item().and_then(|item| order.get(&item.id)).copied();
        let mut places: Vec<_> = places.collect();
        places.sort_by_cached_key(|place| (number(place), listed(place), place.moment, place.call.clone()));
        places
    }
}

fn place(call: &Call, moment: Moment) -> Place {
    Place { call: call.clone(), moment }
}
