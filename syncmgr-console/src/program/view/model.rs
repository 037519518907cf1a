//! All that the view shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ratatui::crossterm::event::KeyEvent;
use syncmgr::HandlerId;

use super::act::Act;
use super::cursor::Cursor;
use super::data::{Handler, Held, Past, Planned, Question, Record};
use super::dialog::Dialog;
use super::event::{Event, Session};
use super::load::{Load, Part};

/// The lists, with their titles, which are those of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    #[default]
    Items,
    Now,
    Log,
    Agenda,
    History,
}

impl View {
    pub(super) const ALL: [Self; 5] = [Self::Items, Self::Now, Self::Log, Self::Agenda, Self::History];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Items => "Items",
            Self::Now => "Now",
            Self::Log => "Log",
            Self::Agenda => "Agenda",
            Self::History => "History",
        }
    }
}

/// The connection to the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Connecting,
    Live,
    /// Lost, and tried again.
    Lost,
}

/// A line about the last action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Info(String),
    Error(String),
}

/// What covers the list.
pub(super) enum Overlay {
    Help,
    Dialog(Dialog),
}

/// What has happened.
pub(super) enum Message {
    Key(KeyEvent),
    Resized,
    Connected,
    Lost,
    /// An event of the program, and the time since the start of the view.
    Event(Event, Duration),
    Loaded(Load),
    /// An action has ended, with a text to show.
    Done(Result<Option<String>, String>),
    /// The terminal can no longer be read.
    Closed,
}

/// What the model asks for.
pub(super) enum Effect {
    Act(Act),
    Quit,
}

/// All that the view shows.
#[derive(Default)]
pub(super) struct Model {
    pub(super) link: Link,
    pub(super) paused: bool,
    pub(super) handlers: Vec<Handler>,
    pub(super) sessions: BTreeMap<u64, Session>,
    /// The entries of all handlers, the latest first.
    pub(super) log: Vec<Record>,
    pub(super) agenda: Vec<Planned>,
    pub(super) held: Vec<Held>,
    pub(super) history: Vec<Past>,
    pub(super) questions: Vec<Question>,
    /// The user has started a session that asks which items run.
    pub(super) expects_question: bool,
    pub(super) view: View,
    pub(super) cursors: [Cursor; View::ALL.len()],
    pub(super) folded: BTreeSet<HandlerId>,
    pub(super) overlay: Option<Overlay>,
    pub(super) notice: Option<Notice>,
    /// The date in UTC, which the times of today leave out.
    pub(super) today: String,
    /// The parts to load again.
    pub(super) stale: BTreeSet<Part>,
}

impl Model {
    /// Changes the model. Returns what to do.
    pub(super) fn update(&mut self, message: Message) -> Option<Effect> {
        // An event changes no list but that of what runs now.
        let changed = if matches!(message, Message::Event(..)) { &[View::Now][..] } else { &View::ALL };
        let effect = match message {
            Message::Key(key) => self.press(key),
            Message::Closed => Some(Effect::Quit),
            other => {
                self.note(other);
                None
            }
        };
        changed.iter().for_each(|view| self.follow(*view));
        effect
    }

    fn note(&mut self, message: Message) {
        match message {
            Message::Connected => {
                self.link = Link::Live;
                // The stream of events begins with those of all open sessions.
                self.sessions.clear();
                self.stale_all();
            }
            Message::Lost => {
                self.link = Link::Lost;
                // Another program may be behind the socket when it is back, with questions of its own.
                self.end_dialog();
                self.sessions.clear();
                self.stale.clear();
            }
            Message::Event(event, at) => self.apply(event, at),
            Message::Loaded(Load { parts, today, left, problem }) => {
                self.today = today;
                parts.into_iter().for_each(|part| self.replace(part));
                self.stale.extend(left);
                self.notice = problem.map(Notice::Error).or(self.notice.take());
            }
            Message::Done(Ok(text)) => self.notice = text.map(Notice::Info).or(self.notice.take()),
            Message::Done(Err(problem)) => self.notice = Some(Notice::Error(problem)),
            Message::Resized | Message::Key(_) | Message::Closed => {}
        }
    }

    /// Returns the handler with this id.
    pub(super) fn handler(&self, id: HandlerId) -> Option<&Handler> {
        self.handlers.iter().find(|handler| handler.id == id)
    }

    /// Returns the name of a handler.
    pub(super) fn name(&self, id: HandlerId) -> String {
        self.handler(id).map_or_else(|| id.to_string(), |handler| handler.name.clone())
    }

    /// Leaves out the date of today in a text.
    pub(super) fn short(&self, text: &str) -> String {
        if self.today.is_empty() { text.to_owned() } else { text.replace(&format!("{} ", self.today), "") }
    }

    /// Returns the cursor of the shown list.
    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursors[self.view as usize]
    }
}
