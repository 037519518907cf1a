//! Judges a provider: runs its handler against the real runtime, and says which promises it keeps. The page about it is
//! [`testing`](crate::testing).

mod account;
mod baseline;
mod bench;
mod breach;
mod check;
mod checks;
mod end;
mod lent;
mod place;
mod port;
mod process;
mod provider;
mod pulse;
mod rig;
mod ruling;
mod script;
mod stage;
mod watch;
mod watched;
mod witness;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::item::SyncItem;

use self::account::Account;
use self::baseline::{Baseline, FIXTURE};
use self::bench::Bench;
pub use self::breach::Breach;
use self::breach::{Played, Shown};
pub use self::check::Check;
use self::place::Named;
pub use self::provider::Provider;
use self::pulse::Pulse;
use self::rig::{Remains, Rig, Time};
use self::ruling::Line;
pub use self::ruling::{Judgement, Kept, Ruling};

/// Judges a handler by every check, in one test. `make` makes a new world, with a handler for it, for every script.
///
/// # Panics
/// When a promise is broken, with a report that names it.
pub fn judge<P: Provider>(make: impl Fn() -> P + Send + Sync + 'static) {
    Kit::new(make).judge();
}

/// Makes one test for each check: `syncmgr_test::judge_each!(|| Hello);` in a module of its own. What is given is the
/// argument of [`judge`], or a [`Kit`].
#[macro_export]
macro_rules! judge_each {
    ($kit:expr) => {
        $crate::judge_each! { @ $kit;
            undisturbed Undisturbed, description Description, listing Listing, choice Choice, statuses Statuses,
            skip Skip, stop Stop, resume Resume, kill Kill, again Again, repeat Repeat, resumable Resumable,
            failures Failures, commits Commits, panics Panics, silence Silence, attention Attention, release Release,
            late Late, tasks Tasks, hosts Hosts, cookie Cookie, blocking Blocking, upgrade Upgrade
        }
    };
    (@ $kit:expr; $($name:ident $check:ident),+) => {$(
        #[test]
        fn $name() {
            $crate::Kit::from($kit).judge_one($crate::Check::$check);
        }
    )+};
}

/// What judges a handler, with what it is to know of it.
#[derive(Clone)]
#[must_use = "a kit judges nothing until `judge`"]
pub struct Kit {
    make: Arc<dyn Fn() -> Arc<dyn Provider> + Send + Sync>,
    expected: BTreeMap<String, Outcome>,
    without: BTreeMap<Check, String>,
    states: Option<PathBuf>,
    most: usize,
    poll: Duration,
    patience: Duration,
    remains: Option<Remains>,
    only: Option<String>,
}

impl<P: Provider, F: Fn() -> P + Send + Sync + 'static> From<F> for Kit {
    fn from(make: F) -> Self {
        Self::new(make)
    }
}

impl Kit {
    /// A kit for the handler of the world this makes. It is called for every script, so that no script sees what another
    /// has left.
    pub fn new<P: Provider>(make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(move || Arc::new(make())),
            expected: BTreeMap::new(),
            without: BTreeMap::new(),
            states: None,
            most: 400,
            poll: Duration::from_millis(100),
            patience: Duration::from_secs(120),
            remains: None,
            only: std::env::var("SYNCMGR_SCRIPT").ok(),
        }
    }

    /// In this world, the item of this name does not succeed but ends like this.
    pub fn expecting(mut self, item: impl Into<String>, outcome: Outcome) -> Self {
        self.expected.insert(item.into(), outcome);
        self
    }

    /// Leaves a check out. The report says so, with the reason.
    pub fn without(mut self, check: Check, reason: impl Into<String>) -> Self {
        self.without.insert(check, reason.into());
        self
    }

    /// Keeps the states of every release in this directory, one file for each version, to be checked in with the tests. The
    /// file of a new version is written where `SYNCMGR_BLESS=1` is set.
    pub fn states(mut self, directory: impl Into<PathBuf>) -> Self {
        self.states = Some(directory.into());
        self
    }

    /// Plays at most so many scripts for a check, spread over all there are; 400 unless said otherwise, a tenth of it in real
    /// time, and fewer where the handler has more than 50 items.
    pub fn at_most(mut self, scripts: usize) -> Self {
        self.most = scripts;
        self
    }

    /// A poll may take so long in real time; 100 ms unless said otherwise.
    pub fn poll_limit(mut self, limit: Duration) -> Self {
        self.poll = limit;
        self
    }

    /// A script may take so long in real time, after which the handler counts as blocking its thread for good; two minutes
    /// unless said otherwise.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Plays this script alone, as `SYNCMGR_SCRIPT` does.
    pub fn only(mut self, script: impl Into<String>) -> Self {
        self.only = Some(script.into());
        self
    }

    /// What belongs to a program that is killed is dropped. In virtual time it is not, unless this says so, because a kill runs
    /// no destructor. A kill does close files and free their locks: use it where the handler holds such things across waits.
    pub fn dropping_what_is_killed(mut self) -> Self {
        self.remains = Some(Remains::Dropped);
        self
    }

    /// Makes every check. Of a handler that does not get through undisturbed, no other is made.
    ///
    /// # Panics
    /// When `SYNCMGR_SCRIPT` asks for a script that no check of this handler has.
    pub fn judgement(&self) -> Judgement {
        let handler = self.rig().provider().clone().handler();
        let mut rulings: Vec<(Check, Ruling)> = Vec::new();
        for check in Check::ALL {
            let ruling = match rulings.first() {
                Some((_, Ruling::Broken(_))) => Ruling::Skipped(FIRST.into()),
                _ => self.check(check),
            };
            rulings.push((check, ruling));
        }
        let judgement = Judgement { handler: handler.info().name().to_owned(), time: Time::of(&*handler), rulings };
        let found = judgement.rulings().any(|(_, ruling)| !matches!(ruling, Ruling::Skipped(_)));
        assert!(found, "no check has a script called `{}`", self.only.as_deref().unwrap_or_default());
        judgement
    }

    /// Makes one check.
    pub fn check(&self, check: Check) -> Ruling {
        if let Some(reason) = self.without.get(&check) {
            return Ruling::Skipped(reason.clone());
        }
        let kit = self.clone();
        pulse::attend(self.patience, move |pulse| kit.make_check(check, pulse))
    }

    fn make_check(&self, check: Check, pulse: &Pulse) -> Ruling {
        match Baseline::take(self) {
            Ok(baseline) => checks::make(&Bench::new(self, check, baseline, pulse)),
            Err(breach) if check == Check::Undisturbed => Ruling::Broken(breach.in_script("run everything")),
            Err(_) => Ruling::Skipped(FIRST.into()),
        }
    }

    /// Makes every check. What was played, and why what was skipped, is printed.
    ///
    /// # Panics
    /// When a promise is broken, with a report that names it.
    #[expect(clippy::print_stdout, reason = "it is what a test says")]
    pub fn judge(&self) {
        let judgement = self.judgement();
        assert!(judgement.is_kept(), "\n{judgement}");
        println!("{judgement}");
    }

    /// Makes one check, as a test of its own. What was played, or why it is skipped, is printed.
    ///
    /// # Panics
    /// When the promise is broken, with a report that names it.
    #[expect(clippy::print_stdout, reason = "it is what a test says")]
    pub fn judge_one(&self, check: Check) {
        match self.check(check) {
            Ruling::Broken(breach) => panic!("\n{}", Shown(check, &breach)),
            Ruling::Skipped(_) if self.only.is_some() => {
                panic!("the check `{check}` has no script called `{}`", self.only.as_deref().unwrap_or_default())
            }
            ruling => println!("{}", Line(check, &ruling)),
        }
    }

    fn rig(&self) -> Rig {
        Rig::new((self.make)(), self.remains)
    }

    /// Whether an item may end like this with nothing in its way.
    fn expects(&self, item: &SyncItem, outcome: Outcome, account: &Account) -> Played {
        let expected = self.expected.get(item.name()).copied().unwrap_or(Outcome::Succeeded);
        if outcome == expected {
            return Ok(());
        }
        let item = Named::from(item);
        Err(Breach::new(format!("{item} ends: {outcome}, with nothing in its way"), FIXTURE)
            .with_account(account)
            .with_item(&item))
    }
}

const FIRST: &str = "the handler does not get through undisturbed; see that check first";

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kit(at most {} scripts a check)", self.most)
    }
}
