//! How the items of a session are chosen, by a person or a program.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use syncmgr_core::decision::choice::{Offer, Preferences};
use syncmgr_core::error::{one_line, panic_text};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::store::StateChange;

use super::life::SessionShared;
use crate::chooser::Chosen;
use crate::run::Run;

impl SessionShared {
    /// Every run has made its offer or is over.
    pub(super) fn is_collected(&self) -> bool {
        let state = self.lock();
        let settled = |run: &Arc<Run>| run.is_at_rest() || self.offers().contains_key(&run.id().handler);
        state.stop.is_some() || state.runs.iter().all(settled)
    }

    pub(super) async fn choose_among_offers(&self) -> Chosen {
        let offers: Vec<Offer> = self.offers().values().cloned().collect();
        let Some(chooser) = self.host.ports.chooser.as_ref().filter(|_| !offers.is_empty()) else {
            return Chosen::new();
        };
        let stopped = self.until(|| self.lock().stop.is_some() || self.is_at_rest());
        tokio::select! {
            biased;
            () = stopped => Chosen::new(),
            chosen = AssertUnwindSafe(chooser.choose(&offers)).catch_unwind() => match chosen {
                Ok(Some(chosen)) => self.remember(&offers, chosen).await,
                // Given up: nothing runs, and nothing is remembered.
                Ok(None) => Chosen::new(),
                Err(panic) => self.chooser_panicked(&panic_text(panic)),
            },
        }
    }

    /// A chooser that panics has chosen nothing, and each handler's log says why.
    fn chooser_panicked(&self, text: &str) -> Chosen {
        for run in self.runs() {
            run.log(LogEntry::new(LogLevel::Error, format!("nothing was chosen: the chooser panicked: {text}")));
        }
        Chosen::new()
    }

    /// What a person chose is what they prefer.
    async fn remember(&self, offers: &[Offer], wanted: Chosen) -> Chosen {
        let (mut chosen, mut changes) = (Chosen::new(), Vec::new());
        for offer in offers {
            let of_handler = wanted.get(&offer.handler).cloned().unwrap_or_default();
            changes.extend(self.choice(offer, &of_handler));
            let (runs, unknown) = offer.chosen(&of_handler);
            chosen.insert(offer.handler, runs);
            self.report_unknown(offer.handler, &unknown);
        }
        // Stored before anything begins, so that what goes on after a crash is what was chosen.
        if let Err(error) = self.host.write(changes).await {
            tracing::error!(manager = %self.host.id, error = %one_line(&error), "what was chosen was not stored");
        }
        chosen
    }

    /// What was chosen of a handler is kept for the next session (R56).
    fn choice(&self, offer: &Offer, wanted: &BTreeSet<ItemId>) -> Option<StateChange> {
        let choices = Preferences::default().remember(offer, wanted);
        let items = choices.into_iter().map(|(item, state)| (item, Some(state))).collect();
        let forgotten = self.run(offer.handler).is_none_or(|run| run.is_forgotten());
        (!forgotten).then_some(StateChange::Choices { handler: offer.handler, items })
    }

    /// Ids the chooser named and nobody offered are told, not dropped in silence.
    fn report_unknown(&self, handler: HandlerId, unknown: &[ItemId]) {
        let Some(run) = self.run(handler) else { return };
        for item in unknown {
            let text = format!("item {item} was chosen but was not offered; it was left out");
            run.log(LogEntry::new(LogLevel::Warning, text));
        }
    }
}
