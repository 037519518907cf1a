//! The parts of the model that are loaded from the program, and loaded again when they are stale.

use std::collections::BTreeSet;

use syncmgr::HandlerId;

use super::data::{Handler, Held, Item, Past, Planned, Question, Record};
use super::dialog::Dialog;
use super::model::{Model, Overlay};

/// A part of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    About,
    Questions,
    Handlers,
    Agenda,
    History,
    Items(HandlerId),
    Log(HandlerId),
}

/// What a load has brought.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) parts: Vec<Loaded>,
    /// The date in UTC.
    pub(super) today: String,
    /// The parts that were not loaded, because the connection was lost.
    pub(super) left: BTreeSet<Part>,
    /// The reason why another part could not be loaded.
    pub(super) problem: Option<String>,
}

/// A part as the program answers it.
#[derive(Debug)]
pub(super) enum Loaded {
    /// `true` if the manager is paused.
    About(bool),
    Questions(Vec<Question>),
    Handlers(Vec<Handler>),
    Agenda(Vec<Planned>, Vec<Held>),
    History(Vec<Past>),
    Items(HandlerId, Vec<Item>),
    Log(HandlerId, Vec<Record>),
}

impl Model {
    /// Notes that everything may have changed.
    pub(super) fn stale_all(&mut self) {
        self.stale.extend([Part::About, Part::Questions, Part::Handlers, Part::Agenda, Part::History]);
        let of_handlers = self.handlers.iter().flat_map(|handler| [Part::Items(handler.id), Part::Log(handler.id)]);
        self.stale.extend(of_handlers);
    }

    /// Replaces a part.
    pub(super) fn replace(&mut self, loaded: Loaded) {
        match loaded {
            Loaded::About(paused) => self.paused = paused,
            Loaded::Questions(questions) => self.replace_questions(questions),
            Loaded::Handlers(handlers) => self.replace_handlers(handlers),
            Loaded::Agenda(agenda, held) => (self.agenda, self.held) = (agenda, held),
            Loaded::History(history) => self.history = history,
            Loaded::Items(handler, items) => {
                if let Some(known) = self.handlers.iter_mut().find(|known| known.id == handler) {
                    known.items = items;
                }
            }
            Loaded::Log(handler, mut records) => {
                records.iter_mut().for_each(|record| record.handler = handler);
                self.log.retain(|record| record.handler != handler);
                self.log.append(&mut records);
                // Stable, so that entries of the same time stay in the order of the program.
                self.log.sort_by_key(|record| std::cmp::Reverse(record.time));
            }
        }
    }

    /// Replaces the handlers, and keeps the items of those that stay.
    fn replace_handlers(&mut self, mut handlers: Vec<Handler>) {
        for handler in &mut handlers {
            match self.handlers.iter_mut().find(|known| known.id == handler.id) {
                Some(known) => handler.items = std::mem::take(&mut known.items),
                None => self.stale.extend([Part::Items(handler.id), Part::Log(handler.id)]),
            }
        }
        self.handlers = handlers;
        let is_registered = |id| self.handlers.iter().any(|handler| handler.id == id);
        self.log.retain(|record| is_registered(record.handler));
    }

    /// Ends the dialog of an open question. It stays until the user closes it, so that what they type is not taken for commands.
    pub(super) fn end_dialog(&mut self) {
        if let Some(Overlay::Dialog(dialog)) = &mut self.overlay
            && dialog.question().is_some()
        {
            dialog.end();
        }
    }

    /// Replaces the open questions. Ends the dialog of one that is not open any more, and opens the first one for a user who expects
    /// it.
    fn replace_questions(&mut self, questions: Vec<Question>) {
        self.questions = questions;
        if let Some(Overlay::Dialog(dialog)) = &self.overlay
            && dialog.question().is_some_and(|id| self.questions.iter().all(|question| question.id != id))
        {
            self.end_dialog();
        }
        if self.expects_question && self.overlay.is_none() && !self.questions.is_empty() {
            self.expects_question = false;
            self.overlay = self.questions.first().map(Dialog::unasked).map(Overlay::Dialog);
        }
    }
}
