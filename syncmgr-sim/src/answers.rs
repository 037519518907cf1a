//! Somebody answers what was asked.

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::{Action, LogEntry, Question, Remedy};
use syncmgr_core::store::StateStore;
use syncmgr_core::trigger::RunFlags;

use crate::act::by_hand;
use crate::process::Process;

impl Process<'_> {
    /// Answers the open question of a handler that was asked last, by this choice or the one that goes on.
    pub(crate) fn answer(&mut self, handler: HandlerId, choice: Option<usize>) {
        let log = self.disk.store.log(handler).unwrap_or_default();
        let open = log.iter().rev().find_map(|said| question(&said.entry));
        if let Some((item, question)) = open {
            self.answer_to(handler, item, &question, choice);
        }
    }

    pub(crate) fn answer_to(&mut self, handler: HandlerId, item: ItemId, question: &Question, choice: Option<usize>) {
        let goes_on = |remedy: &Remedy| matches!(remedy, Remedy::Allow | Remedy::Reset | Remedy::TryAgain);
        let wanted = choice.or_else(|| question.remedies.iter().position(goes_on)).unwrap_or(0);
        let choice = wanted % question.choices.len().max(1);
        let error = syncmgr_core::id::ErrorId::of_question(item, &question.key);
        let remedy = question.remedies.get(choice);
        self.world.reach(|state| {
            let item = state.books.item((handler, item));
            match remedy {
                Some(Remedy::Refuse) => return,
                Some(Remedy::Allow) => drop(item.allowed.insert(item.objected)),
                Some(Remedy::Reset) => item.forget(),
                _ => {}
            }
            item.doubt();
        });
        match self.manager.answer(handler, error, choice) {
            Ok(session) => self.keep(&session, by_hand(RunFlags::MAY_BOTHER_USER)),
            Err(error) => self.world.note(format!("not answered: {error}")),
        }
    }
}

/// What an entry of the log asks, and of which item.
pub(crate) fn question(entry: &LogEntry) -> Option<(ItemId, Question)> {
    match &entry.action {
        Some(Action::Decide(question)) => Some((entry.item?, question.clone())),
        _ => None,
    }
}
