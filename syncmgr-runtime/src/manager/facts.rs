//! What is known about a handler and its items, read once for any number of explanations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::decision::guard;
use syncmgr_core::decision::hold::{Held, Hold};
use syncmgr_core::decision::ledger::{ATTENTION, InterruptedRun};
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::environment::Environment;
use syncmgr_core::error::SyncResult;
use syncmgr_core::explain::{Current, Explanation, Known, Listed, explain};
use syncmgr_core::id::{HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::item::{Completeness, ItemState, SyncItem};
use syncmgr_core::log::{Action, LogEntry, LogLevel};
use syncmgr_core::overrides::{KnownSettings, Settings};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::register::RegisterFlags;
use syncmgr_core::requirements::Requirements;
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::{ItemName, LogRecord};

use super::SyncManager;
use crate::host::{AllOverrides, Host, KnownListing};
use crate::run::Run;

/// The items that are explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    /// These items, each of which is looked up.
    Among(&'a BTreeSet<ItemId>),
    /// All items.
    All,
}

impl Scope<'_> {
    /// Returns what the store has about the items: looks up each item, or reads all.
    pub(super) fn read<T>(
        self,
        one: impl Fn(ItemId) -> SyncResult<Option<T>>,
        all: impl FnOnce() -> SyncResult<BTreeMap<ItemId, T>>,
    ) -> SyncResult<BTreeMap<ItemId, T>> {
        let Self::Among(items) = self else { return all() };
        let found = items.iter().filter_map(|item| Some(one(*item).transpose()?.map(|found| (*item, found))));
        found.collect()
    }
}

/// The facts that apply to a handler and to all of its items.
pub(super) struct Facts {
    host: Arc<Host>,
    handler: HandlerId,
    /// The runs in open sessions.
    pub(super) runs: Vec<Arc<Run>>,
    registered: Option<RegisterFlags>,
    held: Vec<Held>,
    schedule: Option<Schedule>,
    claims: Vec<Claim>,
    environment: Environment,
    log: BTreeMap<ItemId, LastEntries>,
}

/// The last log entries about an item.
#[derive(Default)]
struct LastEntries {
    /// The last one that the user can open or answer, with its session.
    question: Option<(SessionId, Arc<LogEntry>)>,
    /// The last warning or error, if possible other than the question about an item that needs attention.
    problem: Option<Arc<LogEntry>>,
    /// The time at which that entry was stored. `None` if its session is open.
    stored: Option<SystemTime>,
}

impl LastEntries {
    /// Returns the question, unless the item has succeeded in a later session: the log of an open session keeps its questions.
    fn question(&self, record: Option<&ItemRecord>) -> Option<&LogEntry> {
        let (session, entry) = self.question.as_ref()?;
        let succeeded = record.filter(|record| record.outcome == Some(Outcome::Succeeded));
        succeeded.is_none_or(|record| record.fence.session <= *session).then_some(entry)
    }

    fn add(&mut self, entry: Arc<LogEntry>, session: SessionId, stored: Option<SystemTime>) {
        if entry.is_link() {
            self.question = Some((session, entry.clone()));
        }
        if entry.level >= LogLevel::Warning && (self.problem.is_none() || !asks(&entry, ATTENTION)) {
            (self.problem, self.stored) = (Some(entry), stored);
        }
    }
}

impl Facts {
    /// Reads the facts for explanations of the items in `scope`.
    pub(super) fn read(manager: &SyncManager, handler: HandlerId, scope: Scope<'_>) -> SyncResult<Self> {
        let host = manager.host().clone();
        let mut held = manager.held();
        held.retain(|held| held.handler == handler && held.hold != Hold::Quarantined);
        let registration = manager.registration(handler);
        let claims = host.manager_state().handlers.get(&handler).map(|known| known.info.claims().to_vec());
        let schedule = host.ledger().own_schedule(handler).cloned();
        let runs: Vec<_> = manager.runs_of(handler).collect();
        Ok(Self {
            log: last_entries(&host, handler, &runs, scope)?,
            runs,
            registered: registration.map(|registration| registration.flags),
            held,
            schedule,
            claims: claims.unwrap_or_default(),
            environment: host.ports.environment.now(),
            handler,
            host,
        })
    }

    /// Returns the text of the last warning or error about an item since its last success.
    pub(super) fn reason(&self, item: ItemId, succeeded: Option<SystemTime>) -> Option<Arc<str>> {
        let LastEntries { problem, stored, .. } = self.log.get(&item)?;
        let is_older = stored.is_some_and(|stored| succeeded.is_some_and(|succeeded| stored < succeeded));
        Some(problem.as_ref().filter(|_| !is_older)?.text.clone())
    }

    /// Completes the input and derives the explanation of the handler or an item with these claims and requirements. `about` is the id of
    /// its log entries.
    pub(super) fn explain(
        &self,
        mut known: Known,
        about: ItemId,
        (claims, requirements): (&[Claim], &Requirements),
    ) -> Explanation {
        known.registered = self.registered;
        // A run waits for a worker for those of its items that wait, and not for those that have ended.
        let waits = known.item.is_none() || matches!(known.current, Some(Current::Waiting(_)));
        let of_run = |held: &&Held| held.item.is_none() && (waits || held.hold != Hold::NoFreeWorker);
        let of_item = |held: &&Held| of_run(held) || held.item.is_some() && held.item == known.item;
        known.held = self.held.iter().filter(of_item).map(|held| held.hold.clone()).collect();
        let claims: Vec<&Claim> = self.claims.iter().chain(claims).collect();
        let now = self.host.decide(|ledger, now| {
            ledger.describe(&mut known, (&claims, requirements), &self.environment, now);
            ledger.time(now)
        });
        if let Some(entry) = self.log.get(&about).and_then(|last| last.question(known.record.as_ref())) {
            known.question = entry.id;
            known.other_holds.extend(asks(entry, guard::KEY).then_some(Hold::Guarded));
        }
        explain(&known, now)
    }
}

/// The facts that apply to items.
pub(super) struct ItemFacts {
    pub(super) of_handler: Facts,
    listing: Option<KnownListing>,
    overrides: Arc<AllOverrides>,
    pub(super) listed: BTreeMap<ItemId, SyncItem>,
    choices: BTreeMap<ItemId, ItemState>,
    interrupted: Vec<(InterruptedRun, BTreeSet<ItemId>)>,
    quarantined: BTreeSet<ItemId>,
}

impl ItemFacts {
    /// Reads the facts about the items in `scope`.
    pub(super) fn read(manager: &SyncManager, handler: HandlerId, scope: Scope<'_>) -> SyncResult<Self> {
        let (of_handler, listing) = (Facts::read(manager, handler, scope)?, manager.listing(handler));
        let host = &of_handler.host;
        let overrides = host.manager_state().handlers.get(&handler).map(|known| known.overrides.clone());
        let listed: Vec<_> = match (&listing, scope) {
            (None, _) => Vec::new(),
            (Some(known), Scope::Among(items)) => items.iter().filter_map(|item| known.item(*item)).collect(),
            (Some(known), Scope::All) => known.items().collect(),
        };
        let listed = listed.into_iter().map(|item| (item.id(), item.clone()));
        let quarantined = host.admission.quarantined().into_iter().filter(|(of, _)| *of == handler);
        Ok(Self {
            listed: listed.collect(),
            choices: scope.read(|item| host.ports.store.choice(handler, item), || host.ports.store.choices(handler))?,
            interrupted: interrupted(host, handler, scope)?,
            quarantined: quarantined.map(|(_, item)| item).collect(),
            overrides: overrides.unwrap_or_default(),
            listing,
            of_handler,
        })
    }

    /// Explains an item with this stored name and record.
    pub(super) fn explain(&self, item: ItemId, stored: Option<&ItemName>, record: Option<ItemRecord>) -> Explanation {
        let listed = self.listed.get(&item);
        let mut known = Known::of(self.of_handler.handler).with_item(item);
        known.listed = match &self.listing {
            _ if listed.is_some() => Listed::Present,
            Some(known) if known.listing.completeness() == Completeness::Complete => Listed::Absent,
            // A name is stored when the item is listed. An item with a record is not listed any more if the record says so.
            _ if stored.is_some() && record.is_none() => Listed::Present,
            _ => Listed::Unknown,
        };
        known.name = listed.map(SyncItem::shared_name).or_else(|| Some(stored?.name.clone()));
        known.chosen = self.choice(item, stored);
        known.current = self.current(item, known.chosen);
        known.quarantined = self.quarantined.contains(&item);
        known.record = record;
        known.schedule = self.schedule_of(item);
        match listed {
            Some(listed) => self.of_handler.explain(known, item, (listed.claims(), listed.requirements())),
            None => self.of_handler.explain(known, item, (&[], &self.settings(item).in_force().requirements)),
        }
    }

    /// Returns the settings of an item.
    pub(super) fn settings(&self, item: ItemId) -> KnownSettings {
        let declared = self.listing.as_ref().and_then(|known| known.listing.declared(item));
        let set = self.overrides.get(&Subject::Item(item)).cloned().unwrap_or_default();
        KnownSettings::new(declared.map(Settings::from), set)
    }

    /// Returns the item's schedule, or that of its handler.
    fn schedule_of(&self, item: ItemId) -> Option<Schedule> {
        let own = match self.listed.get(&item) {
            Some(listed) => listed.schedule().cloned(),
            None => self.settings(item).in_force().schedule,
        };
        own.or_else(|| self.of_handler.schedule.clone())
    }

    /// Returns the stored choice for an item, or its default; `None` if neither is known.
    pub(super) fn choice(&self, item: ItemId, stored: Option<&ItemName>) -> Option<ItemState> {
        let default = || self.listed.get(&item).map(SyncItem::state).or_else(|| Some(stored?.state));
        self.choices.get(&item).copied().or_else(default)
    }

    /// Returns the item's current state in an open or interrupted session.
    fn current(&self, item: ItemId, chosen: Option<ItemState>) -> Option<Current> {
        for run in self.of_handler.runs.iter().filter(|run| !run.has_ended()) {
            let session = run.id().session;
            match run.attempt().phase_of(item) {
                Some(Phase::Running) => return Some(Current::Running(session)),
                Some(Phase::Queued | Phase::Held) => return Some(Current::Waiting(session)),
                _ => {}
            }
        }
        let is_unfinished = |(run, ended): &&(InterruptedRun, BTreeSet<ItemId>)| {
            let schedule = self.schedule_of(item);
            let has_fired = run.schedules.as_ref().is_none_or(|fired| schedule.is_some_and(|own| fired.contains(&own)));
            let chosen = has_fired && chosen != Some(ItemState::Unchecked);
            run.items.as_ref().map_or(chosen, |items| items.contains(&item)) && !ended.contains(&item)
        };
        self.interrupted.iter().rev().find(is_unfinished).map(|(run, _)| Current::Interrupted(run.session))
    }
}

/// Returns the interrupted runs of a handler, each with the items that have ended since.
fn interrupted(
    host: &Host,
    handler: HandlerId,
    scope: Scope<'_>,
) -> SyncResult<Vec<(InterruptedRun, BTreeSet<ItemId>)>> {
    let store = &host.ports.store;
    let ended = |session| -> SyncResult<BTreeSet<ItemId>> {
        let Scope::Among(items) = scope else { return store.ended_since(handler, session) };
        let has_ended = |item: &ItemId| store.has_ended_since(handler, *item, session);
        items.iter().filter_map(|item| has_ended(item).map(|ended| ended.then_some(*item)).transpose()).collect()
    };
    let interrupted = host.ledger().interrupted(handler);
    interrupted.into_iter().map(|run| Ok((run.clone(), ended(run.session)?))).collect()
}

/// Returns the last log entries about each item in `scope`.
fn last_entries(
    host: &Host,
    handler: HandlerId,
    runs: &[Arc<Run>],
    scope: Scope<'_>,
) -> SyncResult<BTreeMap<ItemId, LastEntries>> {
    // A session that is still open may be older than one whose log is stored.
    let origin = |record: &LogRecord| (record.manager == host.id, record.session);
    let stored = stored_entries(host, handler, scope)?.into_iter();
    let stored = stored.map(|record| (origin(&record), Some(record.time), record.entry));
    let live = runs.iter().flat_map(|run| {
        let session = run.id().session;
        live_entries(run, scope).into_iter().map(move |entry| ((true, session), None, entry))
    });
    let mut entries: Vec<_> = stored.chain(live).collect();
    entries.sort_by_key(|(origin, ..)| *origin);
    let mut last = BTreeMap::<_, LastEntries>::new();
    for ((_, session), stored, entry) in entries {
        let Some(item) = entry.item else { continue };
        last.entry(item).or_default().add(entry, session, stored);
    }
    Ok(last)
}

fn stored_entries(host: &Host, handler: HandlerId, scope: Scope<'_>) -> SyncResult<Vec<LogRecord>> {
    let store = &host.ports.store;
    let Scope::Among(items) = scope else { return store.log(handler) };
    let mut entries = Vec::new();
    for item in items {
        entries.extend(store.log_about(handler, *item)?);
    }
    Ok(entries)
}

fn live_entries(run: &Run, scope: Scope<'_>) -> Vec<Arc<LogEntry>> {
    match scope {
        Scope::Among(items) => items.iter().flat_map(|item| run.events().entries_about(*item)).collect(),
        Scope::All => run.events().entries(),
    }
}

/// Returns `true` if the entry is a question with this key.
fn asks(entry: &LogEntry, key: &str) -> bool {
    matches!(&entry.action, Some(Action::Decide(question)) if &*question.key == key)
}
