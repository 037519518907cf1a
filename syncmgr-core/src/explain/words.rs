//! An explanation in one line of English.

use std::fmt;

use super::{Explanation, Next, Standing};
use crate::decision::hold::Hold;
use crate::text::Escaped;
use crate::time::Utc;

impl fmt::Display for Explanation {
    /// As in `Inbox: backing off until 2026-11-21 14:05:00Z after 3 failures; last succeeded 2026-11-20 08:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{}: ", Escaped(name))?;
        }
        let standing = (!self.is_standing_implied()).then(|| self.standing_in_words());
        let holds = self.holds.iter().map(ToString::to_string);
        f.write_str(&standing.into_iter().chain(holds).collect::<Vec<_>>().join(", "))?;
        if !self.is_next_implied() {
            write!(f, "; {}", self.next)?;
        }
        match self.succeeded {
            Some(_) if self.standing == Standing::Succeeded => Ok(()),
            Some(time) => write!(f, "; last succeeded {}", Utc(time)),
            None => Ok(()),
        }
    }
}

impl Explanation {
    fn standing_in_words(&self) -> String {
        match self.succeeded {
            Some(time) if self.standing == Standing::Succeeded => format!("succeeded {}", Utc(time)),
            _ if self.standing == Standing::Idle && self.item.is_some() => "has not run yet".into(),
            _ => self.standing.to_string(),
        }
    }

    /// Whether a hold says the same as the standing, and more.
    fn is_standing_implied(&self) -> bool {
        match self.standing {
            Standing::Idle => !self.holds.is_empty(),
            Standing::NeedsUser | Standing::Failed { .. } => self.holds.iter().any(is_setback),
            _ => false,
        }
    }

    /// Whether standing and holds say by themselves when it runs next.
    fn is_next_implied(&self) -> bool {
        match self.next {
            Next::Now => matches!(self.standing, Standing::Running { .. }),
            Next::At { .. } | Next::WhenLifted | Next::WhenOnline => !self.holds.is_empty(),
            _ => false,
        }
    }
}

/// Whether a hold is what an earlier attempt left behind.
fn is_setback(hold: &Hold) -> bool {
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

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("nothing is known of it"),
            Self::Running { session } => write!(f, "running in session {session}"),
            Self::Waiting { session } => write!(f, "waiting in session {session}"),
            Self::Interrupted { session } => write!(f, "interrupted in session {session}"),
            Self::Absent => f.write_str("not listed any more"),
            Self::Idle => f.write_str("idle"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed { .. } => f.write_str("failed"),
            Self::Skipped => f.write_str("skipped"),
            Self::Stopped => f.write_str("stopped"),
            Self::NeedsUser => f.write_str("waits for a decision"),
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("runs next"),
            Self::At { time } => write!(f, "runs {}", Utc(*time)),
            Self::WhenTriggered => f.write_str("runs with the next trigger"),
            Self::WhenLifted => f.write_str("runs when that is over"),
            Self::WhenOnline => f.write_str("runs when there is a network"),
            Self::WhenResumed => f.write_str("runs when somebody resumes"),
            Self::WhenListed => f.write_str("runs when its handler lists it"),
            Self::WhenAsked => f.write_str("runs when somebody asks for it"),
            Self::WhenAnswered { .. } => f.write_str("runs when that is answered"),
            Self::Never => f.write_str("does not run: it was forgotten, or its handler is not registered"),
        }
    }
}
