//! What the view asks the program to do.

use serde_json::{Value, json};
use syncmgr::{HandlerId, ItemId};

use super::cursor::Key;
use super::data::{Action, Choice, Handler, Record};
use super::dialog::Dialog;
use super::model::{Effect, Model, Notice, Overlay, View};
use super::rows::{Live, Node};

/// The maximum number of items in one request, whose body may have 1 MiB.
const ITEMS: usize = 10_000;

/// Requests that belong together. One that succeeds is enough: not every session has every handler and item.
pub(super) struct Act {
    /// The action, which the text about a failure names.
    pub(super) name: String,
    pub(super) requests: Vec<(String, Value)>,
}

impl Act {
    pub(super) fn one(name: impl Into<String>, path: impl Into<String>, body: Value) -> Effect {
        Effect::Act(Self { name: name.into(), requests: vec![(path.into(), body)] })
    }
}

impl Model {
    /// Returns the selected row of the items.
    pub(super) fn selected(&self) -> Option<Node<'_>> {
        self.node(self.cursors[View::Items as usize].at())
    }

    /// Chooses the selected item, or leaves it out. A handler stands for all of its items.
    pub(super) fn choose(&mut self) -> Option<Effect> {
        let (handler, items, name) = match self.selected().filter(|_| self.view == View::Items)? {
            Node::Item(handler, item) => (handler.id, vec![(item.id, item.choice)], item.name.clone()),
            Node::Handler(handler) => {
                let items: Vec<_> = handler.items.iter().map(|item| (item.id, item.choice)).collect();
                (handler.id, items, handler.name.clone())
            }
        };
        let all = items.iter().all(|(_, choice)| *choice == Choice::Checked);
        let (choice, state) = if all { (Choice::Unchecked, "unchecked") } else { (Choice::Checked, "checked") };
        let ids: Vec<_> = items.into_iter().map(|(item, _)| item).collect();
        let path = format!("/v1/handlers/{handler}/choice");
        let request = |items: &[ItemId]| (path.clone(), json!({ "items": items, "state": state }));
        let requests: Vec<_> = ids.chunks(ITEMS).map(request).collect();
        self.show_choice(handler, &ids, choice);
        let act = Act { name: format!("choose {name}"), requests };
        (!act.requests.is_empty()).then_some(Effect::Act(act))
    }

    /// Shows the choice at once. The next answer of the program confirms it.
    fn show_choice(&mut self, handler: HandlerId, items: &[ItemId], choice: Choice) {
        let Some(handler) = self.handlers.iter_mut().find(|known| known.id == handler) else { return };
        let all = items.len() == handler.items.len();
        handler.items.iter_mut().filter(|item| all || items.contains(&item.id)).for_each(|item| item.choice = choice);
    }

    /// Runs the selected item, which may ask, or the chosen items of the selected handler.
    pub(super) fn run(&self) -> Option<Effect> {
        Some(match self.selected()? {
            Node::Item(handler, item) => {
                let (id, name) = (handler.id, format!("run {}", item.name));
                Act::one(
                    name,
                    "/v1/sessions",
                    json!({ "handlers": [id], "items": { id.to_string(): [item.id] }, "ask": true }),
                )
            }
            Node::Handler(handler) => {
                Act::one(format!("run {}", handler.name), "/v1/sessions", json!({ "handlers": [handler.id] }))
            }
        })
    }

    /// Runs the items of the selected handler that the user chooses in a dialog.
    pub(super) fn choose_and_run(&mut self) -> Option<Effect> {
        let handler = self.subject()?;
        let effect = Act::one("run", "/v1/sessions", json!({ "handlers": [handler], "ask": true }));
        self.expects_question = true;
        Some(effect)
    }

    /// Returns the handler of the selected row.
    fn subject(&self) -> Option<HandlerId> {
        match self.key(self.view, self.cursor().at())? {
            Key::Handler(id) | Key::Item(id, _) | Key::Running(_, id, _) | Key::Entry(id, ..) => Some(id),
            _ => None,
        }
    }

    /// Skips the selected item.
    pub(super) fn skip(&mut self) -> Option<Effect> {
        let (sessions, handler, item, name) = match self.view {
            View::Now => match self.live(self.cursor().at())? {
                Live::Item(session, running) => (vec![session], running.handler, running.item, running.name.clone()),
                Live::Session(..) => return self.say("Select an item to skip."),
            },
            _ => match self.selected().filter(|_| self.view == View::Items)? {
                Node::Item(handler, item) => {
                    (self.sessions.keys().copied().collect(), handler.id, item.id, item.name.clone())
                }
                Node::Handler(_) => return self.say("Select an item to skip."),
            },
        };
        self.in_sessions(format!("skip {name}"), sessions, &format!("/handlers/{handler}/items/{item}/skip"))
    }

    /// Stops the runs of the selected handler, or the selected session.
    pub(super) fn stop(&mut self) -> Option<Effect> {
        if let (View::Now, Some(Live::Session(session, _))) = (self.view, self.live(self.cursor().at())) {
            return self.in_sessions(format!("stop session {session}"), vec![session], "/stop");
        }
        let handler = self.subject()?;
        let sessions = self.sessions.keys().copied().collect();
        self.in_sessions(format!("stop {}", self.name(handler)), sessions, &format!("/handlers/{handler}/stop"))
    }

    /// Stops all sessions.
    pub(super) fn stop_all(&mut self) -> Option<Effect> {
        let sessions = self.sessions.keys().copied().collect();
        self.in_sessions("stop all".to_owned(), sessions, "/stop")
    }

    fn in_sessions(&mut self, name: String, sessions: Vec<u64>, path: &str) -> Option<Effect> {
        if sessions.is_empty() {
            return self.say("Nothing is running.");
        }
        let requests = sessions.iter().map(|session| (format!("/v1/sessions/{session}{path}"), Value::Null)).collect();
        Some(Effect::Act(Act { name, requests }))
    }

    pub(super) fn pause(&self) -> Effect {
        let verb = if self.paused { "resume" } else { "pause" };
        Act::one(verb, format!("/v1/{verb}"), Value::Null)
    }

    /// Answers: the open question, else that of the selected entry or item.
    pub(super) fn answer(&mut self) -> Option<Effect> {
        if let (false, Some(question)) = (self.view == View::Log, self.questions.first()) {
            self.overlay = Some(Overlay::Dialog(Dialog::of_question(question)));
            return None;
        }
        match self.actionable().cloned() {
            Some(record) => self.open(&record),
            None if self.view == View::Log => self.say("This entry has no action."),
            None => self.say("Nothing asks for an answer here."),
        }
    }

    /// Returns the entry with an action that the selected row is about.
    pub(super) fn actionable(&self) -> Option<&Record> {
        match self.view {
            View::Log => self.record().filter(|record| record.entry.action.is_some()),
            View::Items => match self.selected()? {
                Node::Item(handler, item) => item.question.and_then(|id| self.entry(handler, id)),
                Node::Handler(_) => None,
            },
            _ => None,
        }
    }

    fn entry(&self, handler: &Handler, id: syncmgr::log::ErrorId) -> Option<&Record> {
        self.log.iter().find(|record| record.handler == handler.id && record.entry.id == Some(id))
    }

    /// Opens a dialog for a question, or asks the handler for more.
    fn open(&mut self, record: &Record) -> Option<Effect> {
        match (&record.entry.action, record.entry.id) {
            (Some(Action::Decide(choices)), Some(id)) => {
                self.overlay = Some(Overlay::Dialog(Dialog::of_entry(record, id, choices)));
                None
            }
            (Some(Action::Show(text)), Some(id)) => Some(Act::one(
                text.to_lowercase(),
                format!("/v1/handlers/{}/log/{id}/show", record.handler),
                Value::Null,
            )),
            _ => None,
        }
    }

    /// Shows a line to the user.
    fn say(&mut self, text: &str) -> Option<Effect> {
        self.notice = Some(Notice::Info(text.to_owned()));
        None
    }
}
