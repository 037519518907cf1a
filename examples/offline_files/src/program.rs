//! The main function of the program.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use syncmgr::Session;
use syncmgr::anyhow::Context;
use syncmgr::guard::GuardPolicy;
use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use tokio::runtime::{Builder, Runtime};

use crate::args::Args;
use crate::guard::KnownDisks;
use crate::handler::{OfflineFiles, Parts};
use crate::mirror::{Extent, OwnFiles};
use crate::open_files::raise_open_files;
use crate::part::Diagnostic;
use crate::paths::{self, PathError};
use crate::refusal::Refusal;
use crate::report::{Interrupted, Report};
use crate::roots::Roots;
use crate::screen::{Blank, Screen, screen};
use crate::signals::Signals;
use crate::state;
use crate::two_way::{self, UsageError};
#[cfg(target_os = "linux")]
use crate::watch::run_until_signal;

/// Runs the program `offline_files` with the arguments of this process, and returns its exit code. An error that prevents the run is
/// printed in one line, or as a document with `--json`.
pub fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let ended = match (args.watch, args.two_way) {
        (true, _) => run_until_signal(&args),
        (false, true) => two_way::synchronize(&args),
        (false, false) => mirror(&args),
    };
    let (text, code) = match ended {
        // Each run has been printed when it ended.
        Ok(report) if args.watch => return report.exit_code(),
        Ok(report) if args.json => (report.to_json(), report.exit_code()),
        Ok(report) => (Ok(report.to_string()), report.exit_code()),
        Err(error) if args.json => (Refusal::new(&error).to_json(), exit_code(&error)),
        Err(error) => {
            print_error(&format!("{error:#}"));
            return exit_code(&error);
        }
    };
    let printed = text.map_err(io::Error::from).and_then(|text| print_report(&text));
    printed.map_or_else(
        |error| {
            print_error(&format!("cannot write the report: {error}"));
            ExitCode::FAILURE
        },
        |()| code,
    )
}

#[cfg(not(target_os = "linux"))]
fn run_until_signal(_: &Args) -> SyncResult<Report> {
    Err(UsageError::new("--watch needs Linux; run the program without it by a timer").into())
}

/// The exit code of a run that did not begin.
fn exit_code(error: &syncmgr::anyhow::Error) -> ExitCode {
    let is_usage_error = error.is::<UsageError>() || error.downcast_ref().is_some_and(PathError::is_usage_error);
    ExitCode::from(if is_usage_error { 2 } else { 1 })
}

/// Carries out one run.
fn mirror(args: &Args) -> SyncResult<Report> {
    raise_open_files();
    let paths = paths::check(&args.from, &args.to)?;
    // The state is opened first: if another run has it open, TO must not change.
    let store = state::open(args, &paths.from, &paths.to)?;
    let disks = store
        .as_ref()
        .map_or_else(|| Ok(KnownDisks::default()), |store| KnownDisks::read(store, OfflineFiles::HANDLER.id()))?;
    if !args.yes {
        disks.refuse_other(&paths.to)?;
    }
    let own_files = OwnFiles::of(store.as_ref().map(SqliteStore::path), [&paths.from, &paths.to]);
    let pair = paths.open(args.kept())?;
    let roots = disks.recognize(Roots::of(&pair, &paths.from, &paths.to));
    let handler = OfflineFiles::new(pair, roots, args.options(own_files, store.clone())).context("cannot list FROM")?;
    let (parts, file_systems) = (handler.parts(), handler.file_systems());
    let report = run_once(args, handler, &parts, store, || file_systems.report());
    file_systems.remove_samples();
    report
}

/// Runs one session with this handler. `losses` describes at the end what the target cannot store.
pub(crate) fn run_once(
    args: &Args,
    handler: impl SyncHandler + 'static,
    parts: &Parts,
    store: Option<SqliteStore>,
    losses: impl FnOnce() -> Option<String>,
) -> SyncResult<Report> {
    let runtime = runtime().context("cannot start")?;
    let mut screen = if args.json { Box::new(Blank) } else { screen(parts.clone()) };
    let report = runtime.block_on(run(handler, parts, args.deletions().policy(), store, screen.as_mut(), losses));
    // Dropping the runtime would wait for blocking work, even for abandoned work that is stuck.
    runtime.shutdown_background();
    Ok(report?.with_detail(args.detail()))
}

/// Prints the report. That nobody wants to read it does not change the result of the run.
pub(crate) fn print_report(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints an error in one line. Ignores a closed standard error.
pub(crate) fn print_error(message: &str) {
    let _ = writeln!(io::stderr(), "offline_files: {message}");
}

/// A runtime with a thread for blocking work, which stays. If the system allows no more threads, that one does all the work.
pub(crate) fn runtime() -> SyncResult<Runtime> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    // The runtime would panic if it cannot make a thread.
    let attempt = thread::Builder::new().spawn(|| ()).context("no thread can be made")?;
    attempt.join().expect("an empty thread does not panic");
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(DAY).build()?;
    runtime.block_on(runtime.spawn_blocking(|| ()))?;
    Ok(runtime)
}

/// Runs one session with this handler and shows its progress.
async fn run(
    handler: impl SyncHandler + 'static,
    parts: &Parts,
    guards: GuardPolicy,
    store: Option<SqliteStore>,
    screen: &mut dyn Screen,
    losses: impl FnOnce() -> Option<String>,
) -> SyncResult<Report> {
    let state = store.as_ref().map(|store| store.path().to_owned());
    let signals = Signals::new()?;
    let builder = SyncManager::builder().guards(guards);
    let manager = match store {
        Some(store) => builder.store(store),
        None => builder,
    }
    .build();
    manager.register(handler)?;
    let session = manager.session(Trigger::Manual).start()?;
    let interrupted = watch(&session, screen, signals).await;
    let ended = session.finish().await;
    warn_of_losses(parts, losses());
    Ok(Report::new(&ended, parts, interrupted, state))
}

/// Adds a warning about what TO cannot store to the top level, the only item that every run has.
fn warn_of_losses(parts: &Parts, losses: Option<String>) {
    let top = parts.values().find(|part| part.extent == Extent::TopLevel);
    if let Some((part, text)) = top.zip(losses) {
        part.result().warnings.push(Diagnostic::new(part.path(), text));
    }
}

/// Shows events until the session is idle. A signal stops the session, whose items then end within their grace period.
async fn watch(session: &Session, screen: &mut dyn Screen, mut signals: Signals) -> Interrupted {
    let mut events = session.events();
    let (mut interrupted, mut is_behind) = (None, false);
    loop {
        let event = tokio::select! {
            biased;
            signal = signals.next() => {
                interrupted = Some(signal);
                session.stop();
                continue;
            }
            event = events.next() => event,
            () = std::future::ready(()), if is_behind => {
                screen.flush();
                is_behind = false;
                continue;
            }
        };
        match event {
            None | Some(SessionEvent::Idle) => {
                screen.flush();
                return interrupted;
            }
            Some(event) => {
                screen.show(event);
                is_behind = true;
            }
        }
    }
}
