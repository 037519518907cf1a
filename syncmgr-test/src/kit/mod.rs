//! The conformance kit: runs a provider's handler on the real runtime and checks the promises of the contract. The guide is
//! [`testing`](crate::testing).

mod accesses;
mod baseline;
mod change;
mod check;
mod checker;
mod checks;
mod end;
mod events;
mod fixture;
mod held;
mod injection;
mod monitor;
mod monitored;
mod permit;
mod port;
mod process;
mod provider;
mod recorder;
mod result;
mod script;
mod services;
mod system;
mod violation;
mod watchdog;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::item::SyncItem;
use syncmgr_core::port::Interaction;

pub use self::accesses::Accesses;
use self::baseline::{Baseline, FIXTURE_HELP};
pub use self::change::{Change, Expected};
pub use self::check::Check;
use self::checker::Checker;
use self::events::EventLog;
use self::fixture::{Fixture, OnKill, Options, Time};
use self::injection::ItemLabel;
pub use self::provider::Provider;
use self::result::ResultLine;
pub use self::result::{CheckResult, Passed, Report};
pub use self::violation::Violation;
use self::violation::{Diagnostic, ScriptResult};
use self::watchdog::Heartbeat;

/// Runs all checks on a handler, in one test. `make` is called for every script and creates a new provider.
///
/// # Panics
/// If the handler violates a promise, with a report that names it.
pub fn assert_conforms<P: Provider>(make: impl Fn() -> P + Send + Sync + 'static) {
    Kit::new(make).assert_conforms();
}

/// Generates one test for each check: `syncmgr_test::conformance_tests!(|| Hello);` in a module of its own. Takes the argument of
/// [`assert_conforms`], or a [`Kit`].
#[macro_export]
macro_rules! conformance_tests {
    ($kit:expr) => {
        $crate::conformance_tests! { @ $kit;
            baseline Baseline, description Description, listing Listing, selection Selection, statuses Statuses,
            skip Skip, stop Stop, resume Resume, kill Kill, second_run SecondRun, idempotent Idempotent,
            resumable Resumable, changes Changes, interrupted_changes InterruptedChanges, lost_updates LostUpdates, local_changes LocalChanges, failures Failures, commits Commits, holds Holds, conditions Conditions, endings Endings, panics Panics, unattended Unattended,
            attention Attention, release Release, late_use LateUse, tasks Tasks, hosts Hosts, cookie Cookie,
            blocking Blocking, upgrade Upgrade
        }
    };
    (@ $kit:expr; $($name:ident $check:ident),+) => {$(
        #[test]
        fn $name() {
            $crate::Kit::from($kit).assert_check($crate::Check::$check);
        }
    )+};
}

/// The conformance kit of one handler, with its options.
#[derive(Clone)]
#[must_use = "a kit runs no check until `assert_conforms` is called"]
pub struct Kit {
    make: Arc<dyn Fn() -> Arc<dyn Provider> + Send + Sync>,
    expected: BTreeMap<String, Outcome>,
    without: BTreeMap<Check, String>,
    states: Option<PathBuf>,
    max_scripts: usize,
    poll_limit: Duration,
    script_timeout: Duration,
    options: Options,
    only: Option<String>,
}

impl<P: Provider, F: Fn() -> P + Send + Sync + 'static> From<F> for Kit {
    fn from(make: F) -> Self {
        Self::new(make)
    }
}

impl Kit {
    /// Creates a kit. `make` is called for every script and creates a new provider, so that scripts do not affect each other.
    pub fn new<P: Provider>(make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(move || Arc::new(make())),
            expected: BTreeMap::new(),
            without: BTreeMap::new(),
            states: None,
            max_scripts: 400,
            poll_limit: Duration::from_millis(100),
            script_timeout: Duration::from_secs(120),
            options: Options::default(),
            only: std::env::var("SYNCMGR_SCRIPT").ok(),
        }
    }

    /// Sets the outcome of the item of this name in a run without faults. By default, items are expected to succeed.
    pub fn expecting(mut self, item: impl Into<String>, outcome: Outcome) -> Self {
        self.expected.insert(item.into(), outcome);
        self
    }

    /// Skips a check. The report contains the reason.
    pub fn without(mut self, check: Check, reason: impl Into<String>) -> Self {
        self.without.insert(check, reason.into());
        self
    }

    /// Sets the directory with the saved states of all releases, one file per version. Add the directory to version control with
    /// the tests. The file of a new version is written if `SYNCMGR_BLESS=1` is set.
    pub fn states(mut self, directory: impl Into<PathBuf>) -> Self {
        self.states = Some(directory.into());
        self
    }

    /// Sets the maximum number of scripts per check. If there are more, the kit plays an evenly spread selection. The default is
    /// 400. In real time, the kit plays only a tenth of the maximum; for handlers with more than 50 items it plays fewer scripts.
    pub fn max_scripts(mut self, scripts: usize) -> Self {
        self.max_scripts = scripts;
        self
    }

    /// Sets the maximum duration of a poll, in real time. The default is 100 ms.
    pub fn poll_limit(mut self, limit: Duration) -> Self {
        self.poll_limit = limit;
        self
    }

    /// Sets the maximum duration of a script, in real time. If a script exceeds it, the kit concludes that the handler blocks its
    /// thread forever. The default is two minutes.
    pub fn script_timeout(mut self, timeout: Duration) -> Self {
        self.script_timeout = timeout;
        self
    }

    /// Plays only this script, as the variable `SYNCMGR_SCRIPT` does.
    pub fn only(mut self, script: impl Into<String>) -> Self {
        self.only = Some(script.into());
        self
    }

    /// Drops the futures and the handler of a killed process. By default the kit leaks them in virtual time, because a kill runs
    /// no destructor. Use this option if the handler holds files or locks across awaits, which a real kill closes and releases.
    pub fn drop_on_kill(mut self) -> Self {
        self.options.on_kill = Some(OnKill::Drop);
        self
    }

    /// Runs the handler in real time, for handlers whose work depends on sockets, threads or other processes. The kit then plays only
    /// a tenth of the scripts.
    ///
    /// By default, the kit uses virtual time, unless the handler declares
    /// [`REAL_TIME`](syncmgr_core::capabilities::Capabilities::REAL_TIME).
    pub fn real_time(mut self) -> Self {
        self.options.time = Some(Time::Real);
        self
    }

    /// Runs the handler in virtual time, although it declares
    /// [`REAL_TIME`](syncmgr_core::capabilities::Capabilities::REAL_TIME): in the test, nothing it uses depends on real time.
    pub fn virtual_time(mut self) -> Self {
        self.options.time = Some(Time::Virtual);
        self
    }

    /// Sets the user who answers the handler's questions. `make` is called for every session, so that a script of answers begins again.
    ///
    /// By default, the user agrees to every question, chooses the first option, and enters `secret`. Secrets that a session stores
    /// survive every process.
    ///
    /// ```
    /// # use syncmgr::prelude::*;
    /// # use syncmgr_core::port::Secret;
    /// # struct Mail;
    /// # #[sync_handler(id = "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c13", name = "Mail")]
    /// # impl SyncHandler for Mail {
    /// #     async fn items(&self) -> SyncResult<Items> { Ok([SyncItem::named("Inbox")].into_iter().collect()) }
    /// #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
    /// # }
    /// use syncmgr_test::{Kit, ScriptedUser};
    ///
    /// let mistypes = || ScriptedUser::new().with_secret(Secret::new("wrong")).with_secret(Secret::new("right"));
    /// let kit = Kit::new(|| Mail).user(mistypes);
    /// ```
    pub fn user<I: Interaction>(mut self, make: impl Fn() -> I + Send + Sync + 'static) -> Self {
        self.options.user = Arc::new(move || Arc::new(make()));
        self
    }

    /// Runs all checks. If the check [`Baseline`](Check::Baseline) fails, the others are skipped.
    ///
    /// # Panics
    /// If no check of this handler has the script in `SYNCMGR_SCRIPT`.
    pub fn report(&self) -> Report {
        let handler = self.fixture().provider().clone().handler();
        let mut results: Vec<(Check, CheckResult)> = Vec::new();
        for check in Check::ALL {
            let result = match results.first() {
                Some((_, CheckResult::Failed(_))) => CheckResult::Skipped(NO_BASELINE.into()),
                _ => self.check(check),
            };
            results.push((check, result));
        }
        let report = Report { handler: handler.info().name().to_owned(), time: self.options.time(&*handler), results };
        let found = report.results().any(|(_, result)| !matches!(result, CheckResult::Skipped(_)));
        assert!(found, "no check has a script called `{}`", self.only.as_deref().unwrap_or_default());
        report
    }

    /// Runs one check.
    pub fn check(&self, check: Check) -> CheckResult {
        if let Some(reason) = self.without.get(&check) {
            return CheckResult::Skipped(reason.clone());
        }
        let kit = self.clone();
        watchdog::run(self.script_timeout, move |heartbeat| kit.run_check(check, heartbeat))
    }

    fn run_check(&self, check: Check, heartbeat: &Heartbeat) -> CheckResult {
        match Baseline::measure(self) {
            Ok(baseline) => checks::run(&Checker::new(self, check, baseline, heartbeat)),
            Err(violation) if check == Check::Baseline => CheckResult::Failed(violation.in_script("run all items")),
            Err(_) => CheckResult::Skipped(NO_BASELINE.into()),
        }
    }

    /// Runs all checks and prints the report.
    ///
    /// # Panics
    /// If the handler violates a promise, with a report that names it.
    #[expect(clippy::print_stdout, reason = "the report is the output of a test")]
    pub fn assert_conforms(&self) {
        let report = self.report();
        assert!(report.is_passed(), "\n{report}");
        println!("{report}");
    }

    /// Runs one check as a test of its own and prints its result.
    ///
    /// # Panics
    /// If the handler violates the promise, with a report that names it.
    #[expect(clippy::print_stdout, reason = "the result is the output of a test")]
    pub fn assert_check(&self, check: Check) {
        match self.check(check) {
            CheckResult::Failed(violation) => panic!("\n{}", Diagnostic(check, &violation)),
            CheckResult::Skipped(_) if self.only.is_some() => {
                panic!("the check `{check}` has no script called `{}`", self.only.as_deref().unwrap_or_default())
            }
            result => println!("{}", ResultLine(check, &result)),
        }
    }

    fn fixture(&self) -> Fixture {
        Fixture::new((self.make)(), self.options.clone())
    }

    /// Checks the outcome of an item in a run without faults.
    fn check_expected(&self, item: &SyncItem, outcome: Outcome, log: &EventLog) -> ScriptResult {
        let expected = self.expected.get(item.name()).copied().unwrap_or(Outcome::Succeeded);
        if outcome == expected {
            return Ok(());
        }
        let item = ItemLabel::from(item);
        Err(Violation::new(format!("{item} ends: {outcome}, although no fault was injected"), FIXTURE_HELP)
            .with_log(log)
            .with_item(&item))
    }
}

const NO_BASELINE: &str = "the check `baseline` fails; fix that first";

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kit(at most {} scripts a check)", self.max_scripts)
    }
}
