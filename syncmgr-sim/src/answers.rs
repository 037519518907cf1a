//! Answers to questions in the log.

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::{Action, LogEntry, Question, Remedy};
use syncmgr_core::store::StateStore;
use syncmgr_core::trigger::RunFlags;

use crate::perform::manual_request;
use crate::process::Process;

impl Process<'_> {
    /// Answers the latest open question of a handler. If `choice` is `None`, picks the first choice that lets the item proceed.
    pub(crate) fn answer(&mut self, handler: HandlerId, choice: Option<usize>) {
        let log = self.disk.store.log(handler).unwrap_or_default();
        let open = log.iter().rev().find_map(|logged| question(&logged.entry));
        if let Some((item, question)) = open {
            self.answer_to(handler, item, &question, choice);
        }
    }

    pub(crate) fn answer_to(&mut self, handler: HandlerId, item: ItemId, question: &Question, choice: Option<usize>) {
        let proceeds = |remedy: &Remedy| matches!(remedy, Remedy::Allow | Remedy::Reset | Remedy::TryAgain);
        let index = choice.or_else(|| question.remedies.iter().position(proceeds)).unwrap_or(0);
        let choice = index % question.choices.len().max(1);
        let error = syncmgr_core::id::ErrorId::of_question(item, &question.key);
        let remedy = question.remedies.get(choice);
        self.sim.try_with(|state| {
            let item = state.model.item((handler, item));
            match remedy {
                Some(Remedy::Refuse) => return,
                Some(Remedy::Allow) => drop(item.allowed_deletes.insert(item.proposed_deletes)),
                Some(Remedy::Reset) => item.forget(),
                _ => {}
            }
            item.mark_unknown();
        });
        match self.manager.answer(handler, error, choice) {
            Ok(session) => self.track(&session, manual_request(RunFlags::MAY_BOTHER_USER)),
            Err(error) => self.sim.note(format!("the question was not answered: {error}")),
        }
    }
}

/// Returns the question of a log entry and its item, if any.
pub(crate) fn question(entry: &LogEntry) -> Option<(ItemId, Question)> {
    match &entry.action {
        Some(Action::Decide(question)) => Some((entry.item?, (**question).clone())),
        _ => None,
    }
}
