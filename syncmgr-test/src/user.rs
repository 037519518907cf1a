//! A user with scripted answers.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Asker, Confirmation, Interaction, Secret};
use syncmgr_core::sync::Mutex;

use crate::Transcript;

/// A user with scripted answers. Without a scripted answer, the user declines.
#[derive(Clone, Debug, Default)]
pub struct ScriptedUser {
    transcript: Transcript,
    answers: Arc<Mutex<VecDeque<usize>>>,
    secrets: Arc<Mutex<VecDeque<Secret>>>,
    askers: Arc<Mutex<Vec<Asker>>>,
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

    /// Adds the answer to the next request for a secret that has no answer yet.
    pub fn with_secret(self, secret: Secret) -> Self {
        self.secrets.lock().push_back(secret);
        self
    }

    /// Returns the handler and the item of each question, in order.
    pub fn askers(&self) -> Vec<Asker> {
        self.askers.lock().clone()
    }

    /// Returns the recorded questions, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn answer(&self, asker: &Asker, line: String) -> Option<usize> {
        self.note(asker, line);
        self.answers.lock().pop_front()
    }

    fn note(&self, asker: &Asker, line: String) {
        self.transcript.note(line);
        self.askers.lock().push(asker.clone());
    }
}

#[async_trait]
impl Interaction for ScriptedUser {
    async fn confirm(&self, asker: &Asker, question: &str) -> SyncResult<Confirmation> {
        let answer = self.answer(asker, format!("confirm {question}"));
        Ok(if answer == Some(1) { Confirmation::Confirm } else { Confirmation::Refuse })
    }

    async fn choose(&self, asker: &Asker, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        Ok(self.answer(asker, format!("choose {question}")).filter(|answer| *answer < choices.len()))
    }

    async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
        self.note(asker, format!("secret {prompt}"));
        Ok(self.secrets.lock().pop_front())
    }
}
