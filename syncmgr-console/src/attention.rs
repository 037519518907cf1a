//! What a handler as a whole needs its user for, from its log.

use std::sync::Arc;

use syncmgr::log::Action;
use syncmgr::store::{LogRecord, StoreAccessError};
use syncmgr::{Explanation, Hold, LogLevel, Outcome, SyncManager};

/// The open questions of a handler and its items, and why the handler itself failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attention {
    /// The number of entries that ask a question.
    pub(crate) questions: usize,
    /// The text of the last error of the handler itself since its last success.
    pub(crate) reason: Option<Arc<str>>,
}

fn is_of_failure(hold: &Hold) -> bool {
    use Hold::{BackingOff, NeedsAttention, NeedsUser, Permanent};
    matches!(hold, BackingOff { .. } | NeedsAttention { .. } | NeedsUser | Permanent)
}

impl Attention {
    /// Reads the log of the handler with this explanation.
    pub(crate) async fn read(manager: &SyncManager, of: &Explanation) -> Result<Self, StoreAccessError> {
        let log = manager.log(of.handler).await?;
        Ok(Self::of(&log, of))
    }

    fn of(log: &[LogRecord], of: &Explanation) -> Self {
        let asks = |record: &&LogRecord| matches!(record.entry.action, Some(Action::Decide(_)));
        let is_new = |record: &&LogRecord| of.succeeded.is_none_or(|succeeded| record.time > succeeded);
        let is_own = |record: &&LogRecord| record.entry.item.is_none() && record.entry.level == LogLevel::Error;
        let reason = log.iter().rev().filter(is_own).find(is_new).map(|record| record.entry.text.clone());
        let has_failed =
            of.holds.iter().any(is_of_failure) || of.last.is_some_and(|last| last.outcome != Outcome::Succeeded);
        Self { questions: log.iter().filter(asks).count(), reason: reason.filter(|_| has_failed) }
    }

    /// Says how many questions are open; `None` without any.
    #[cfg(feature = "web")]
    pub(crate) fn asked(&self) -> Option<String> {
        match self.questions {
            0 => None,
            1 => Some("1 question is open".to_owned()),
            questions => Some(format!("{questions} questions are open")),
        }
    }
}
