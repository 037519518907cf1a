//! Formats an explanation as one line of English.

use std::fmt;

use super::{Condition, Explanation, Next};
use crate::decision::hold::Hold;
use crate::text::Escaped;
use crate::time::Utc;

impl fmt::Display for Explanation {
    /// Prints one line, for example
    /// `Inbox: backing off until 2026-11-21 14:05:00Z after 3 failures; last succeeded 2026-11-20 08:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{}: ", Escaped(name))?;
        }
        let condition = (!self.is_condition_implied()).then(|| self.condition_text());
        let holds = self.holds.iter().map(ToString::to_string);
        f.write_str(&condition.into_iter().chain(holds).collect::<Vec<_>>().join(", "))?;
        if !self.is_next_implied() {
            write!(f, "; {}", self.next)?;
        }
        match self.succeeded {
            Some(_) if self.condition == Condition::Succeeded => Ok(()),
            Some(time) => write!(f, "; last succeeded {}", Utc(time)),
            None => Ok(()),
        }
    }
}

impl Explanation {
    fn condition_text(&self) -> String {
        match self.succeeded {
            Some(time) if self.condition == Condition::Succeeded => format!("succeeded {}", Utc(time)),
            _ if self.condition == Condition::Idle && self.item.is_some() => "has not run yet".into(),
            _ => self.condition.to_string(),
        }
    }

    /// Returns `true` if a hold already implies the condition.
    fn is_condition_implied(&self) -> bool {
        match self.condition {
            Condition::Idle => !self.holds.is_empty(),
            Condition::NeedsUser | Condition::Failed { .. } => self.holds.iter().any(is_from_attempt),
            _ => false,
        }
    }

    /// Returns `true` if the condition or a hold already implies the next run.
    fn is_next_implied(&self) -> bool {
        match self.next {
            Next::Now => matches!(self.condition, Condition::Running { .. }),
            Next::At { .. } | Next::WhenLifted | Next::WhenOnline | Next::WhenEnabled => !self.holds.is_empty(),
            _ => false,
        }
    }
}

/// Returns `true` if the hold comes from an earlier attempt.
fn is_from_attempt(hold: &Hold) -> bool {
    matches!(
        hold,
        Hold::BackingOff { .. }
            | Hold::NotBefore { .. }
            | Hold::NeedsUser
            | Hold::NeedsAttention { .. }
            | Hold::Permanent
            | Hold::Gone
            | Hold::UnreadableState
    )
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Running { session } => write!(f, "running in session {session}"),
            Self::Waiting { session } => write!(f, "waiting in session {session}"),
            Self::Interrupted { session } => write!(f, "interrupted in session {session}"),
            Self::Absent => f.write_str("no longer listed"),
            Self::Idle => f.write_str("idle"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed { .. } => f.write_str("failed"),
            Self::Skipped => f.write_str("skipped"),
            Self::Stopped => f.write_str("stopped"),
            Self::NeedsUser => f.write_str("waiting for a decision"),
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("runs as soon as possible"),
            Self::At { time } => write!(f, "runs at {}", Utc(*time)),
            Self::WhenTriggered => f.write_str("runs with the next trigger"),
            Self::WhenLifted => f.write_str("runs once the hold ends"),
            Self::WhenOnline => f.write_str("runs once the network is up"),
            Self::WhenResumed => f.write_str("runs once resumed"),
            Self::WhenListed => f.write_str("runs once its handler lists it"),
            Self::WhenRequested => f.write_str("runs on request"),
            Self::WhenAnswered { .. } => f.write_str("runs once the question is answered"),
            Self::WhenEnabled => f.write_str("runs once enabled"),
            Self::Never => f.write_str("does not run: the item was forgotten or its handler is not registered"),
        }
    }
}
