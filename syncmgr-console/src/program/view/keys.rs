//! What the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::bindings::{Command, command};
use super::dialog::{Dialog, Reaction};
use super::model::{Effect, Model, Overlay, View};
use super::rows::Node;

impl Model {
    /// Performs the command of a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Effect::Quit);
        }
        (self.notice, self.expects_question) = (None, false);
        match self.overlay.as_mut() {
            None => self.perform(command(key.code)?),
            Some(Overlay::Help) => {
                self.overlay = None;
                None
            }
            Some(Overlay::Dialog(dialog)) => match dialog.press(key.code) {
                Reaction::Stay => None,
                Reaction::Close => {
                    self.overlay = None;
                    None
                }
                Reaction::Answer(effect) => {
                    let answered = dialog.question();
                    self.overlay = answered.and_then(|id| self.next_question(id)).map(Overlay::Dialog);
                    Some(effect)
                }
            },
        }
    }

    /// Returns a dialog for the question after this one.
    fn next_question(&mut self, answered: u64) -> Option<Dialog> {
        self.questions.retain(|question| question.id != answered);
        self.questions.first().map(Dialog::unasked)
    }

    fn perform(&mut self, command: Command) -> Option<Effect> {
        let (at, page) = (self.cursor().at(), self.cursor().page());
        match command {
            Command::Up => self.go(at.saturating_sub(1)),
            Command::Down => self.go(at + 1),
            Command::PageUp => self.go(at.saturating_sub(page)),
            Command::PageDown => self.go(at + page),
            Command::First => self.go(0),
            Command::Last => self.go(usize::MAX),
            Command::Fold => self.fold(),
            Command::Unfold => self.unfold(),
            Command::Next => self.turn(1),
            Command::Previous => self.turn(View::ALL.len() - 1),
            Command::Open(view) => self.view = view,
            Command::Help => self.overlay = Some(Overlay::Help),
            command => return self.request(command),
        }
        None
    }

    /// Performs a command that may ask the program for something.
    fn request(&mut self, command: Command) -> Option<Effect> {
        match command {
            Command::Choose => self.choose(),
            Command::Run if self.view == View::Log => self.answer(),
            Command::Run if self.view == View::Items => self.run(),
            Command::RunAll => Some(super::act::Act::one("run all", "/v1/sessions", serde_json::json!({}))),
            Command::ChooseAndRun => self.choose_and_run(),
            Command::Skip => self.skip(),
            Command::Stop => self.stop(),
            Command::StopAll => self.stop_all(),
            Command::Pause => Some(self.pause()),
            Command::Answer => self.answer(),
            Command::Quit => Some(Effect::Quit),
            _ => None,
        }
    }

    fn go(&mut self, at: usize) {
        let last = self.rows(self.view).saturating_sub(1);
        self.select(self.view, at.min(last));
    }

    fn turn(&mut self, by: usize) {
        self.view = View::ALL[(self.view as usize + by) % View::ALL.len()];
    }

    /// Hides the items of the selected handler, or goes to the handler of the selected item.
    fn fold(&mut self) {
        let Some(node) = self.selected().filter(|_| self.view == View::Items) else { return };
        match node {
            Node::Handler(handler) => _ = self.folded.insert(handler.id),
            Node::Item(handler, item) => {
                let within = handler.items.iter().position(|known| known.id == item.id).unwrap_or_default();
                self.go(self.cursor().at().saturating_sub(1 + within));
            }
        }
    }

    fn unfold(&mut self) {
        if let Some(Node::Handler(handler)) = self.selected().filter(|_| self.view == View::Items) {
            let id = handler.id;
            self.folded.remove(&id);
        }
    }
}
