//! The events of a script.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::FailureClass;
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::log::LogLevel;
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use syncmgr_core::text::Escaped;
use tokio::time::Instant;

use super::injection::{Call, Injection, ItemLabel};

/// An event of a script.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// An action of the script or the host.
    Action(String),
    Injected(Injection),
    /// Items that have not begun are held from now on. The provider has these data.
    HoldBegins(BTreeMap<String, String>),
    /// The hold ends. The provider has these data.
    HoldEnds(BTreeMap<String, String>),
    /// The results of a session were closed.
    Closed,
    Called(Call),
    Returned(Call, Result<(), String>),
    Panicked(Call, String),
    /// The call was dropped before it returned.
    Dropped(Call),
    /// The handler reported a status of the item.
    StatusReported(ItemLabel, Status),
    /// The handler reported progress without a status.
    ProgressReported(ItemLabel),
    /// The host refused a report, because the report broke a rule.
    ReportRefused(String),
    Logged(LogLevel, String),
    /// The call requested the user's attention.
    Attention(Call, Granted),
    Question(Call, String),
    Answered(Call),
    /// The call works although the user has answered and it still holds the user's attention.
    HeldDuringWork(Call),
    Released(Call),
    Connected(Call, Result<(), String>),
    /// The peer received an access to an item, and answers with this failure.
    Accessed {
        item: Arc<str>,
        number: u32,
        failure: Option<FailureClass>,
    },
    /// The handler's stream reported a change on this machine.
    LocalChange(LocalChange),
    ReadState(ItemLabel),
    Committed(ItemLabel, Result<(), String>),
    Ended(ItemLabel, Outcome),
    /// The number of values kept by the run that are still referenced after its results are closed.
    KeptValuesHeld(usize),
    /// The number of tasks that still run after shutdown.
    TasksRunning(usize),
    /// A context was used after its run or item had ended.
    LateUse(String),
}

/// The host's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granted {
    Yes,
    No,
}

/// The events so far, with the time since the start of the script. Clones share one log.
#[derive(Clone, Debug)]
pub(super) struct EventLog(Arc<Mutex<Entries>>);

#[derive(Debug)]
struct Entries {
    events: Vec<(Duration, Event)>,
    /// The total duration of the earlier processes.
    before: Duration,
    began: Option<Instant>,
}

impl EventLog {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Entries { events: Vec::new(), before: Duration::ZERO, began: None })))
    }

    /// Starts the clock of a process. Must be called in its tokio runtime.
    pub(super) fn process_starts(&self) {
        let mut entries = self.0.lock();
        entries.before = entries.now();
        entries.began = Some(Instant::now());
    }

    /// Stops the clock until the next process.
    pub(super) fn process_ends(&self) {
        let mut entries = self.0.lock();
        entries.before = entries.now();
        entries.began = None;
    }

    /// Returns the time since the start of the script.
    pub(super) fn now(&self) -> Duration {
        self.0.lock().now()
    }

    pub(super) fn record(&self, event: Event) {
        let mut entries = self.0.lock();
        let now = entries.now();
        entries.events.push((now, event));
    }

    /// Records an action of the script.
    pub(super) fn action(&self, text: impl Into<String>) {
        self.record(Event::Action(text.into()));
    }

    pub(super) fn events(&self) -> Vec<(Duration, Event)> {
        self.0.lock().events.clone()
    }

    /// Returns the first value that `pick` returns for an event.
    pub(super) fn find<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.0.lock().events.iter().map(|(_, event)| event).find_map(pick)
    }

    /// Returns `true` if the script reached its injection point.
    pub(super) fn was_injected(&self) -> bool {
        self.count(|event| matches!(event, Event::Injected(_) | Event::Accessed { failure: Some(_), .. })) > 0
    }

    pub(super) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().events.iter().filter(|(_, event)| wanted(event)).count()
    }

    /// Returns the time of the first matching event.
    pub(super) fn time_of(&self, wanted: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.0.lock().events.iter().find(|(_, event)| wanted(event)).map(|(time, _)| *time)
    }
}

impl Entries {
    fn now(&self) -> Duration {
        self.before + self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(text) => f.write_str(text),
            Self::Injected(injection) => write!(f, "** {injection} **"),
            Self::HoldBegins(_) => f.write_str("items that have not begun are held"),
            Self::HoldEnds(_) => f.write_str("the hold ends"),
            Self::Closed => f.write_str("the session is closed"),
            Self::Called(call) => write!(f, "{call} is called"),
            Self::Returned(call, Ok(())) => write!(f, "{call} returns Ok"),
            Self::Returned(call, Err(error)) => write!(f, "{call} returns Err: {error}"),
            Self::Panicked(call, text) => write!(f, "{call} panics: {text}"),
            Self::Dropped(call) => write!(f, "{call} is dropped"),
            Self::StatusReported(item, status) => write!(f, "{item} reports {status:?}"),
            Self::ProgressReported(item) => write!(f, "{item} reports progress"),
            Self::ReportRefused(text) => write!(f, "a report is refused: {text}"),
            Self::Logged(level, text) => write!(f, "log, {level:?}: {text}"),
            Self::Attention(call, Granted::Yes) => write!(f, "{call} gets the user's attention"),
            Self::Attention(call, Granted::No) => write!(f, "{call} requests the user's attention and is refused"),
            Self::Question(call, text) => write!(f, "{call} asks the user: {text}"),
            Self::Answered(call) => write!(f, "the user answers {call}"),
            Self::HeldDuringWork(call) => {
                write!(f, "{call} waits for something else and still holds the user's attention")
            }
            Self::Released(call) => write!(f, "{call} releases the user's attention"),
            Self::Connected(call, Ok(())) => write!(f, "{call} gets a connection"),
            Self::Connected(call, Err(error)) => write!(f, "{call} gets no connection: {error}"),
            Self::Accessed { item, number, failure: None } => {
                write!(f, "the peer receives access {number} to `{}`", Escaped(item))
            }
            Self::Accessed { item, number, failure: Some(class) } => {
                write!(f, "** the peer fails access {number} to `{}`: {class} **", Escaped(item))
            }
            Self::LocalChange(LocalChange::Item(item)) => {
                write!(f, "the handler reports a local change of item {item}")
            }
            Self::LocalChange(_) => f.write_str("the handler reports a local change of any item"),
            Self::ReadState(item) => write!(f, "{item} reads its checkpoint"),
            Self::Committed(item, Ok(())) => write!(f, "{item} commits"),
            Self::Committed(item, Err(error)) => write!(f, "{item} fails to commit: {error}"),
            Self::Ended(item, outcome) => write!(f, "{item} ends: {outcome}"),
            Self::LateUse(text) => write!(f, "late use: {text}"),
            Self::KeptValuesHeld(count) => write!(f, "{count} values kept by the run are still referenced"),
            Self::TasksRunning(count) => write!(f, "{count} tasks still run after shutdown"),
        }
    }
}
