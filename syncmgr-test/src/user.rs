//! The person at the keyboard.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Confirmation, Interaction, Secret};
use syncmgr_core::sync::Mutex;

use crate::Transcript;

/// A user who answers from a script, and says no when it is empty.
#[derive(Clone, Debug, Default)]
pub struct ScriptedUser {
    transcript: Transcript,
    answers: Arc<Mutex<VecDeque<usize>>>,
}

impl ScriptedUser {
    /// A user who says no to everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes into this transcript.
    pub fn with_transcript(mut self, transcript: &Transcript) -> Self {
        self.transcript = transcript.clone();
        self
    }

    /// Answers the next question with this choice, by place; 1 is yes.
    pub fn with_answer(self, answer: usize) -> Self {
        self.answers.lock().push_back(answer);
        self
    }

    /// What was asked, in order.
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
