//! Violations and their display.

use std::fmt::{self, Write};
use std::time::Duration;

use super::check::Check;
use super::events::{Event, EventLog};
use super::injection::ItemLabel;

/// The maximum number of events that are shown.
const MAX_LINES: usize = 24;

/// A violation of a promise: the promise, the events, and the shortest script that shows the violation.
#[derive(Debug)]
pub struct Violation(Box<Details>);

/// The result of playing a script: `Ok`, or a violation.
pub(super) type ScriptResult = Result<(), Violation>;

#[derive(Debug)]
struct Details {
    headline: String,
    details: Vec<String>,
    help: String,
    script: String,
    item: Option<ItemLabel>,
    log: Option<EventLog>,
}

impl Violation {
    pub(super) fn new(headline: impl Into<String>, help: impl Into<String>) -> Self {
        let (headline, help) = (headline.into(), help.into());
        let (details, script) = (Vec::new(), String::new());
        Self(Box::new(Details { headline, details, help, script, item: None, log: None }))
    }

    /// Sets the differences or observations to show.
    pub(super) fn with_details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.0.details = details.into_iter().collect();
        self
    }

    /// Sets the details to those of another violation.
    pub(super) fn with_details_of(self, other: Self) -> Self {
        self.with_details(other.0.details)
    }

    /// Sets the event log.
    pub(super) fn with_log(mut self, log: &EventLog) -> Self {
        self.0.log = Some(log.clone());
        self
    }

    /// Sets the item whose events are shown, unless it is already set.
    pub(super) fn with_item(mut self, item: &ItemLabel) -> Self {
        self.0.item.get_or_insert_with(|| item.clone());
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

    /// Returns the violation in one sentence.
    pub fn headline(&self) -> &str {
        &self.0.headline
    }

    /// Returns the name of the script. Set `SYNCMGR_SCRIPT` to this name to play only this script.
    pub fn script(&self) -> &str {
        &self.0.script
    }

    fn event_lines(&self) -> Vec<String> {
        let Some(log) = &self.0.log else { return Vec::new() };
        let events = log.events();
        let relevant = events.iter().filter(|(_, event)| is_relevant(event, self.0.item.as_ref()));
        shorten(relevant.map(|(time, event)| line(*time, event)).collect())
    }
}

/// Returns `true` if the event concerns the item or is unusual.
fn is_relevant(event: &Event, about: Option<&ItemLabel>) -> bool {
    let of_item = |item: &ItemLabel| about.is_none_or(|about| about == item);
    match event {
        Event::ProgressReported(_) => false,
        Event::Accessed { item, failure: None, .. } => about.is_none_or(|about| about.name == *item),
        Event::Called(call) | Event::Returned(call, Ok(())) => call.item().is_some_and(of_item),
        Event::StatusReported(item, _)
        | Event::Ended(item, _)
        | Event::ReadState(item)
        | Event::Committed(item, Ok(())) => of_item(item),
        _ => true,
    }
}

/// Removes lines from the middle of a long log.
fn shorten(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MAX_LINES {
        let omitted = lines.len() - MAX_LINES;
        lines.splice(MAX_LINES / 3..MAX_LINES / 3 + omitted, [format!("           .. {omitted} more ..")]);
    }
    lines
}

fn line(time: Duration, event: &Event) -> String {
    format!("{:>10.3}  {event}", time.as_secs_f64())
}

/// Displays a violation in the style of a compiler error.
pub(super) struct Diagnostic<'a>(pub(super) Check, pub(super) &'a Violation);

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(check, violation) = self;
        writeln!(f, "error[{check}]: {}", violation.headline())?;
        writeln!(f, "  --> script: {}", violation.script())?;
        f.write_str("   |\n")?;
        violation.0.details.iter().try_for_each(|detail| writeln!(f, "   | {detail}"))?;
        let events = violation.event_lines();
        if !events.is_empty() {
            f.write_str("   | events, with the time in seconds:\n")?;
            events.iter().try_for_each(|line| writeln!(f, "   | {line}"))?;
        }
        f.write_str("   |\n")?;
        writeln!(f, "   = contract: {} ({})", check.promise(), check.rules())?;
        writeln!(f, "   = help: {}", violation.0.help)?;
        writeln!(f, "   = rerun: {}", rerun(violation.script()))
    }
}

/// Returns the command that plays one script again.
fn rerun(script: &str) -> String {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").unwrap_or_default();
    let mut command = String::from("SYNCMGR_SCRIPT='");
    let exact = if test.is_empty() { "" } else { " -- --exact" };
    _ = write!(command, "{}' cargo test {test}{exact}", script.replace('\'', r"'\''"));
    command.trim_end().to_owned()
}
