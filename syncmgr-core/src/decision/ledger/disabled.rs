//! The handlers and items that are disabled: they run in no session, and no session starts for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, HeldRun, RetryLedger, writes};
use crate::decision::hold::{Held, Hold};
use crate::id::{HandlerId, ItemId, Subject};
use crate::request::RunRequest;
use crate::store::StateChange;

/// The disabled handlers and items, each with the reason. Includes handlers that are not registered.
#[derive(Clone, Debug, Default)]
pub(super) struct Disabled {
    reasons: BTreeMap<HandlerId, BTreeMap<Subject, Arc<str>>>,
    /// What this process has disabled or enabled. What it loads is older.
    decided: BTreeSet<(HandlerId, Subject)>,
}

impl Disabled {
    /// Disables a handler or an item, or enables it if there is no reason.
    pub(super) fn set(&mut self, handler: HandlerId, subject: Subject, reason: Option<Arc<str>>) {
        self.decided.insert((handler, subject));
        let subjects = self.reasons.entry(handler).or_default();
        match reason {
            Some(reason) => subjects.insert(subject, reason),
            None => subjects.remove(&subject),
        };
        if subjects.is_empty() {
            self.reasons.remove(&handler);
        }
    }

    /// Loads what an earlier process disabled.
    fn load(&mut self, handler: HandlerId, mut subjects: BTreeMap<Subject, Arc<str>>) {
        subjects.retain(|subject, _| !self.decided.contains(&(handler, *subject)));
        if !subjects.is_empty() {
            self.reasons.entry(handler).or_default().append(&mut subjects);
        }
    }

    pub(super) fn forget(&mut self, handler: HandlerId) {
        self.decided.retain(|(of, _)| *of != handler);
        self.reasons.remove(&handler);
    }

    pub(super) fn is_empty(&self, handler: HandlerId) -> bool {
        !self.reasons.contains_key(&handler)
    }

    /// Returns the hold on an item: its handler or the item itself is disabled.
    pub(super) fn hold_of(&self, handler: HandlerId, item: ItemId) -> Option<Hold> {
        let subjects = self.reasons.get(&handler)?;
        let own = || subjects.get(&Subject::Item(item)).filter(|_| item != HANDLER_ITSELF);
        let reason = subjects.get(&Subject::Handler).or_else(own)?;
        Some(Hold::Disabled { reason: reason.clone() })
    }

    /// Returns `true` if a run of this request may run an item.
    pub(super) fn allows(&self, request: &RunRequest) -> bool {
        let is_enabled = |item| self.hold_of(request.handler, item).is_none();
        let items = request.items.as_ref();
        is_enabled(HANDLER_ITSELF) && items.is_none_or(|items| items.iter().copied().any(is_enabled))
    }

    /// Returns the hold of the last of these requests if none of them may run an item.
    pub(super) fn hold_of_all<'a>(&self, requests: impl Iterator<Item = &'a RunRequest>) -> Option<Hold> {
        let hold_of_one = |request: &RunRequest| {
            let items = request.items.iter().flat_map(|items| items.iter().copied());
            let mut subjects = std::iter::once(HANDLER_ITSELF).chain(items);
            subjects.find_map(|item| self.hold_of(request.handler, item)).filter(|_| !self.allows(request))
        };
        requests.map(hold_of_one).reduce(|one, other| one.and(other)).flatten()
    }
}

impl RetryLedger {
    /// Loads what earlier processes disabled, except for what was enabled or disabled since it was read. Call it before
    /// [`register`](Self::register).
    pub fn load_disabled(&mut self, handler: HandlerId, subjects: BTreeMap<Subject, Arc<str>>) {
        self.version += 1;
        self.disabled.load(handler, subjects);
    }

    /// Disables a handler or one of its items: it runs in no session, and is no longer due. Its retry state stays.
    #[must_use = "perform the effects"]
    pub fn disable(&mut self, handler: HandlerId, subject: Subject, reason: Arc<str>) -> Vec<Effect> {
        let next = self.retry_queue.next_of(handler);
        self.version += 1;
        self.disabled.set(handler, subject, Some(reason.clone()));
        match subject {
            Subject::Handler => self.retry_queue.forget(handler),
            Subject::Item(item) => self.retry_queue.forget_item(handler, item),
        }
        let mut effects = writes([StateChange::Disabled { handler, subject, reason: Some(reason) }]);
        effects.extend(self.wake_if_earlier(handler, next));
        effects
    }

    /// Enables a handler or one of its items. What became due meanwhile starts.
    #[must_use = "perform the effects"]
    pub fn enable(&mut self, handler: HandlerId, subject: Subject, now: SystemTime) -> Vec<Effect> {
        let now = self.time(now);
        self.version += 1;
        self.disabled.set(handler, subject, None);
        self.interrupted.resume_again(handler);
        let is_enabled = |item: ItemId| subject.item().is_none_or(|enabled| enabled == item);
        self.make_due(handler, now, is_enabled);
        let unstated = self.due_without_state.keys().filter(|(of, item)| *of == handler && is_enabled(*item));
        let unstated: Vec<_> = unstated.map(|(_, item)| *item).collect();
        // The claims of these items hold them further if necessary.
        unstated.into_iter().for_each(|item| drop(self.postpone(handler, item, now, now)));
        self.changes.release(handler, now, is_enabled);
        let mut effects = writes([StateChange::Disabled { handler, subject, reason: None }]);
        effects.extend(self.has_pending().then_some(Effect::Wake));
        effects
    }

    /// Removes the disabled items from a held run that starts. They wait until they are enabled.
    pub(super) fn without_disabled(&mut self, mut run: HeldRun) -> HeldRun {
        let hold_of = |item: &ItemId| self.disabled.hold_of(run.request.handler, *item);
        let Some(hold) = run.request.items.iter().flat_map(|items| items.iter()).find_map(hold_of) else { return run };
        let (disabled, enabled): (BTreeSet<_>, BTreeSet<_>) =
            run.request.items.iter().flat_map(|items| items.iter().copied()).partition(|item| hold_of(item).is_some());
        self.held.add(run.clone().with_items(disabled).with_hold(hold));
        run.request.items = Some(Arc::new(enabled));
        run
    }

    /// Returns everything that is disabled of the registered handlers, with the reasons.
    pub fn disabled(&self) -> Vec<Held> {
        let registered = self.disabled.reasons.iter().filter(|(handler, _)| self.needs(**handler).is_some());
        let held = |handler: &HandlerId, (subject, reason): (&Subject, &Arc<str>)| {
            let held = Held::new(*handler, Hold::Disabled { reason: reason.clone() });
            subject.item().map_or(held.clone(), |item| held.with_item(item))
        };
        registered.flat_map(|(handler, subjects)| subjects.iter().map(move |one| held(handler, one))).collect()
    }
}
