//! `syncmgr host`: hosts the folder pairs of a settings file, and serves the console of their manager.

mod first;
mod folders;
mod places;
mod settings;
mod signals;
mod systemd;
mod words;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use syncmgr::SyncManager;
use syncmgr::anyhow::Context;
use syncmgr::prelude::*;
use syncmgr::retry::Resume;
use syncmgr::store::SqliteStore;
use syncmgr_console::{Console, Questions, Serving, socket_path};
use tokio::runtime::Builder;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::folders::Folders;
use self::settings::{Problem, Settings};
use self::signals::{Request, Signals};
use super::{INVALID, fail, web};

/// The number of threads that do not block.
const THREADS: usize = 2;

/// The time that the sources of the environment get to find out about the system before automatic work begins.
#[cfg(feature = "sources")]
const SOURCES: std::time::Duration = std::time::Duration::from_secs(3);

/// Hosts until a signal. `socket` precedes the one of the settings. With `json`, it announces itself as JSON. A `pair` is written to the
/// settings file first.
pub(crate) fn main(file: Option<PathBuf>, pair: Option<&[PathBuf]>, socket: Option<PathBuf>, json: bool) -> ExitCode {
    start_log();
    let read = |file| Host::read(file, socket, json);
    let file = places::settings(file).map_err(|problem| vec![problem]).and_then(|file| match pair {
        Some([from, to]) => first::write(&file, from, to).map(|()| file),
        _ => Ok(file),
    });
    let hosted = file.and_then(read);
    match hosted.map(Host::run) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => fail(&format!("{error:#}"), 1, json),
        Err(problems) => {
            problems.iter().for_each(|problem| _ = fail(&problem.to_string(), INVALID, json));
            ExitCode::from(INVALID)
        }
    }
}

/// Writes the log to standard error, without colors if it is no terminal or `NO_COLOR` is set, and without times for the journal of
/// systemd, which has its own. `RUST_LOG` selects the levels.
fn start_log() {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let ansi = io::stderr().is_terminal() && !is_set("NO_COLOR");
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(ansi).with_target(false);
    let log = match is_set("JOURNAL_STREAM") {
        true => log.without_time().boxed(),
        false => log.boxed(),
    };
    let (levels, refused) = levels(&std::env::var("RUST_LOG").unwrap_or_default());
    tracing_subscriber::registry().with(levels).with(log).init();
    if let Some(refused) = refused {
        tracing::warn!(
            "RUST_LOG is left out: {refused}; write a level, or levels of modules as in `info,syncmgr_runtime=debug`"
        );
    }
}

/// Returns the levels of `RUST_LOG`, or the default ones with the reason. Filters by spans and fields would need a library for regular
/// expressions.
fn levels(text: &str) -> (Targets, Option<ParseError>) {
    let default = || Targets::new().with_default(LevelFilter::INFO);
    match text.parse::<Targets>() {
        _ if text.is_empty() => (default(), None),
        Ok(levels) => (levels, None),
        Err(error) => (default(), Some(error)),
    }
}

/// A host with its settings file.
struct Host {
    file: PathBuf,
    /// The control socket that the command line names.
    socket: Option<PathBuf>,
    settings: Settings,
    json: bool,
}

impl Host {
    fn read(file: PathBuf, socket: Option<PathBuf>, json: bool) -> Result<Self, Vec<Problem>> {
        let settings = Settings::read(&file)?;
        Ok(Self { file, socket, settings, json })
    }

    fn run(self) -> SyncResult<ExitCode> {
        offline_files::raise_open_files();
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
        let hosted = runtime.block_on(self.host());
        // Dropping the runtime would wait for blocking work, even for abandoned work that is stuck.
        runtime.shutdown_background();
        hosted
    }

    async fn host(mut self) -> SyncResult<ExitCode> {
        let mut signals = Signals::new()?;
        let store = open_store(&self.settings.state)?;
        let questions = Questions::new();
        let manager = manager(&self.settings, store.clone(), &questions).await;
        let mut folders = Folders::new(manager.clone(), store, self.settings.jobs);
        folders.apply(&self.settings.folders).context("the folder pairs cannot be hosted")?;
        let console = self.console(&manager, questions).start()?;
        // From a host that was killed.
        web::remove_redirection(console.path());
        manager.start_scheduler()?;
        folders.look();
        announce(&console, self.json);
        systemd::ready();
        // Until the runtime ends, also while everything stops.
        tokio::spawn(systemd::stay_alive());
        while let Request::Reload = signals.next().await {
            self.reload(&mut folders);
        }
        Ok(end(&manager, console).await)
    }

    fn console(&self, manager: &SyncManager, questions: Questions) -> Console {
        let configured = self.socket.as_ref().or(self.settings.socket.as_ref());
        let socket = configured.cloned().unwrap_or_else(|| socket_path("syncmgr"));
        let console = Console::new(manager).with_questions(questions).at(socket);
        #[cfg(feature = "web")]
        let console = match self.settings.page {
            Some(port) => console.with_page(port),
            None => console,
        };
        console
    }

    /// Reads the settings file again. What did not change goes on. With a file that is not valid, everything does.
    fn reload(&mut self, folders: &mut Folders) {
        systemd::reloading();
        match Settings::read(&self.file) {
            Ok(settings) => self.replace(settings, folders),
            Err(problems) => {
                problems.iter().for_each(|problem| tracing::error!("{problem}"));
                tracing::error!("the settings were not read again: those from before apply");
            }
        }
        systemd::ready();
    }

    fn replace(&mut self, settings: Settings, folders: &mut Folders) {
        for name in self.settings.fixed_differences(&settings) {
            tracing::warn!("`{name}` has changed: the new value applies after a restart");
        }
        if let Err(error) = folders.apply(&settings.folders) {
            tracing::error!("{error:#}");
        }
        folders.look();
        self.settings.folders = settings.folders;
        tracing::info!("read {} again", self.file.display());
    }
}

/// Opens the state, in a directory that is created for this user alone.
fn open_store(file: &Path) -> SyncResult<SqliteStore> {
    places::create_parent(file).with_context(|| format!("the directory of {} cannot be created", file.display()))?;
    Ok(SqliteStore::open(file)?)
}

async fn manager(settings: &Settings, store: SqliteStore, questions: &Questions) -> SyncManager {
    let builder = SyncManager::builder().store(store).resume(Resume::Immediately);
    let builder = builder.interaction(questions.clone()).chooser(questions.clone());
    let builder = match settings.jobs {
        Some(jobs) => builder.max_concurrent_items(jobs),
        None => builder,
    };
    #[cfg(feature = "sources")]
    let builder = builder.environment(environment().await);
    #[cfg(all(feature = "sources", target_os = "linux"))]
    let builder = builder.change_source(syncmgr_sources::FileChanges::new());
    builder.build()
}

#[cfg(feature = "sources")]
async fn environment() -> syncmgr_sources::SystemEnvironment {
    let environment = syncmgr_sources::SystemEnvironment::start();
    if tokio::time::timeout(SOURCES, environment.ready()).await.is_err() {
        tracing::warn!("some sources of the environment do not answer yet");
    }
    environment
}

/// Says where the console and the page are, in one line. The token in the address of the page belongs on the user's screen, and not
/// into a log.
fn announce(console: &Serving, json: bool) {
    #[cfg(feature = "web")]
    let page = console.page();
    #[cfg(not(feature = "web"))]
    let page: Option<&str> = None;
    let shown = |page: &str| match io::stdout().is_terminal() {
        true => page.to_owned(),
        false => page.split('?').next().unwrap_or_default().to_owned(),
    };
    let (path, page) = (console.path().display(), page.map(shown));
    let text = match (json, page) {
        (true, page) => serde_json::json!({ "console": path.to_string(), "page": page }).to_string(),
        (false, Some(page)) => format!("the console is {path}, the page {page}"),
        (false, None) => format!("the console is {path}"),
    };
    // A host whose output is closed works nevertheless.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Stops everything in order. Fails if a handler could not be stopped.
async fn end(manager: &SyncManager, console: Serving) -> ExitCode {
    systemd::stopping();
    let left = manager.shutdown().await;
    left.iter().for_each(|handler| tracing::error!("{handler}"));
    let socket = console.path().to_owned();
    console.stop().await;
    web::remove_redirection(&socket);
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
