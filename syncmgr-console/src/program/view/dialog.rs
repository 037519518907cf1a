//! A question in a dialog, and the answer to it.

use ratatui::crossterm::event::KeyCode;
use serde_json::{Map, Value, json};
use syncmgr::log::ErrorId;
use syncmgr::{HandlerId, ItemId};

use super::act::Act;
use super::cursor::Cursor;
use super::data::{Choice, Kind, Offered, Question, Record};
use super::model::Effect;

/// The maximum length of a secret in characters.
const MAX_SECRET: usize = 4096;

/// A question in a dialog. It has no `Debug`, because it contains what the user types.
pub(super) struct Dialog {
    subject: Subject,
    /// Who asks, and what.
    pub(super) title: String,
    pub(super) text: String,
    pub(super) body: Body,
}

enum Subject {
    /// An open question.
    Question(u64),
    /// An entry of the log.
    Entry(HandlerId, ErrorId),
    /// A question that is not open any more.
    Ended,
}

/// What the user answers with.
pub(super) enum Body {
    /// One of these choices, each with its reply.
    Choices { choices: Vec<(String, Value)>, cursor: Cursor },
    /// Text that is not shown.
    Secret(String),
    /// Some of these items.
    Items { offered: Vec<Offer>, cursor: Cursor },
}

/// An item to choose.
pub(super) struct Offer {
    handler: HandlerId,
    item: ItemId,
    /// The names of the handler and the item.
    pub(super) name: String,
    pub(super) choice: Choice,
}

/// What a key does to the dialog.
pub(super) enum Reaction {
    /// It stays open.
    Stay,
    /// It closes. The question stays open.
    Close,
    /// It closes with this answer.
    Answer(Effect),
}

impl Dialog {
    /// Creates a dialog for an open question.
    pub(super) fn of_question(question: &Question) -> Self {
        let choice = |text: &str, reply: Value| (text.to_owned(), reply);
        let none = choice("No answer", json!({ "dismiss": {} }));
        let body = match &question.kind {
            Kind::Confirm => Body::choices(vec![
                choice("Yes", json!({ "confirm": true })),
                choice("No", json!({ "confirm": false })),
                none,
            ]),
            Kind::Choose { choices } => {
                let choices = choices
                    .iter()
                    .enumerate()
                    .map(|(at, text)| (syncmgr::text::Escaped(text).to_string(), json!({ "choice": at })));
                Body::choices(choices.chain([none]).collect())
            }
            Kind::Secret => Body::Secret(String::new()),
            Kind::Items { handlers } => {
                Body::Items { offered: handlers.iter().flat_map(offers).collect(), cursor: Cursor::default() }
            }
        };
        let (title, text) = (question.asker.clone(), question.text.clone());
        Self { subject: Subject::Question(question.id), title, text, body }
    }

    /// Creates a dialog for a question that opens without a key of the user, who may be typing: nothing is answered by accident.
    pub(super) fn unasked(question: &Question) -> Self {
        let mut dialog = Self::of_question(question);
        if let Body::Choices { choices, cursor } = &mut dialog.body {
            cursor.select(choices.len().saturating_sub(1), None);
        }
        dialog
    }

    /// Ends the dialog: it takes no answer any more.
    pub(super) fn end(&mut self) {
        self.subject = Subject::Ended;
        self.text = "The question is not open any more.".to_owned();
        self.body = Body::choices(Vec::new());
    }

    /// Creates a dialog for the question of an entry of the log.
    pub(super) fn of_entry(record: &Record, id: ErrorId, choices: &[String]) -> Self {
        let reply = |at: usize| match record.revision {
            Some(revision) => json!({ "choice": at, "revision": revision }),
            None => json!({ "choice": at }),
        };
        let choices = choices.iter().enumerate().map(|(at, text)| (text.clone(), reply(at))).collect();
        Self {
            subject: Subject::Entry(record.handler, id),
            title: record.name.clone().unwrap_or_else(|| "Question".to_owned()),
            text: record.entry.text.clone(),
            body: Body::choices(choices),
        }
    }

    /// Returns the open question that the dialog is about.
    pub(super) fn question(&self) -> Option<u64> {
        match self.subject {
            Subject::Question(id) => Some(id),
            Subject::Entry(..) | Subject::Ended => None,
        }
    }

    /// Reacts to a key.
    pub(super) fn press(&mut self, code: KeyCode) -> Reaction {
        match code {
            KeyCode::Esc => return Reaction::Close,
            KeyCode::Enter if matches!(self.subject, Subject::Ended) => return Reaction::Close,
            KeyCode::Enter => return self.answer(self.reply()),
            KeyCode::Char('n') if matches!(self.body, Body::Items { .. }) => {
                return self.answer(Some(json!({ "dismiss": {} })));
            }
            _ => self.body.press(code),
        }
        Reaction::Stay
    }

    fn reply(&self) -> Option<Value> {
        match &self.body {
            Body::Choices { choices, cursor } => choices.get(cursor.at()).map(|(_, reply)| reply.clone()),
            Body::Secret(typed) if typed.is_empty() => Some(json!({ "dismiss": {} })),
            Body::Secret(typed) => Some(json!({ "secret": typed })),
            Body::Items { offered, .. } => Some(json!({ "items": chosen(offered) })),
        }
    }

    fn answer(&self, reply: Option<Value>) -> Reaction {
        let Some(reply) = reply else { return Reaction::Stay };
        let path = match &self.subject {
            Subject::Question(id) => format!("/v1/questions/{id}"),
            Subject::Entry(handler, id) => format!("/v1/handlers/{handler}/log/{id}/answer"),
            Subject::Ended => return Reaction::Close,
        };
        Reaction::Answer(Act::one("answer", path, reply))
    }
}

impl Body {
    fn choices(choices: Vec<(String, Value)>) -> Self {
        Self::Choices { choices, cursor: Cursor::default() }
    }

    fn press(&mut self, code: KeyCode) {
        match self {
            Self::Secret(typed) => type_secret(typed, code),
            Self::Choices { choices, cursor } => move_in(cursor, choices.len(), code),
            Self::Items { offered, cursor } => {
                if code == KeyCode::Char(' ')
                    && let Some(offer) = offered.get_mut(cursor.at())
                {
                    offer.choice = match offer.choice {
                        Choice::Checked => Choice::Unchecked,
                        Choice::Unchecked => Choice::Checked,
                    };
                }
                move_in(cursor, offered.len(), code);
            }
        }
    }
}

fn type_secret(typed: &mut String, code: KeyCode) {
    match code {
        KeyCode::Char(character) if typed.chars().count() < MAX_SECRET => typed.push(character),
        KeyCode::Backspace => _ = typed.pop(),
        _ => {}
    }
}

/// Moves the cursor. A digit selects the row with this number.
fn move_in(cursor: &mut Cursor, rows: usize, code: KeyCode) {
    let last = rows.saturating_sub(1);
    let digit = |of: char| of.to_digit(10).and_then(|digit| (digit as usize).checked_sub(1)).filter(|at| *at < rows);
    let at = match code {
        KeyCode::Up | KeyCode::Char('k') => cursor.at().saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => (cursor.at() + 1).min(last),
        KeyCode::PageUp => cursor.at().saturating_sub(cursor.page()),
        KeyCode::PageDown => (cursor.at() + cursor.page()).min(last),
        KeyCode::Home => 0,
        KeyCode::End => last,
        KeyCode::Char(of) => digit(of).unwrap_or(cursor.at()),
        _ => return,
    };
    cursor.select(at, None);
}

fn offers(offered: &Offered) -> impl Iterator<Item = Offer> {
    offered.items.iter().map(|item| Offer {
        handler: offered.handler,
        item: item.item,
        name: format!("{}/{}", offered.name, item.name),
        choice: item.state,
    })
}

/// Returns the chosen items by handler.
fn chosen(offered: &[Offer]) -> Value {
    let mut items = Map::new();
    for offer in offered.iter().filter(|offer| offer.choice == Choice::Checked) {
        let of_handler = items.entry(offer.handler.to_string()).or_insert_with(|| json!([]));
        of_handler.as_array_mut().into_iter().for_each(|items| items.push(json!(offer.item)));
    }
    Value::Object(items)
}
