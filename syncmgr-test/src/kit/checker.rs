//! Runs one check: plays its scripts on new providers and compares the results with the baseline.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::item::SyncItem;

use super::baseline::Baseline;
use super::check::Check;
use super::end::EndState;
use super::events::{Event, EventLog};
use super::fixture::{Fixture, Time};
use super::injection::ItemLabel;
use super::process::SessionResult;
use super::result::{CheckResult, Passed};
use super::violation::{ScriptResult, Violation};
use super::{Heartbeat, Kit};

/// The maximum number of item runs per check. The limit reduces the number of scripts for handlers with many items.
const MAX_ITEM_RUNS: usize = 20_000;

/// The context of one check: the kit and the baseline.
pub(super) struct Checker<'a> {
    pub(super) kit: &'a Kit,
    pub(super) check: Check,
    pub(super) baseline: Baseline,
    heartbeat: &'a Heartbeat,
    data_per_item: OnceCell<BTreeMap<ItemId, EndState>>,
    unreached: Cell<usize>,
    /// The event log of the fixture created last.
    latest: RefCell<Option<EventLog>>,
}

/// A script of a check. `Display` prints the name by which it can be selected.
pub(super) trait Script: std::fmt::Display + Sized {
    fn play(&self, checker: &Checker<'_>) -> ScriptResult;

    /// Returns a shorter script that may show the same violation.
    fn shorter(&self) -> Option<Self> {
        None
    }
}

impl<'a> Checker<'a> {
    pub(super) fn new(kit: &'a Kit, check: Check, baseline: Baseline, heartbeat: &'a Heartbeat) -> Self {
        Self {
            kit,
            check,
            baseline,
            heartbeat,
            data_per_item: OnceCell::new(),
            unreached: Cell::new(0),
            latest: RefCell::default(),
        }
    }

    pub(super) fn fixture(&self) -> Fixture {
        let fixture = self.kit.fixture();
        *self.latest.borrow_mut() = Some(fixture.log.clone());
        fixture
    }

    pub(super) fn handler(&self) -> HandlerId {
        self.baseline.info.id()
    }

    /// Returns `true` if the provider shows its data.
    pub(super) fn shows_data(&self) -> bool {
        self.baseline.shows_data
    }

    /// Returns the data that each item writes when it runs alone, as far as known.
    pub(super) fn data_per_item(&self) -> &BTreeMap<ItemId, EndState> {
        self.data_per_item.get_or_init(|| self.baseline.data_per_item(self.kit))
    }

    /// Returns the first and the last item that succeed without faults.
    pub(super) fn sample_items(&self) -> Vec<&SyncItem> {
        let succeeds = |item: &&SyncItem| self.baseline.outcome(item.id()) == Outcome::Succeeded;
        let mut items = self.baseline.items.iter().filter(succeeds);
        items.next().into_iter().chain(items.next_back()).collect()
    }

    /// Counts the last script if it did not reach its injection point, as may happen when concurrent work runs in another order.
    pub(super) fn count_if_unreached(&self) {
        let was_injected = self.latest.borrow().as_ref().is_none_or(EventLog::was_injected);
        self.unreached.set(self.unreached.get() + usize::from(!was_injected));
    }

    /// Plays scripts, each on a new provider, until one shows a violation.
    pub(super) fn play<S: Script>(&self, scripts: Vec<S>) -> CheckResult {
        let wanted = |script: &S| self.kit.only.as_ref().is_none_or(|only| script.to_string() == *only);
        let scripts: Vec<S> = scripts.into_iter().filter(wanted).collect();
        let all = scripts.len();
        let chosen = spread(scripts, self.max_scripts());
        if chosen.is_empty() {
            return CheckResult::Skipped(match &self.kit.only {
                Some(_) => "another script was selected".into(),
                None => "the handler has no call to which the check applies".into(),
            });
        }
        for script in &chosen {
            self.heartbeat.playing(script.to_string());
            if let Err(violation) = script.play(self) {
                return CheckResult::Failed(self.shortest(script, violation));
            }
        }
        let unreached = self.unreached.take();
        if self.kit.only.is_some() && unreached == chosen.len() {
            let help = "concurrent work may run in another order each time; run the whole check again";
            let violation = Violation::new("the script does not reach its injection point", help);
            return CheckResult::Failed(violation.in_script(self.kit.only.clone().unwrap_or_default()));
        }
        CheckResult::Passed(Passed {
            scripts: chosen.len(),
            omitted: all - chosen.len(),
            unreached,
            remark: self.remark(),
        })
    }

    /// Plays scripts of one type, and if they pass, those of another.
    pub(super) fn play_both<S: Script, T: Script>(&self, first: Vec<S>, second: Vec<T>) -> CheckResult {
        match (self.play(first), second.is_empty()) {
            (CheckResult::Failed(violation), _) => CheckResult::Failed(violation),
            (first, true) => first,
            (CheckResult::Skipped(_), false) => self.play(second),
            (CheckResult::Passed(passed), false) => match self.play(second) {
                CheckResult::Passed(more) => CheckResult::Passed(passed.and(more)),
                CheckResult::Skipped(_) => CheckResult::Passed(passed),
                failed => failed,
            },
        }
    }

    /// Returns the violation of the shorter script if that script fails too, otherwise `violation`.
    fn shortest<S: Script>(&self, script: &S, violation: Violation) -> Violation {
        let shorter = script
            .shorter()
            .and_then(|shorter| shorter.play(self).err().map(|violation| (shorter.to_string(), violation)));
        let (script, violation) = shorter.unwrap_or_else(|| (script.to_string(), violation));
        violation.in_script(script)
    }

    /// Returns the maximum number of scripts that a check plays.
    pub(super) fn max_scripts(&self) -> usize {
        let max = self.kit.max_scripts.min(MAX_ITEM_RUNS / self.baseline.items.len().max(1)).max(1);
        match self.baseline.time {
            Time::Virtual => max,
            Time::Real => (max / 10).max(1),
        }
    }

    fn remark(&self) -> Option<&'static str> {
        if matches!(self.check, Check::Kill | Check::Resumable) && self.baseline.shares_handler {
            return Some("the handler's memory survives kills: see `Provider::handler`");
        }
        let compares = matches!(self.check, Check::Resume | Check::Kill | Check::SecondRun | Check::Panics);
        (compares && !self.baseline.is_comparable()).then_some("only outcomes compared: no data and no checkpoints")
    }

    /// Compares the result of a session that ran after the script with the baseline.
    pub(super) fn compare(&self, fixture: &Fixture, ran: &SessionResult, after: &str) -> ScriptResult {
        check_no_panic(fixture)?;
        let SessionResult::Ended(_, outcomes) = ran else {
            return Err(
                Violation::new(format!("a run after {after} does not end"), LEFTOVERS_HELP).with_log(&fixture.log)
            );
        };
        for item in &self.baseline.items {
            let (ended, wanted) = (outcomes.get(&item.id()).copied(), self.baseline.outcome(item.id()));
            if !self.baseline.allows(item.id(), ended) {
                let item = ItemLabel::from(item);
                let ended =
                    ended.map_or_else(|| "is missing from the report".into(), |outcome| format!("ends: {outcome}"));
                let headline = format!("in a run after {after}, {item} {ended}; without faults it ends: {wanted}");
                return Err(Violation::new(headline, LEFTOVERS_HELP).with_log(&fixture.log).with_item(&item));
            }
        }
        self.compare_data(fixture, after)
    }

    /// Compares the data with those of the baseline.
    pub(super) fn compare_data(&self, fixture: &Fixture, after: &str) -> ScriptResult {
        let differences = fixture.end_state(self.handler()).differences(&self.baseline.end);
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Violation::new(
                format!("after {after}, the data differ from those of a run without faults"),
                COMMIT_ORDER_HELP,
            )
            .with_details(differences)
            .with_log(&fixture.log)),
        }
    }
}

/// Fails if the handler panicked without an injected panic.
pub(super) fn check_no_panic(fixture: &Fixture) -> ScriptResult {
    let panicked = fixture.log.find(|event| match event {
        Event::Panicked(call, text) => Some(format!("{call} panics: {text}")),
        _ => None,
    });
    let help = "do not `unwrap` or `expect` the answers of hosts, users, peers or stores";
    panicked.map_or(Ok(()), |headline| Err(Violation::new(headline, help).with_log(&fixture.log)))
}

const LEFTOVERS_HELP: &str = "look for leftovers of the interruption: a lock or flag that is never cleared, a half-written file, \
                              state that lives only in memory";

const COMMIT_ORDER_HELP: &str =
    "write the data first, atomically, and commit afterwards; rewrite data that were only half written";

/// Returns at most `max` scripts, evenly spread, including the first.
pub(super) fn spread<S>(scripts: Vec<S>, max: usize) -> Vec<S> {
    let (all, max) = (scripts.len(), max.max(1));
    let wanted: BTreeSet<_> = (0..max).map(|index| index * all / max).collect();
    scripts.into_iter().enumerate().filter(|(index, _)| wanted.contains(index)).map(|(_, script)| script).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn spread_returns_evenly_spaced_scripts_including_the_first() {
        assert_eq!(spread((0..5).collect(), 5), [0, 1, 2, 3, 4]);
        assert_eq!(spread((0..10).collect(), 5), [0, 2, 4, 6, 8]);
        assert_eq!(spread((0..1000).collect(), 3).len(), 3);
        assert_eq!(spread((0..7).collect(), 0), [0]);
    }
}
