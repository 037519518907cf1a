//! A broken promise, told.

use std::fmt::{self, Write};
use std::time::Duration;

use super::account::{Account, Event};
use super::check::Check;
use super::place::Named;

/// How many lines of what happened are shown.
const LINES: usize = 24;

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
    pub(super) fn with_item(mut self, item: &Named) -> Self {
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
