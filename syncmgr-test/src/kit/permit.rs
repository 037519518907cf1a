//! Interaction permits that record their use.

use std::sync::Arc;

use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Confirmation, Interaction, InteractionPermit, Secret};

use super::events::Event;
use super::injection::Call;
use super::monitor::Monitor;

/// An interaction permit that records questions and its release.
pub(super) struct RecordedPermit {
    permit: InteractionPermit,
    monitor: Arc<Monitor>,
    call: Call,
}

impl RecordedPermit {
    /// Wraps a permit that the host has granted.
    pub(super) fn wrap(call: &Call, permit: InteractionPermit, monitor: &Arc<Monitor>) -> InteractionPermit {
        let recorded = Self { permit, monitor: monitor.clone(), call: call.clone() };
        InteractionPermit::new(Arc::new(recorded), ())
    }

    fn note(&self, question: &str) {
        self.monitor.record(Event::Question(self.call.clone(), question.into()));
    }
}

impl Drop for RecordedPermit {
    fn drop(&mut self) {
        self.monitor.record(Event::Released(self.call.clone()));
    }
}

#[async_trait]
impl Interaction for RecordedPermit {
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
