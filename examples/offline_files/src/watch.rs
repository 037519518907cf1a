//! The program that runs until a signal, and synchronizes what changes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syncmgr::anyhow::{Context, anyhow};
use syncmgr::changes::Settle;
use syncmgr::prelude::*;
use syncmgr::session::ManagerEvents;
use syncmgr::store::SqliteStore;
use syncmgr::text::Escaped;
use syncmgr::{ItemId, RetryPolicy, SessionId};
use syncmgr_sources::FileChanges;
use tokio::signal::unix::SignalKind;
use tokio::time::Instant;

use crate::args::Args;
use crate::escape::EscapedPath;
use crate::folder_pair::FolderPair;
use crate::handler::{LatestParts, Parts};
use crate::open_files::raise_open_files;
use crate::paths;
use crate::program::{print_report, runtime};
use crate::report::{Interrupted, Report, Shown, Status, rows};
use crate::signals::Signals;
use crate::state;
use crate::two_way;

/// The times after which a change is synchronized: soon after one file is written, and while a program goes on writing many files.
const SETTLE: Settle = Settle::DEFAULT.with_quiet(Duration::from_millis(10)).with_max_wait(Duration::from_secs(2));

/// A side that vanishes is looked for again after a second, and then less often.
const RETRY: RetryPolicy = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(1)).with_cap(Duration::from_secs(30));

/// Runs until a signal. Returns the report of the last run.
pub(crate) fn run_until_signal(args: &Args) -> SyncResult<Report> {
    raise_open_files();
    let checked = paths::check(&args.from, &args.to);
    let paths = if args.two_way { checked.map_err(two_way::name_sides)? } else { checked? };
    let store = state::open(args, &paths.from, &paths.to)?;
    if args.two_way {
        let pair = two_way::pair(args, store.as_ref()).watched().with_info(settings);
        let latest = pair.latest();
        return host(args, pair, latest, store);
    }
    let pair = FolderPair::of_program(args.from.clone(), args.to.clone(), args.kept());
    let pair = pair.with_deletions(args.deletions()).with_jobs(args.jobs());
    let pair = store.iter().fold(pair, FolderPair::with_store).watched().with_info(settings);
    let latest = pair.latest();
    host(args, pair, latest, store)
}

fn settings(info: HandlerInfo) -> HandlerInfo {
    info.with_settle(SETTLE).with_retry(RETRY)
}

fn host(
    args: &Args,
    pair: impl SyncHandler + 'static,
    latest: LatestParts,
    store: Option<SqliteStore>,
) -> SyncResult<Report> {
    let printer = Printer {
        is_json: args.json,
        sides: [&args.from, &args.to].map(|path| EscapedPath(path.clone())),
        state: store.as_ref().map(|store| store.path().to_owned()),
        shown: Shown::default(),
        is_first: true,
    };
    let builder = SyncManager::builder().guards(args.deletions().policy()).change_source(FileChanges::new());
    let builder = store.into_iter().fold(builder, |builder, store| builder.store(store));
    let runtime = runtime().context("cannot start")?;
    let report = runtime.block_on(async {
        let watcher = Watcher { manager: builder.build(), latest, printer, running: BTreeMap::new() };
        watcher.run(pair).await
    });
    // Dropping the runtime would wait for blocking work, even for abandoned work that is stuck.
    runtime.shutdown_background();
    report
}

/// A manager that runs one pair.
struct Watcher {
    manager: SyncManager,
    latest: LatestParts,
    printer: Printer,
    running: BTreeMap<SessionId, Running>,
}

/// What a session has done so far.
struct Running {
    began: Instant,
    parts: Option<Parts>,
    outcomes: BTreeMap<ItemId, Outcome>,
    errors: Vec<Arc<LogEntry>>,
    /// The warnings that concern no item.
    warnings: Vec<Arc<LogEntry>>,
}

impl Watcher {
    async fn run(mut self, pair: impl SyncHandler + 'static) -> SyncResult<Report> {
        let (mut signals, mut events) = (Signals::new()?, self.manager.events());
        self.manager.register(pair)?;
        // The session continues without its handle.
        drop(self.manager.session(Trigger::Manual).start()?);
        loop {
            let event = tokio::select! {
                biased;
                signal = signals.next() => return self.stop(events, signal).await,
                event = events.next() => event.ok_or_else(|| anyhow!("the manager has ended"))?,
            };
            if let Some(report) = self.take(event, None) {
                self.printer.print(&report)?;
            }
        }
    }

    /// Takes an event. Returns the report of a session that has ended.
    fn take(&mut self, ManagerEvent { session, event, .. }: ManagerEvent, signal: Interrupted) -> Option<Report> {
        if matches!(event, SessionEvent::Started { .. }) {
            self.running.insert(session, Running::new());
        }
        let running = self.running.get_mut(&session)?;
        match event {
            SessionEvent::Began { .. } if running.parts.is_none() => running.parts = Some(self.latest.take()),
            SessionEvent::Ended { item, outcome, .. } => drop(running.outcomes.insert(item, outcome)),
            SessionEvent::Logged { entry, .. } if entry.level == LogLevel::Error => running.errors.push(entry),
            SessionEvent::Logged { entry, .. } if entry.level == LogLevel::Warning && entry.item.is_none() => {
                running.warnings.push(entry);
            }
            SessionEvent::Idle => {
                let state = self.printer.state.clone();
                return self.running.remove(&session).map(|running| running.report(signal, state));
            }
            _ => {}
        }
        None
    }

    /// Stops what runs, and waits for it.
    async fn stop(mut self, mut events: ManagerEvents, signal: SignalKind) -> SyncResult<Report> {
        let mut last = Report::of_rows(Vec::new(), Status::Stopped, Some(signal), self.printer.state.clone());
        self.manager.sessions().iter().for_each(syncmgr::Session::stop);
        while !self.running.is_empty() {
            let Some(event) = events.next().await else { break };
            if let Some(report) = self.take(event, Some(signal)) {
                self.printer.print(&report)?;
                last = report;
            }
        }
        self.manager.shutdown().await;
        Ok(last)
    }
}

impl Running {
    fn new() -> Self {
        let (parts, outcomes, errors, warnings) = (None, BTreeMap::new(), Vec::new(), Vec::new());
        Self { began: Instant::now(), parts, outcomes, errors, warnings }
    }

    fn report(self, signal: Interrupted, state: Option<PathBuf>) -> Report {
        let Self { began, parts, outcomes, errors, warnings } = self;
        let is_success = outcomes.values().all(|outcome| *outcome == Outcome::Succeeded) && errors.is_empty();
        let status = if is_success { Status::Succeeded } else { Status::Failed };
        // Without parts the pair could not be opened, of which each item has an error.
        let of_run = errors.iter().filter(|entry| entry.item.is_none() || parts.is_none());
        let texts: BTreeSet<_> = of_run.map(|entry| Escaped(&entry.text).to_string()).collect();
        let rows = rows(outcomes.into_iter(), &parts.unwrap_or_default(), &errors);
        let mut report = Report::of_rows(rows, status, signal, state);
        report.duration_seconds = began.elapsed().as_secs_f64();
        report.errors = texts.into_iter().collect();
        report.warnings = warnings.iter().map(|entry| Escaped(&entry.text).to_string()).collect();
        report
    }
}

/// Prints what each run has changed.
struct Printer {
    is_json: bool,
    sides: [EscapedPath<PathBuf>; 2],
    state: Option<PathBuf>,
    /// The errors and warnings of the last runs, each of which is printed once.
    shown: Shown,
    is_first: bool,
}

impl Printer {
    fn print(&mut self, report: &Report) -> io::Result<()> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let lines = report.to_lines(&mut self.shown);
        if self.is_json {
            // A document for each run that would print something.
            return if is_first || !lines.is_empty() { print_report(&report.to_json_line()?) } else { Ok(()) };
        }
        print_report(&if is_first { report.to_string() } else { lines })?;
        if is_first {
            let [one, other] = &self.sides;
            let _ = writeln!(io::stderr(), "watching {one} and {other}; Ctrl-C ends");
        }
        Ok(())
    }
}
