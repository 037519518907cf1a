//! The program that runs until a signal, and synchronizes what changes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use syncmgr::SessionId;
use syncmgr::anyhow::{Context, anyhow};
use syncmgr::changes::Settle;
use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use syncmgr_sources::FileChanges;
use tokio::signal::unix::SignalKind;

use crate::args::Args;
use crate::escape::EscapedPath;
use crate::folder_pair::FolderPair;
use crate::handler::LatestParts;
use crate::open_files::raise_open_files;
use crate::paths;
use crate::program::{print_report, runtime};
use crate::report::{Report, Shown};
use crate::signals::Signals;
use crate::state;
use crate::two_way;

/// The times after which a change is synchronized: soon after one file is written, and while a program goes on writing many files.
const SETTLE: Settle = Settle::DEFAULT.with_quiet(Duration::from_millis(30)).with_max_wait(Duration::from_secs(2));

/// Runs until a signal. Returns the report of the last run.
pub(crate) fn watch(args: &Args) -> SyncResult<Report> {
    raise_open_files();
    let checked = paths::check(&args.from, &args.to);
    let paths = if args.two_way { checked.map_err(two_way::name_sides)? } else { checked? };
    let store = state::open(&args.state(), &paths.from, &paths.to)?;
    if args.two_way {
        let pair = two_way::pair(args, store.as_ref()).watched().with_info(|info| info.with_settle(SETTLE));
        let latest = pair.latest();
        return host(args, pair, latest, store);
    }
    let pair = FolderPair::of_program(args.from.clone(), args.to.clone(), args.kept());
    let pair = pair.with_deletions(args.deletions()).with_jobs(args.jobs());
    let pair = store.iter().fold(pair, FolderPair::with_store).watched().with_info(|info| info.with_settle(SETTLE));
    let latest = pair.latest();
    host(args, pair, latest, store)
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
        let watcher = Watcher { manager: builder.build(), latest, printer };
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
}

impl Watcher {
    async fn run(mut self, pair: impl SyncHandler + 'static) -> SyncResult<Report> {
        let (mut signals, mut events) = (Signals::new()?, self.manager.events());
        self.manager.register(pair)?;
        let mut last = Some(self.manager.session(Trigger::Manual).start()?.id());
        loop {
            let event = tokio::select! {
                biased;
                signal = signals.next() => return self.stop(last, signal).await,
                event = events.next() => event.ok_or_else(|| anyhow!("the manager has ended"))?,
            };
            if event.event == SessionEvent::Idle {
                self.ended(event.session, None).await?;
            } else {
                last = Some(event.session);
            }
        }
    }

    /// Prints the results of a session.
    async fn ended(&mut self, id: SessionId, interrupted: Option<SignalKind>) -> SyncResult<Option<Report>> {
        let Some(session) = self.manager.sessions().into_iter().find(|session| session.id() == id) else {
            return Ok(None);
        };
        let ended = session.finish().await;
        let report = Report::new(&ended, &self.latest.take(), interrupted, self.printer.state.clone());
        let errors = ended.runs.iter().flat_map(|run| &run.log).filter(|entry| entry.level == LogLevel::Error);
        let of_run: Vec<_> = errors.filter(|entry| entry.item.is_none()).map(|entry| entry.text.to_string()).collect();
        let report = report.with_errors(of_run);
        self.printer.print(&report)?;
        Ok(Some(report))
    }

    /// Stops what runs, and waits for it.
    async fn stop(mut self, last: Option<SessionId>, signal: SignalKind) -> SyncResult<Report> {
        for session in self.manager.sessions() {
            session.stop();
        }
        let last = match last {
            Some(last) => self.ended(last, Some(signal)).await?,
            None => None,
        };
        self.manager.shutdown().await;
        Ok(last.unwrap_or_else(|| Report::interrupted(signal)))
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
        if self.is_json {
            return if is_first || report.is_notable() { print_report(&report.to_json_line()?) } else { Ok(()) };
        }
        let lines = report.to_lines(&mut self.shown);
        print_report(&if is_first { report.to_string() } else { lines })?;
        if is_first {
            let [one, other] = &self.sides;
            let _ = writeln!(io::stderr(), "watching {one} and {other}; Ctrl-C ends");
        }
        Ok(())
    }
}
