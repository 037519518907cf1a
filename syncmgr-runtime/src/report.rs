//! Session reports.

mod failed;
mod index;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::error::FailureClass;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::text::Escaped;
use syncmgr_core::trigger::Trigger;

pub use self::failed::NotSuccessful;
use self::index::ReportIndex;
use crate::ending::{RunEnding, RunFault};
use crate::run::{NotRun, Run};
use crate::session::lifecycle::SessionShared;

/// The outcome of a session, handler by handler. `{}` formats it as a few readable lines; serde serializes it as a map.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let report = SyncManager::new().run(Calendar).await?;
/// let failed = report.items().filter(|item| item.outcome == Outcome::Failed);
/// assert_eq!(failed.map(|item| item.item.name()).collect::<Vec<_>>(), ["Work"]);
/// println!("{report}"); // a few readable lines
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The session.
    pub session: SessionId,
    /// The trigger that started the session.
    pub trigger: Trigger,
    /// The time until the session was idle for the first time.
    pub duration: Duration,
    /// The runs, in order of handler id.
    pub runs: Vec<RunReport>,
}

impl Report {
    pub(crate) fn of(session: &SessionShared) -> Self {
        Self {
            session: session.id,
            trigger: session.terms.trigger,
            duration: session.time_to_idle().unwrap_or_default(),
            runs: session.runs().iter().map(|run| RunReport::of(run)).collect(),
        }
    }

    /// Returns `true` if every run was a success: all of its items succeeded. An item that was left out, for example because
    /// it backs off in a scheduled session, has not succeeded.
    pub fn is_success(&self) -> bool {
        self.runs.iter().all(RunReport::is_success)
    }

    /// Returns the run of a handler.
    pub fn run(&self, handler: HandlerId) -> Option<&RunReport> {
        self.runs.iter().find(|run| run.handler == handler)
    }

    /// Returns every item of every run.
    pub fn items(&self) -> impl Iterator<Item = ItemReport<'_>> {
        self.runs.iter().flat_map(RunReport::items)
    }
}

/// The outcome of one handler's run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// The handler.
    pub handler: HandlerId,
    /// The handler's name.
    pub name: String,
    /// The end of the run. `None` if it is still running.
    pub ending: Option<RunEnding>,
    /// The reason the run was held, if it was.
    pub hold: Option<Hold>,
    /// The handler's log.
    pub log: Vec<Arc<LogEntry>>,
    attempts: Vec<AttemptReport>,
    /// The items that this run left out, each with the number of the attempt that left it out.
    not_run: Vec<(u32, Arc<NotRun>)>,
    /// Filled at the first search.
    index: OnceLock<ReportIndex>,
}

/// The items of one attempt and their outcomes.
#[derive(Clone, Debug)]
struct AttemptReport {
    selection: Arc<[SyncItem]>,
    phases: Vec<Phase>,
    /// The classes of failures other than transient ones.
    classes: BTreeMap<usize, FailureClass>,
    holds: BTreeMap<usize, Hold>,
}

/// The outcome of one item, from its last attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ItemReport<'a> {
    /// The item.
    pub item: &'a SyncItem,
    /// The outcome.
    pub outcome: Outcome,
    /// The class of the failure, if the item failed.
    pub class: Option<FailureClass>,
    /// The reason this run left the item out, if it did.
    pub hold: Option<Hold>,
}

impl<'a> ItemReport<'a> {
    fn not_run(not_run: &'a NotRun) -> Self {
        let NotRun { item, verdict, hold } = not_run;
        Self { item, outcome: verdict.outcome, class: verdict.class, hold: hold.clone() }
    }
}

impl RunReport {
    fn of(run: &Run) -> Self {
        let attempts = run.attempts().into_iter().map(|attempt| {
            let (phases, classes, holds) = attempt.phases();
            AttemptReport { selection: attempt.selection().clone(), phases, classes, holds }
        });
        Self {
            handler: run.id().handler,
            name: run.info().name().to_owned(),
            ending: run.ending(),
            hold: run.held(),
            log: run.events().entries(),
            attempts: attempts.collect(),
            not_run: run.events().not_run(),
            index: OnceLock::new(),
        }
    }

    /// Returns `true` if every item succeeded and the run ended without a fault. What is disabled does not count.
    pub fn is_success(&self) -> bool {
        let without_fault = match self.ending {
            None | Some(RunEnding::Completed | RunEnding::Declined | RunEnding::NothingToDo) => true,
            Some(RunEnding::Held) => is_disabled(self.hold.as_ref()),
            Some(_) => false,
        };
        without_fault
            && (self.is_plain_success()
                || self.items().all(|item| item.outcome == Outcome::Succeeded || is_disabled(item.hold.as_ref())))
    }

    /// Returns `true` if there was one attempt, nothing was left out, and every item succeeded. Creates no item's report.
    fn is_plain_success(&self) -> bool {
        let succeeded =
            |attempt: &AttemptReport| attempt.phases.iter().all(|phase| *phase == Phase::Ended(Outcome::Succeeded));
        self.not_run.is_empty() && matches!(&*self.attempts, [attempt] if succeeded(attempt))
    }

    /// Returns the items in the order of their first attempt, each with the outcome of its last attempt.
    pub fn items<'a>(&'a self) -> impl Iterator<Item = ItemReport<'a>> {
        let first = self.attempts.first();
        let later: Vec<_> = self.later_items().collect();
        let ids = first.filter(|_| !later.is_empty()).map(|first| first.selection.iter().map(SyncItem::id).collect());
        let known: BTreeSet<ItemId> = ids.unwrap_or_default();
        let mut again: BTreeMap<ItemId, ItemReport<'_>> = BTreeMap::new();
        let mut added = Vec::new();
        for item in later {
            let id = item.item.id();
            if again.insert(id, item).is_none() && !known.contains(&id) {
                added.push(id);
            }
        }
        let added: Vec<_> = added.into_iter().filter_map(|id| again.remove(&id)).collect();
        let first = first.into_iter().flat_map(AttemptReport::items);
        // Most runs have one attempt; the ids of its items are not read then.
        let last = move |item: ItemReport<'a>| match again.is_empty() {
            true => item,
            false => again.remove(&item.item.id()).unwrap_or(item),
        };
        first.map(last).chain(added)
    }

    /// Returns the items left out and the items of later attempts, in the order of the attempts.
    fn later_items(&self) -> impl Iterator<Item = ItemReport<'_>> {
        (0..).zip(&self.attempts).flat_map(|(number, attempt)| {
            let not_run = self.not_run.iter().filter(move |(of, _)| *of == number);
            let not_run = not_run.map(|(_, not_run)| ItemReport::not_run(not_run));
            let retry = (number > 0).then_some(attempt);
            not_run.chain(retry.into_iter().flat_map(AttemptReport::items))
        })
    }

    /// Returns the log entry that explains an item's outcome: the last entry about the item or, if there is none, about the
    /// run. `None` if the item succeeded or no entry explains its outcome.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let report = SyncManager::new().run(Calendar).await?;
    /// let run = &report.runs[0];
    /// assert_eq!(run.why(ItemId::from_name("Work")).map(|entry| entry.level), Some(LogLevel::Error));
    /// assert_eq!(run.item(ItemId::from_name("Work")).and_then(|item| item.class), Some(FailureClass::Transient));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn why(&self, id: ItemId) -> Option<&LogEntry> {
        let item = self.item(id).filter(|item| item.outcome != Outcome::Succeeded)?;
        let last = |about: Option<ItemId>| {
            let found = self.log.get(self.index().last_entry(about)?).filter(|entry| entry.item == about);
            // The log may have been changed since it was searched first.
            found.or_else(|| self.log.iter().rfind(|entry| entry.item == about))
        };
        let of_run = || last(None).filter(|entry| item.class.is_some() || entry.level == LogLevel::Warning);
        last(Some(id)).or_else(of_run).map(|entry| &**entry)
    }

    /// Returns the outcome of one item.
    pub fn item(&self, id: ItemId) -> Option<ItemReport<'_>> {
        self.index().item(self, id)
    }

    fn index(&self) -> &ReportIndex {
        self.index.get_or_init(|| ReportIndex::of(self))
    }
}

/// Returns `true` if a run or item was left out because it is disabled.
pub(crate) fn is_disabled(hold: Option<&Hold>) -> bool {
    matches!(hold, Some(Hold::Disabled { .. }))
}

impl AttemptReport {
    fn items(&self) -> impl Iterator<Item = ItemReport<'_>> {
        (0..self.phases.len()).filter_map(|index| self.item(index))
    }

    /// Returns the item at this index of the selection, if it has ended.
    #[inline]
    fn item(&self, index: usize) -> Option<ItemReport<'_>> {
        let Some(Phase::Ended(outcome)) = self.phases.get(index).copied() else { return None };
        let class = self.classes.get(&index).copied().or(Verdict::reported(outcome).class);
        Some(ItemReport { item: &self.selection[index], outcome, class, hold: self.holds.get(&index).cloned() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.runs.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{run}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Escaped(&self.name), self.summary())?;
        let mut names = BTreeMap::new();
        for item in self.items() {
            write!(f, "\n  {:<11} {}", item.outcome, Escaped(item.item.name()))?;
            if let Some(hold) = &item.hold {
                write!(f, " ({hold})")?;
            }
            names.insert(item.item.id(), item.item.name());
        }
        for entry in self.log.iter().filter(|entry| entry.level > LogLevel::Information) {
            let name = entry.item.and_then(|item| names.get(&item).copied());
            write!(f, "\n  {}", Escaped(&line(entry, name)))?;
        }
        Ok(())
    }
}

/// Formats a log entry on one line, with the name of its item.
fn line(entry: &LogEntry, name: Option<&str>) -> String {
    let level = match entry.level {
        LogLevel::Information => "note",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    };
    match name {
        Some(name) => format!("{level}: {name}: {}", entry.text),
        None => format!("{level}: {}", entry.text),
    }
}

/// Adds the fault, unless it says no more than `text`. The log has the reason.
fn with_fault(text: &str, fault: RunFault) -> String {
    match fault {
        RunFault::Failed | RunFault::Code(_) => text.into(),
        fault => format!("{text}: {fault}"),
    }
}

impl RunReport {
    fn summary(&self) -> String {
        match self.ending {
            None => "still running".into(),
            Some(RunEnding::Declined) => "did not take part".into(),
            Some(RunEnding::NotBegun(fault)) => with_fault("could not begin", fault),
            Some(RunEnding::NothingToDo) if self.not_run.is_empty() => "nothing to do".into(),
            Some(RunEnding::NothingToDo) => self.counts(),
            Some(RunEnding::Held) => self.hold.as_ref().map_or_else(|| "held".into(), |hold| format!("held: {hold}")),
            Some(RunEnding::Stopped) => "was stopped".into(),
            Some(RunEnding::NotPrepared(fault)) => with_fault("was not prepared", fault),
            Some(RunEnding::NotCompleted(fault)) => with_fault("did not complete", fault),
            Some(RunEnding::Completed) => self.counts(),
        }
    }

    /// Formats the number of items with each outcome that occurred.
    fn counts(&self) -> String {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        for item in self.items() {
            *counts.entry(item.outcome).or_default() += 1;
        }
        let counts: Vec<_> = counts.into_iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        counts.join(", ")
    }
}
