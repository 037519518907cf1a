//! Open questions of an instance's items, and their answers.

use std::collections::BTreeMap;

use syncmgr_core::context::RunContext;
use syncmgr_core::error::SyncResult;
use syncmgr_core::handler::Resolution;
use syncmgr_core::id::{ErrorId, ItemId};
use syncmgr_core::log::Question;

/// The questions of an instance.
#[derive(Default)]
pub(super) struct Questions {
    open: BTreeMap<ErrorId, (ItemId, Question)>,
    answers: BTreeMap<ErrorId, (Question, usize)>,
}

impl Questions {
    /// Returns the answer to a question. An answer to a question with a different wording is ignored.
    pub(super) fn answer(&self, id: ErrorId, question: &Question) -> Option<usize> {
        let (answered, choice) = self.answers.get(&id)?;
        (answered == question).then_some(*choice)
    }

    pub(super) fn add(&mut self, id: ErrorId, item: ItemId, question: Question) {
        self.open.insert(id, (item, question));
    }

    pub(super) fn open(&self, id: ErrorId) -> Option<(ItemId, Question)> {
        self.open.get(&id).cloned()
    }

    pub(super) fn set_answer(&mut self, id: ErrorId, answer: usize) {
        if let Some((_, question)) = self.open.remove(&id) {
            self.answers.insert(id, (question, answer));
        }
    }
}

/// Asks the user. The item runs again after an answer.
pub(super) async fn ask_user(
    run: &RunContext,
    item: ItemId,
    question: &Question,
    set_answer: impl FnOnce(usize),
) -> SyncResult<Resolution> {
    let choices: Vec<String> = question.choices.iter().map(ToString::to_string).collect();
    let user = run.interaction().await?;
    match user.choose(&question.text, &choices).await?.filter(|answer| *answer < choices.len()) {
        Some(answer) => {
            set_answer(answer);
            Ok(Resolution::Retry(vec![item]))
        }
        None => Ok(Resolution::Done),
    }
}
