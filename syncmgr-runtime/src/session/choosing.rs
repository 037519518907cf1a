//! The choice of a session's items, by the user or by the application.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use syncmgr_core::decision::choice::{Offer, Preferences};
use syncmgr_core::error::one_line;
use syncmgr_core::foreign;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::store::StateChange;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::lifecycle::SessionShared;
use super::scope::Choosing;
use crate::chooser::{Chooser, Chosen};
use crate::run::Run;

/// Aborts a task when dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl SessionShared {
    /// Returns `true` once every run has made its offer or is idle, or no choice is wanted any more.
    pub(super) fn has_all_offers(&self) -> bool {
        let is_ready = |run: &Run| run.is_idle() || self.offers().contains_key(&run.id().handler);
        self.has_withdrawn_offers() || self.all_runs(is_ready)
    }

    /// Returns `true` if the session was stopped, closed or dropped, so that no choice is wanted.
    fn has_withdrawn_offers(&self) -> bool {
        let state = self.lock();
        state.stop.is_some() || state.closing && matches!(self.terms.choosing, Choosing::ByChooser)
    }

    pub(super) async fn choose_among_offers(&self) -> Chosen {
        let offers: Vec<Offer> = self.offers().values().cloned().collect();
        let Some(chooser) = self.host.ports.chooser.clone().filter(|_| !offers.is_empty()) else {
            return Chosen::new();
        };
        let limit = self.host.choosing_deadline;
        let withdrawn = self.until(|| self.has_withdrawn_offers() || self.is_idle());
        tokio::select! {
            biased;
            () = withdrawn => Chosen::new(),
            chosen = self.ask(chooser, offers.clone()) => match chosen {
                Ok(Some(chosen)) => self.store_choice(&offers, chosen).await,
                // Cancelled by the user: nothing runs, and no choice is stored.
                Ok(None) => Chosen::new(),
                Err(panicked) => self.choose_nothing(&panicked),
            },
            () = tokio::time::sleep(limit) => self.choose_nothing(&format!("the chooser did not answer within {limit:?}")),
        }
    }

    /// Calls the chooser in a task of its own, so that a chooser that blocks its thread does not block the session. Returns the text
    /// of a panic.
    async fn ask(&self, chooser: Arc<dyn Chooser>, offers: Vec<Offer>) -> Result<Option<Chosen>, String> {
        let (answer, answered) = oneshot::channel();
        let asking = async move {
            let chosen = foreign::call_async(|| chooser.choose(&offers)).await;
            // The session may have stopped waiting.
            let _ = answer.send(chosen.map_err(|panic| format!("the chooser panicked: {panic}")));
        };
        let _task = AbortOnDrop(self.tasks.spawn(asking.boxed()));
        answered.await.unwrap_or(Ok(None))
    }

    /// Logs the reason in the log of every handler and chooses nothing.
    fn choose_nothing(&self, reason: &str) -> Chosen {
        for run in self.runs().iter() {
            run.log(LogEntry::new(LogLevel::Error, format!("nothing was chosen: {reason}")));
        }
        Chosen::new()
    }

    /// Stores the choice as the user's preference.
    async fn store_choice(&self, offers: &[Offer], wanted: Chosen) -> Chosen {
        let (mut chosen, mut changes) = (Chosen::new(), Vec::new());
        for offer in offers {
            let of_handler = wanted.get(&offer.handler).cloned().unwrap_or_default();
            changes.extend(self.choice_change(offer, &of_handler));
            let (runs, unknown) = offer.chosen(&of_handler);
            chosen.insert(offer.handler, runs);
            self.report_unknown(offer.handler, &unknown);
        }
        // Stored before any item begins, so that a session that resumes after a crash has the same choice.
        if let Err(error) = self.host.write(changes).await {
            tracing::error!(manager = %self.host.id, error = %one_line(&error), "the choice of items was not stored");
        }
        chosen
    }

    /// Returns the change that stores the choice of a handler's items for the next session.
    fn choice_change(&self, offer: &Offer, wanted: &BTreeSet<ItemId>) -> Option<StateChange> {
        // R56.
        let choices = Preferences::default().record(offer, wanted);
        let items = choices.into_iter().map(|(item, state)| (item, Some(state))).collect();
        let forgotten = self.run(offer.handler).is_none_or(|run| run.is_forgotten());
        (!forgotten).then_some(StateChange::Choices { handler: offer.handler, items })
    }

    /// Logs ids that the chooser returned but the handler did not offer.
    fn report_unknown(&self, handler: HandlerId, unknown: &[ItemId]) {
        let Some(run) = self.run(handler) else { return };
        for item in unknown {
            let text = format!("item {item} was chosen but not offered; it does not run");
            run.log(LogEntry::new(LogLevel::Warning, text));
        }
    }
}
