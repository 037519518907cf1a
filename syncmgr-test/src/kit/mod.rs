//! Judges a provider: runs its handler against the real runtime, and says which promises it keeps.
//!
//! One line in a test is all:
//!
//! ```
//! # use syncmgr_core::{context::ItemContext, error::SyncResult, handler::SyncHandler, id::HandlerId, info::HandlerInfo};
//! # struct Hello;
//! # #[async_trait::async_trait]
//! # impl SyncHandler for Hello {
//! #     fn info(&self) -> HandlerInfo { HandlerInfo::new(HandlerId::from_u128(7), "Hello") }
//! #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
//! # }
//! // #[test]
//! fn keeps_the_contract() {
//!     syncmgr_test::judge(|| Hello);
//! }
//! # keeps_the_contract();
//! ```

mod account;
mod bench;
mod check;
mod checks;
mod end;
mod place;
mod port;
mod process;
mod provider;
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
use std::sync::mpsc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::item::SyncItem;

use self::account::Account;
use self::bench::{Baseline, Bench, FIXTURE};
pub use self::check::Check;
use self::place::Named;
pub use self::provider::Provider;
use self::rig::{Rig, Time};
pub use self::ruling::{Breach, Judgement, Ruling};
use self::ruling::{Line, Played, Shown};

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
pub struct Kit {
    make: Arc<dyn Fn() -> Arc<dyn Provider> + Send + Sync>,
    expected: BTreeMap<String, Outcome>,
    without: BTreeMap<Check, String>,
    states: Option<PathBuf>,
    most: usize,
    poll: Duration,
    patience: Duration,
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

    /// Plays at most so many scripts for a check, spread over all there are; 400 unless said otherwise, and a tenth of it in
    /// real time.
    pub fn at_most(mut self, scripts: usize) -> Self {
        self.most = scripts;
        self
    }

    /// A poll may take so long in real time; 100 ms unless said otherwise.
    pub fn poll_limit(mut self, limit: Duration) -> Self {
        self.poll = limit;
        self
    }

    /// A check may take so long in real time, after which the handler counts as blocking its thread for good; two minutes
    /// unless said otherwise.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes every check.
    pub fn judgement(&self) -> Judgement {
        let handler = self.rig().provider().clone().handler();
        let rulings = Check::ALL.map(|check| (check, self.check(check))).into();
        Judgement { handler: handler.info().name().to_owned(), time: Time::of(&*handler), rulings }
    }

    /// Makes one check.
    pub fn check(&self, check: Check) -> Ruling {
        if let Some(reason) = self.without.get(&check) {
            return Ruling::Skipped(reason.clone());
        }
        let (kit, (sender, receiver)) = (self.clone(), mpsc::channel());
        let name = std::thread::current().name().unwrap_or("check").to_owned();
        let made = std::thread::Builder::new().name(name).spawn(move || _ = sender.send(kit.make_check(check)));
        match made.map(|thread| (receiver.recv_timeout(self.patience), thread)) {
            Ok((Ok(ruling), _)) => ruling,
            Ok((Err(mpsc::RecvTimeoutError::Timeout), _)) => Ruling::Broken(self.stuck()),
            Ok((Err(_), thread)) => std::panic::resume_unwind(thread.join().expect_err("it sent nothing")),
            Err(error) => Ruling::Skipped(format!("no thread could be started for it: {error}")),
        }
    }

    fn make_check(&self, check: Check) -> Ruling {
        match Baseline::take(self) {
            Ok(baseline) => checks::make(check, &Bench { kit: self, baseline }),
            Err(breach) if check == Check::Undisturbed => Ruling::Broken(breach.in_script("run everything")),
            Err(_) => Ruling::Skipped("the handler does not get through undisturbed; see that check first".into()),
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
            ruling => println!("{}", Line(check, &ruling)),
        }
    }

    fn rig(&self) -> Rig {
        Rig::new((self.make)())
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
            .about(&item))
    }

    fn stuck(&self) -> Breach {
        let seconds = self.patience.as_secs();
        let headline = format!("the check does not come back within {seconds} s: a call blocks its thread for good");
        let help = "look for a lock that is never free, or a blocking call without an end";
        Breach::new(headline, help).in_script("whatever this check plays")
    }
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kit(at most {} scripts a check)", self.most)
    }
}

/// A script of a check, which keeps or breaks its promise. Shown, it is how it is asked for again.
trait Promise: std::fmt::Display + Sized {
    fn play(&self, bench: &Bench<'_>) -> Played;

    /// A shorter script that may show the same.
    fn shorter(&self) -> Option<Self> {
        None
    }
}
