//! A user with scripted answers.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Confirmation, Interaction, Secret};
use syncmgr_core::sync::Mutex;

use crate::Transcript;

/// A user with scripted answers. Without a scripted answer, the user declines.
#[derive(Clone, Debug, Default)]
pub struct ScriptedUser {
    transcript: Transcript,
    answers: Arc<Mutex<VecDeque<usize>>>,
}

impl ScriptedUser {
    /// Creates a user who declines every question.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the transcript.
    pub fn with_transcript(mut self, transcript: &Transcript) -> Self {
        self.transcript = transcript.clone();
        self
    }

    /// Adds the index of the choice that answers the next question that has no answer yet. For a confirmation, 1 means yes.
    pub fn with_answer(self, answer: usize) -> Self {
        self.answers.lock().push_back(answer);
        self
    }

    /// Returns the recorded questions, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn answer(&self, line: String) -> Option<usize> {
        self.transcript.note(line);
        self.answers.lock().pop_front()
    }
}

#[async_trait]
impl Interaction for ScriptedUser {
    async fn confirm(&self, question: &str) -> SyncResult<Confirmation> {
        let answer = self.answer(format!("confirm {question}"));
        Ok(if answer == Some(1) { Confirmation::Confirm } else { Confirmation::Refuse })
    }

    async fn choose(&self, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        Ok(self.answer(format!("choose {question}")).filter(|answer| *answer < choices.len()))
    }

    async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
        Ok(self.answer(format!("secret {prompt}")).map(|answer| Secret::new(answer.to_string())))
    }
}
