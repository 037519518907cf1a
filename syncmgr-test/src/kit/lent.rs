//! The user's attention as the handler under judgement has it.

use std::sync::Arc;

use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Confirmation, Interaction, InteractionPermit, Secret};

use super::account::Event;
use super::place::Call;
use super::watch::Watch;

/// The user's attention, lent to a call.
pub(super) struct Lent {
    permit: InteractionPermit,
    watch: Arc<Watch>,
    call: Call,
}

impl Lent {
    /// Lends what the host has granted.
    pub(super) fn to(call: &Call, permit: InteractionPermit, watch: &Arc<Watch>) -> InteractionPermit {
        let lent = Self { permit, watch: watch.clone(), call: call.clone() };
        InteractionPermit::new(Arc::new(lent), ())
    }

    fn note(&self, question: &str) {
        self.watch.note(Event::Question(self.call.clone(), question.into()));
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.watch.note(Event::GaveBack(self.call.clone()));
    }
}

#[async_trait]
impl Interaction for Lent {
    async fn confirm(&self, question: &str) -> SyncResult<Confirmation> {
        self.note(question);
        self.permit.confirm(question).await
    }

    async fn choose(&self, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        self.note(question);
        self.permit.choose(question, choices).await
    }

    async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
        self.note(prompt);
        self.permit.secret(prompt).await
    }
}
