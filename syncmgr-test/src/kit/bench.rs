//! Where a check is made: scripts in fresh worlds, beside what an undisturbed run came to.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use syncmgr_core::id::{HandlerId, ItemId};

use super::account::{Account, Event};
use super::baseline::Baseline;
use super::breach::{Breach, Played};
use super::check::Check;
use super::end::EndState;
use super::place::Named;
use super::process::Ran;
use super::rig::{Rig, Time};
use super::ruling::{Kept, Ruling};
use super::{Kit, Pulse};

/// So many runs of items are enough for a check: of a handler with many items fewer scripts are played.
const ENOUGH: usize = 20_000;

/// What one check has: the kit, and how the handler goes undisturbed.
pub(super) struct Bench<'a> {
    pub(super) kit: &'a Kit,
    pub(super) check: Check,
    pub(super) baseline: Baseline,
    pulse: &'a Pulse,
    pieces: OnceCell<BTreeMap<ItemId, EndState>>,
    unreached: Cell<usize>,
    /// What happened in the last world that was made.
    latest: RefCell<Option<Account>>,
}

/// A script of a check, which keeps or breaks its promise. Shown, it is how it is asked for again.
pub(super) trait Promise: std::fmt::Display + Sized {
    fn play(&self, bench: &Bench<'_>) -> Played;

    /// A shorter script that may show the same.
    fn shorter(&self) -> Option<Self> {
        None
    }
}

impl<'a> Bench<'a> {
    pub(super) fn new(kit: &'a Kit, check: Check, baseline: Baseline, pulse: &'a Pulse) -> Self {
        Self {
            kit,
            check,
            baseline,
            pulse,
            pieces: OnceCell::new(),
            unreached: Cell::new(0),
            latest: RefCell::default(),
        }
    }

    pub(super) fn rig(&self) -> Rig {
        let rig = self.kit.rig();
        *self.latest.borrow_mut() = Some(rig.account.clone());
        rig
    }

    pub(super) fn handler(&self) -> HandlerId {
        self.baseline.info.id()
    }

    /// Whether the provider shows what its work has come to.
    pub(super) fn shows_data(&self) -> bool {
        self.baseline.shows_data
    }

    /// What each item makes when it is run alone, as far as that is known.
    pub(super) fn pieces(&self) -> &BTreeMap<ItemId, EndState> {
        self.pieces.get_or_init(|| self.baseline.pieces(self.kit))
    }

    /// Looks whether the script that was played last came to its place: what goes on beside it may go another way.
    pub(super) fn note_whether_reached(&self) {
        let was_cut = self.latest.borrow().as_ref().is_none_or(Account::was_cut);
        self.unreached.set(self.unreached.get() + usize::from(!was_cut));
    }

    /// Plays scripts, each in a world of its own, until one breaks the promise.
    pub(super) fn play<S: Promise>(&self, scripts: Vec<S>) -> Ruling {
        let wanted = |script: &S| self.kit.only.as_ref().is_none_or(|only| script.to_string() == *only);
        let scripts: Vec<S> = scripts.into_iter().filter(wanted).collect();
        let all = scripts.len();
        let chosen = spread(scripts, self.most());
        if chosen.is_empty() {
            return Ruling::Skipped(match &self.kit.only {
                Some(_) => "another script was asked for".into(),
                None => "there is nothing in the handler to try it on".into(),
            });
        }
        for script in &chosen {
            self.pulse.beats(script.to_string());
            if let Err(breach) = script.play(self) {
                return Ruling::Broken(self.shortest(script, breach));
            }
        }
        let unreached = self.unreached.take();
        if self.kit.only.is_some() && unreached == chosen.len() {
            let help = "what goes on beside the call may go another way from run to run; play the whole check again";
            let breach = Breach::new("the script does not come to its place", help);
            return Ruling::Broken(breach.in_script(self.kit.only.clone().unwrap_or_default()));
        }
        Ruling::Kept(Kept { scripts: chosen.len(), left_out: all - chosen.len(), unreached, remark: self.remark() })
    }

    /// Plays one kind of scripts, and if they are well the other.
    pub(super) fn play_both<S: Promise, T: Promise>(&self, first: Vec<S>, second: Vec<T>) -> Ruling {
        match (self.play(first), second.is_empty()) {
            (Ruling::Broken(breach), _) => Ruling::Broken(breach),
            (first, true) => first,
            (Ruling::Skipped(_), false) => self.play(second),
            (Ruling::Kept(kept), false) => match self.play(second) {
                Ruling::Kept(more) => Ruling::Kept(kept.and(more)),
                Ruling::Skipped(_) => Ruling::Kept(kept),
                broken => broken,
            },
        }
    }

    /// The same with the shorter one of two scripts, if that one shows it too.
    fn shortest<S: Promise>(&self, script: &S, breach: Breach) -> Breach {
        let shorter =
            script.shorter().and_then(|shorter| shorter.play(self).err().map(|breach| (shorter.to_string(), breach)));
        let (script, breach) = shorter.unwrap_or_else(|| (script.to_string(), breach));
        breach.in_script(script)
    }

    /// How many scripts a check plays at most.
    pub(super) fn most(&self) -> usize {
        let most = self.kit.most.min(ENOUGH / self.baseline.items.len().max(1)).max(1);
        match self.baseline.time {
            Time::Virtual => most,
            Time::Real => (most / 10).max(1),
        }
    }

    fn remark(&self) -> Option<&'static str> {
        if matches!(self.check, Check::Kill | Check::Resumable) && self.baseline.is_one_value {
            return Some("by a handler whose memory outlives its program: see `Provider::handler`");
        }
        let compares = matches!(self.check, Check::Resume | Check::Kill | Check::Again | Check::Panics);
        (compares && !self.baseline.is_comparable())
            .then_some("by how items end alone: there are no data and no checkpoints")
    }

    /// What a session after the script has come to, if that is not what an undisturbed one does.
    pub(super) fn compare(&self, rig: &Rig, ran: &Ran, after: &str) -> Played {
        no_panic(rig)?;
        let Ran::Rested(_, outcomes) = ran else {
            return Err(
                Breach::new(format!("a run after {after} does not come to an end"), AFTER).with_account(&rig.account)
            );
        };
        for item in &self.baseline.items {
            let (ended, wanted) = (outcomes.get(&item.id()).copied(), self.baseline.outcome(item.id()));
            if !self.baseline.allows(item.id(), ended) {
                let item = Named::from(item);
                let ended =
                    ended.map_or_else(|| "is missing from the report".into(), |outcome| format!("ends: {outcome}"));
                let headline = format!("in a run after {after}, {item} {ended}; undisturbed it ends: {wanted}");
                return Err(Breach::new(headline, AFTER).with_account(&rig.account).with_item(&item));
            }
        }
        self.compare_data(rig, after)
    }

    /// How the data differ from what an undisturbed run leaves.
    pub(super) fn compare_data(&self, rig: &Rig, after: &str) -> Played {
        let differences = rig.end_state(self.handler()).differences(&self.baseline.end);
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Breach::new(format!("after {after} the data are not what an undisturbed run leaves"), ORDER)
                .with_details(differences)
                .with_account(&rig.account)),
        }
    }
}

/// Whether the handler has not panicked by itself.
pub(super) fn no_panic(rig: &Rig) -> Played {
    let panicked = rig.account.find(|event| match event {
        Event::Panicked(call, text) => Some(format!("{call} panics: {text}")),
        _ => None,
    });
    let help = "let no `unwrap` or `expect` rely on what hosts, users, peers or stores answer";
    panicked.map_or(Ok(()), |headline| Err(Breach::new(headline, help).with_account(&rig.account)))
}

const AFTER: &str = "look for what the cut left behind: a lock or flag that is never cleared, a half-written piece, state that \
                     only lives in memory";

const ORDER: &str =
    "write the data first, whole or not at all, and commit after it; what is only half there must be done again";

/// So many of them, evenly spread, with the first.
pub(super) fn spread<S>(scripts: Vec<S>, most: usize) -> Vec<S> {
    let (all, most) = (scripts.len(), most.max(1));
    let wanted: BTreeSet<_> = (0..most).map(|place| place * all / most).collect();
    scripts.into_iter().enumerate().filter(|(place, _)| wanted.contains(place)).map(|(_, script)| script).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn of_too_many_scripts_so_many_are_played_evenly_spread_and_the_first_among_them() {
        assert_eq!(spread((0..5).collect(), 5), [0, 1, 2, 3, 4]);
        assert_eq!(spread((0..10).collect(), 5), [0, 2, 4, 6, 8]);
        assert_eq!(spread((0..1000).collect(), 3).len(), 3);
        assert_eq!(spread((0..7).collect(), 0), [0]);
    }
}
