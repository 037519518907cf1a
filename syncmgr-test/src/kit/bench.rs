//! Where checks are made: scripts in fresh worlds, beside what an undisturbed run came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::SyncItem;

use super::account::Account;
use super::end::EndState;
use super::place::{Call, Named};
use super::process::{Plan, Ran};
use super::rig::{Rig, Time};
use super::ruling::{Breach, Played, Ruling};
use super::{Kit, Promise};

/// What one check has: the kit, and how the handler goes undisturbed.
pub(super) struct Bench<'a> {
    pub(super) kit: &'a Kit,
    pub(super) baseline: Baseline,
}

/// How the handler goes undisturbed.
pub(super) struct Baseline {
    pub(super) info: HandlerInfo,
    pub(super) time: Time,
    pub(super) items: Vec<SyncItem>,
    /// How often each call waits, and commits.
    pub(super) waits: BTreeMap<Call, u32>,
    pub(super) commits: BTreeMap<Call, u32>,
    outcomes: BTreeMap<ItemId, Outcome>,
    pub(super) end: EndState,
    shows_data: bool,
}

impl Baseline {
    /// Runs the handler once, undisturbed.
    pub(super) fn take(kit: &Kit) -> Result<Self, Breach> {
        let mut rig = kit.rig();
        let handler = rig.provider().clone().handler();
        let (info, time) = (handler.info(), Time::of(&*handler));
        drop::<Arc<dyn SyncHandler>>(handler);
        let (ran, (waits, commits)) =
            rig.program(async |process| (process.session(Plan::default()).await, process.watch.counts()));
        let Ran::Rested(report) = ran else { return Err(hangs(&rig.account)) };
        let ended: Vec<_> = report.items().map(|ended| (ended.item.clone(), ended.outcome)).collect();
        for (item, outcome) in &ended {
            kit.expects(item, *outcome, &rig.account)?;
        }
        if !report.is_success() && kit.expected.is_empty() {
            let said = report.to_string().lines().map(String::from).collect::<Vec<_>>();
            return Err(Breach::new("the handler does not get through undisturbed", FIXTURE)
                .with_details(said)
                .with_account(&rig.account));
        }
        let end = rig.end_state(info.id());
        same_in_another_world(kit, info.id(), &end)?;
        let outcomes = ended.iter().map(|(item, outcome)| (item.id(), *outcome)).collect();
        let items = ended.into_iter().map(|(item, _)| item).collect();
        let shows_data = !rig.provider().data().is_empty();
        Ok(Self { info, time, items, waits, commits, outcomes, end, shows_data })
    }

    /// How an item ends undisturbed.
    pub(super) fn outcome(&self, item: ItemId) -> Outcome {
        self.outcomes.get(&item).copied().unwrap_or(Outcome::Failed)
    }
}

pub(super) const FIXTURE: &str = "give the kit a world in which the handler succeeds; of an item that is meant to end \
                                  otherwise, say so with `Kit::expecting`";

/// Whether an undisturbed run in another world comes to the same.
fn same_in_another_world(kit: &Kit, handler: HandlerId, end: &EndState) -> Played {
    let mut rig = kit.rig();
    rig.program(async |process| drop(process.session(Plan::default()).await));
    let differences = rig.end_state(handler).differences(end);
    match differences.is_empty() {
        true => Ok(()),
        false => {
            let help = "leave out of `Provider::data` what is another in every world: times, numbers by chance, where the world is";
            Err(Breach::new("two worlds, both undisturbed, come to different data", help).with_details(differences))
        }
    }
}

fn hangs(account: &Account) -> Breach {
    Breach::new("a session does not come to an end, although nothing is in its way", FIXTURE).with_account(account)
}

impl Bench<'_> {
    pub(super) fn rig(&self) -> Rig {
        self.kit.rig()
    }

    pub(super) fn handler(&self) -> HandlerId {
        self.baseline.info.id()
    }

    /// Whether the provider shows what its work has come to.
    pub(super) fn shows_data(&self) -> bool {
        self.baseline.shows_data
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
            if let Err(breach) = script.play(self) {
                return Ruling::Broken(self.shortest(script, breach));
            }
        }
        Ruling::Kept { scripts: chosen.len(), left_out: all - chosen.len() }
    }

    /// The same with the shorter one of two scripts, if that one shows it too.
    fn shortest<S: Promise>(&self, script: &S, breach: Breach) -> Breach {
        let shorter =
            script.shorter().and_then(|shorter| shorter.play(self).err().map(|breach| (shorter.to_string(), breach)));
        let (script, breach) = shorter.unwrap_or_else(|| (script.to_string(), breach));
        breach.in_script(script)
    }

    /// How many scripts a check plays at most.
    fn most(&self) -> usize {
        match self.baseline.time {
            Time::Virtual => self.kit.most,
            Time::Real => (self.kit.most / 10).max(1),
        }
    }

    /// What a session after the script has come to, if that is not what an undisturbed one does.
    pub(super) fn compare(&self, rig: &Rig, ran: &Ran, after: &str) -> Played {
        let breach = |headline: String, help: &str| Err(Breach::new(headline, help).with_account(&rig.account));
        if !matches!(ran, Ran::Rested(_)) {
            return breach(format!("a run after {after} does not come to an end"), AFTER);
        }
        for item in &self.baseline.items {
            let (ended, wanted) = (ran.outcome(item), self.baseline.outcome(item.id()));
            if ended != Some(wanted) {
                let ended =
                    ended.map_or_else(|| "is missing from the report".into(), |outcome| format!("ends: {outcome}"));
                return breach(
                    format!("in a run after {after}, {} {ended}; undisturbed it ends: {wanted}", Named::from(item)),
                    AFTER,
                )
                .map_err(|breach| breach.about(&Named::from(item)));
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

const AFTER: &str = "look for what the cut left behind: a lock or flag that is never cleared, a half-written piece, state that \
                     only lives in memory";

const ORDER: &str =
    "write the data first, whole or not at all, and commit after it; what is only half there must be done again";

/// So many of them, evenly spread, with the first.
fn spread<S>(scripts: Vec<S>, most: usize) -> Vec<S> {
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
