//! Answers that no attempt has used yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Effect, RetryLedger, writes};
use crate::id::{ErrorId, ErrorScope, HandlerId, ItemId, Subject};
use crate::log::{Question, Remedy};
use crate::retry::RetryStatus;
use crate::store::StateChange;

/// The answers given to this manager, each with its question. Older answers are in the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(BTreeMap<(HandlerId, ItemId, Arc<str>), (Question, usize)>);

impl Answers {
    pub(super) fn forget(&mut self, handler: HandlerId, item: Option<ItemId>) {
        let from = (handler, item.unwrap_or(ItemId::from_u128(0)), Arc::from(""));
        let is_forgotten = |of: HandlerId, about: ItemId| of == handler && item.is_none_or(|item| item == about);
        let answers = self.0.range(from..).take_while(|((of, about, _), _)| is_forgotten(*of, *about));
        for key in answers.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.0.remove(&key);
        }
    }
}

impl RetryLedger {
    /// Records the user's answer to a question. The host carries out the answers it understands; all others are stored for the
    /// handler. The same transaction deletes the log entry with the question. A refusal changes nothing.
    #[must_use = "perform the effects"]
    pub fn answer(&mut self, handler: HandlerId, item: ItemId, question: Question, choice: usize) -> Vec<Effect> {
        let (error, next) = (ErrorId::of_question(item, &question.key), self.retry_queue.next_of(handler));
        let mut changes = vec![StateChange::LogDeleted { handler, scope: ErrorScope::One(error) }];
        match question.remedies.get(choice) {
            // A refusal is not stored: the next run may ask again.
            Some(Remedy::Refuse) => return Vec::new(),
            Some(Remedy::Reset) => {
                self.clear(handler, item);
                changes.push(StateChange::Reset { handler, item });
            }
            Some(Remedy::TryAgain) => changes.push(self.cleared(handler, item)),
            _ => {
                self.answers.0.insert((handler, item, question.key.clone()), (question.clone(), choice));
                changes.push(StateChange::Answered { handler, item, question, choice });
                // The item stops waiting now, even if the answer is never used.
                if self.state_of(handler, item).is_some_and(|state| state.status == RetryStatus::NeedsUser) {
                    changes.push(self.cleared(handler, item));
                }
            }
        }
        let mut effects = writes(changes);
        effects.extend(self.wake_if_earlier(handler, next));
        effects
    }

    /// Returns the answer given to this manager. `Some(None)` if the question has changed since the answer; `None` if only the
    /// store can have an answer.
    pub fn answer_to(&self, handler: HandlerId, item: ItemId, question: &Question) -> Option<Option<usize>> {
        let (answered, choice) = self.answers.0.get(&(handler, item, question.key.clone()))?;
        Some((answered == question).then_some(*choice))
    }

    /// Removes answers of an item that were used.
    pub fn consume_answers(&mut self, handler: HandlerId, item: ItemId, keys: &[Arc<str>]) {
        for key in keys {
            self.answers.0.remove(&(handler, item, key.clone()));
        }
    }

    /// Forgets an item that has long been absent from complete listings, with its answers.
    #[must_use = "perform the effects"]
    pub fn forget_absent(&mut self, handler: HandlerId, item: ItemId) -> Vec<Effect> {
        let next = self.retry_queue.next_of(handler);
        self.version += 1;
        self.clear(handler, item);
        self.suspects.remove(&(handler, item));
        self.changes.forget_items(handler, [item]);
        self.answers.forget(handler, Some(item));
        self.disabled.set(handler, Subject::Item(item), None);
        let mut effects = writes([StateChange::ForgetItem { handler, item }]);
        effects.extend(self.wake_if_earlier(handler, next));
        effects
    }

    /// Clears the retry state of an item. Returns the change that stores this.
    fn cleared(&mut self, handler: HandlerId, item: ItemId) -> StateChange {
        self.clear(handler, item);
        StateChange::Retry { handler, item, retry: None }
    }
}
