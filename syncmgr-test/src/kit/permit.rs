//! Interaction permits that record their use.

use std::sync::Arc;

use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Asker, Confirmation, Interaction, InteractionPermit, Secret};

use super::events::Event;
use super::injection::Call;
use super::monitor::{Monitor, PermitState};

/// An interaction permit that records questions and its release.
pub(super) struct RecordedPermit {
    interaction: Arc<dyn Interaction>,
    monitor: Arc<Monitor>,
    call: Call,
}

impl RecordedPermit {
    /// Wraps a permit that the host has granted.
    pub(super) fn wrap(call: &Call, permit: InteractionPermit, monitor: &Arc<Monitor>) -> InteractionPermit {
        monitor.permit_granted(call);
        permit.wrap(|interaction| Arc::new(Self { interaction, monitor: monitor.clone(), call: call.clone() }))
    }

    /// Asks a question and records it with its answer.
    async fn ask<T>(&self, question: &str, answer: impl Future<Output = SyncResult<T>>) -> SyncResult<T> {
        self.monitor.record(Event::Question(self.call.clone(), question.into()));
        self.monitor.permit_state(&self.call, PermitState::Asking);
        let answer = answer.await;
        self.monitor.permit_state(&self.call, PermitState::Answered);
        self.monitor.record(Event::Answered(self.call.clone()));
        answer
    }
}

impl Drop for RecordedPermit {
    fn drop(&mut self) {
        self.monitor.permit_released(&self.call);
        self.monitor.record(Event::Released(self.call.clone()));
    }
}

#[async_trait]
impl Interaction for RecordedPermit {
    async fn confirm(&self, asker: &Asker, question: &str) -> SyncResult<Confirmation> {
        self.ask(question, self.interaction.confirm(asker, question)).await
    }

    async fn choose(&self, asker: &Asker, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        self.ask(question, self.interaction.choose(asker, question, choices)).await
    }

    async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
        self.ask(prompt, self.interaction.secret(asker, prompt)).await
    }
}
