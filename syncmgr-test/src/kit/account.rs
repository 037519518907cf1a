//! What happened while a script was played.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::log::LogLevel;
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use tokio::time::Instant;

use super::place::{Call, Cut, Named};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// The script or the host did something.
    Act(String),
    Cut(Cut),
    /// The results of a session were closed.
    Closed,
    Called(Call),
    Returned(Call, Result<(), String>),
    Panicked(Call, String),
    /// The call was dropped before it was done.
    Dropped(Call),
    /// An item's cell shows a status the handler has reported.
    Showed(Named, Status),
    /// A report on an item was taken, with no status in it.
    Reported(Named),
    /// A report on an item was refused: the handler's mistake.
    Misreported(String),
    Logged(LogLevel, String),
    /// The user's attention was asked for, and granted or not.
    Attention(Call, Granted),
    Question(Call, String),
    GaveBack(Call),
    Connected(Call, Result<(), String>),
    ReadState(Named),
    Committed(Named, Result<(), String>),
    Ended(Named, Outcome),
    /// So many values that the run kept are still held by somebody when its results are closed.
    Outlives(usize),
    /// So many tasks go on when everything was shut down.
    TasksGoOn(usize),
    /// A context was used when its run was over.
    Late(String),
}

/// Whether somebody got what they asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granted {
    Yes,
    No,
}

/// All that happened, with the time since the script began. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Account(Arc<Mutex<Pages>>);

#[derive(Debug)]
struct Pages {
    events: Vec<(Duration, Event)>,
    /// How long the programs before this one took.
    before: Duration,
    began: Option<Instant>,
}

impl Account {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Pages { events: Vec::new(), before: Duration::ZERO, began: None })))
    }

    /// A program starts, in the tokio runtime this is called in.
    pub(super) fn program_starts(&self) {
        let mut pages = self.0.lock();
        pages.before = pages.now();
        pages.began = Some(Instant::now());
    }

    /// A program has ended: time stands still until the next.
    pub(super) fn program_ends(&self) {
        let mut pages = self.0.lock();
        pages.before = pages.now();
        pages.began = None;
    }

    /// How long the script has gone on.
    pub(super) fn now(&self) -> Duration {
        self.0.lock().now()
    }

    pub(super) fn note(&self, event: Event) {
        let mut pages = self.0.lock();
        let now = pages.now();
        pages.events.push((now, event));
    }

    /// The script does something.
    pub(super) fn act(&self, text: impl Into<String>) {
        self.note(Event::Act(text.into()));
    }

    pub(super) fn events(&self) -> Vec<(Duration, Event)> {
        self.0.lock().events.clone()
    }

    /// What `pick` makes of the events, where it makes something of them.
    pub(super) fn find<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        self.0.lock().events.iter().map(|(_, event)| event).find_map(pick)
    }

    /// Whether the script came to its place: what goes on beside it may have gone another way this time.
    pub(super) fn was_cut(&self) -> bool {
        self.count(|event| matches!(event, Event::Cut(_))) > 0
    }

    pub(super) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().events.iter().filter(|(_, event)| wanted(event)).count()
    }

    /// When this happened first.
    pub(super) fn when(&self, wanted: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.0.lock().events.iter().find(|(_, event)| wanted(event)).map(|(time, _)| *time)
    }
}

impl Pages {
    fn now(&self) -> Duration {
        self.before + self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(text) => f.write_str(text),
            Self::Cut(cut) => write!(f, "** {cut} **"),
            Self::Closed => f.write_str("the session is closed"),
            Self::Called(call) => write!(f, "{call} is called"),
            Self::Returned(call, Ok(())) => write!(f, "{call} returns Ok"),
            Self::Returned(call, Err(error)) => write!(f, "{call} returns Err: {error}"),
            Self::Panicked(call, text) => write!(f, "{call} panics: {text}"),
            Self::Dropped(call) => write!(f, "{call} is dropped"),
            Self::Showed(item, status) => write!(f, "{item} reports {status:?}"),
            Self::Reported(item) => write!(f, "{item} is reported on"),
            Self::Misreported(text) => write!(f, "a report is refused: {text}"),
            Self::Logged(level, text) => write!(f, "log, {level:?}: {text}"),
            Self::Attention(call, Granted::Yes) => write!(f, "{call} has the user's attention"),
            Self::Attention(call, Granted::No) => write!(f, "{call} asks for the user's attention, and is refused"),
            Self::Question(call, text) => write!(f, "{call} asks the user: {text}"),
            Self::GaveBack(call) => write!(f, "{call} gives the user's attention back"),
            Self::Connected(call, Ok(())) => write!(f, "{call} has a connection"),
            Self::Connected(call, Err(error)) => write!(f, "{call} gets no connection: {error}"),
            Self::ReadState(item) => write!(f, "{item} reads what was saved"),
            Self::Committed(item, Ok(())) => write!(f, "{item} commits"),
            Self::Committed(item, Err(error)) => write!(f, "{item} commits, which fails: {error}"),
            Self::Ended(item, outcome) => write!(f, "{item} ends: {outcome}"),
            Self::Late(text) => write!(f, "too late: {text}"),
            Self::Outlives(count) => write!(f, "{count} values the run kept are still held by somebody"),
            Self::TasksGoOn(count) => write!(f, "{count} tasks go on when everything was shut down"),
        }
    }
}
