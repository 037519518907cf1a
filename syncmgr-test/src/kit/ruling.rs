//! What the kit says of a handler.

use std::fmt::{self, Write};
use std::time::Duration;

use syncmgr_core::text::Escaped;

use super::account::{Account, Event};
use super::check::Check;
use super::place::Named;
use super::rig::Time;

/// How many lines of what happened are shown.
const LINES: usize = 24;

/// What the kit says of one handler, check by check. Shown with `{}` it reads like what a compiler says.
#[derive(Debug)]
pub struct Judgement {
    pub(super) handler: String,
    pub(super) time: Time,
    pub(super) rulings: Vec<(Check, Ruling)>,
}

/// What one check has found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ruling {
    /// The promise was kept.
    Kept(Kept),
    /// The promise was broken.
    Broken(Breach),
    /// The check does not apply, for this reason.
    Skipped(String),
}

/// How well a promise was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// How many scripts were played.
    pub scripts: usize,
    /// How many more there would have been.
    pub left_out: usize,
    /// How many of those that were played did not come to their place.
    pub unreached: usize,
    /// What there was not to compare.
    pub remark: Option<&'static str>,
}

impl Kept {
    /// With those that were played besides.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            scripts: self.scripts + other.scripts,
            left_out: self.left_out + other.left_out,
            unreached: self.unreached + other.unreached,
            remark: self.remark.or(other.remark),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} played", self.scripts)?;
        if self.left_out > 0 {
            write!(f, ", {} left out", self.left_out)?;
        }
        if self.unreached > 0 {
            write!(f, ", {} did not come to their place", self.unreached)?;
        }
        self.remark.map_or(Ok(()), |remark| write!(f, ", {remark}"))
    }
}

/// A broken promise: what the contract says, what happened, and the shortest script that shows it.
#[derive(Debug)]
pub struct Breach(Box<Found>);

/// What a script has shown: nothing, or that the promise is broken.
pub(super) type Played = Result<(), Breach>;

#[derive(Debug)]
struct Found {
    headline: String,
    details: Vec<String>,
    help: String,
    script: String,
    about: Option<Named>,
    account: Option<Account>,
}

impl Judgement {
    /// Whether no promise was broken.
    pub fn is_kept(&self) -> bool {
        self.breaches().next().is_none()
    }

    /// The checks and what they have found, in the order of [`Check::ALL`].
    pub fn rulings(&self) -> impl Iterator<Item = (Check, &Ruling)> {
        self.rulings.iter().map(|(check, ruling)| (*check, ruling))
    }

    /// The promises that were broken.
    pub fn breaches(&self) -> impl Iterator<Item = (Check, &Breach)> {
        self.rulings.iter().filter_map(|(check, ruling)| match ruling {
            Ruling::Broken(breach) => Some((*check, breach)),
            _ => None,
        })
    }
}

impl Breach {
    pub(super) fn new(headline: impl Into<String>, help: impl Into<String>) -> Self {
        let (headline, help) = (headline.into(), help.into());
        let (details, script) = (Vec::new(), String::new());
        Self(Box::new(Found { headline, details, help, script, about: None, account: None }))
    }

    /// With what differs, or was seen.
    pub(super) fn with_details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.0.details = details.into_iter().collect();
        self
    }

    /// With what another breach has found to differ.
    pub(super) fn with_details_of(self, other: Self) -> Self {
        self.with_details(other.0.details)
    }

    /// With all that happened.
    pub(super) fn with_account(mut self, account: &Account) -> Self {
        self.0.account = Some(account.clone());
        self
    }

    /// Of long accounts, what is about this item is shown. The first one counts.
    pub(super) fn about(mut self, item: &Named) -> Self {
        self.0.about.get_or_insert_with(|| item.clone());
        self
    }

    pub(super) fn in_script(mut self, script: impl Into<String>) -> Self {
        self.0.script = script.into();
        self
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = help.into();
        self
    }

    /// What was found, in one sentence.
    pub fn headline(&self) -> &str {
        &self.0.headline
    }

    /// What was played: the value of `SYNCMGR_SCRIPT` that plays just this again.
    pub fn script(&self) -> &str {
        &self.0.script
    }

    fn happened(&self) -> Vec<String> {
        let Some(account) = &self.0.account else { return Vec::new() };
        let events = account.events();
        let told = events.iter().filter(|(_, event)| is_telling(event, self.0.about.as_ref()));
        shortened(told.map(|(time, event)| line(*time, event)).collect())
    }
}

/// Whether an event is worth a line: it is about the item, or not as usual.
fn is_telling(event: &Event, about: Option<&Named>) -> bool {
    let of_item = |item: &Named| about.is_none_or(|about| about == item);
    match event {
        Event::Reported(_) => false,
        Event::Called(call) | Event::Returned(call, Ok(())) => call.item().is_some_and(of_item),
        Event::Showed(item, _) | Event::Ended(item, _) | Event::ReadState(item) | Event::Committed(item, Ok(())) => {
            of_item(item)
        }
        _ => true,
    }
}

/// The beginning and the end of a long account.
fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        let left_out = lines.len() - LINES;
        lines.splice(LINES / 3..LINES / 3 + left_out, [format!("           .. {left_out} more ..")]);
    }
    lines
}

fn line(time: Duration, event: &Event) -> String {
    format!("{:>10.3}  {event}", time.as_secs_f64())
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&Ruling) -> bool| self.rulings.iter().filter(|(_, ruling)| wanted(ruling)).count();
        let kept = count(|ruling| matches!(ruling, Ruling::Kept(_)));
        let skipped = count(|ruling| matches!(ruling, Ruling::Skipped(_)));
        let broken = self.breaches().count();
        let time = if self.time == Time::Real { ", in real time" } else { "" };
        writeln!(f, "{}{time}: {kept} kept, {broken} broken, {skipped} skipped", Escaped(&self.handler))?;
        self.rulings.iter().try_for_each(|(check, ruling)| writeln!(f, "{}", Line(*check, ruling)))?;
        self.breaches().try_for_each(|(check, breach)| write!(f, "\n{}", Shown(check, breach)))
    }
}

/// A check and what it has found, on one line.
pub(super) struct Line<'a>(pub(super) Check, pub(super) &'a Ruling);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(check, ruling) = self;
        match ruling {
            Ruling::Kept(kept) => write!(f, "     kept {check} ({kept})"),
            Ruling::Skipped(reason) => write!(f, "  skipped {check}: {reason}"),
            Ruling::Broken(breach) => write!(f, "   BROKEN {check}: {}", breach.headline()),
        }
    }
}

/// A breach with the check that found it.
pub(super) struct Shown<'a>(pub(super) Check, pub(super) &'a Breach);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(check, breach) = self;
        writeln!(f, "error[{check}]: {}", breach.headline())?;
        writeln!(f, "  --> script: {}", breach.script())?;
        f.write_str("   |\n")?;
        breach.0.details.iter().try_for_each(|detail| writeln!(f, "   | {detail}"))?;
        let happened = breach.happened();
        if !happened.is_empty() {
            f.write_str("   | what happened, in seconds:\n")?;
            happened.iter().try_for_each(|line| writeln!(f, "   | {line}"))?;
        }
        f.write_str("   |\n")?;
        writeln!(f, "   = contract: {} ({})", check.promise(), check.rules())?;
        writeln!(f, "   = help: {}", breach.0.help)?;
        writeln!(f, "   = rerun: {}", rerun(breach.script()))
    }
}

/// The command that plays one script again.
fn rerun(script: &str) -> String {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").unwrap_or_default();
    let mut command = String::from("SYNCMGR_SCRIPT='");
    let exact = if test.is_empty() { "" } else { " -- --exact" };
    _ = write!(command, "{}' cargo test {test}{exact}", script.replace('\'', r"'\''"));
    command.trim_end().to_owned()
}
