//! Metrics, recorded with the crate `metrics` if the feature of that name is enabled. This crate installs no recorder.
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `syncmgr_sessions_total` | counter, when a session becomes idle | `trigger` |
//! | `syncmgr_session_seconds` | histogram | `trigger` |
//! | `syncmgr_items_total` | counter, when an attempt of a run ends | `handler`, `outcome` |
//! | `syncmgr_stop_seconds` | histogram, from the request to stop a running item to its end | |
//! | `syncmgr_abandoned_total` | counter | `handler` |
//!
//! The names are part of the public interface: they do not change within a major version.

use std::time::Duration;

use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::id::HandlerId;
use syncmgr_core::trigger::Trigger;

#[cfg(feature = "metrics")]
pub(crate) use self::recorded::*;
#[cfg(not(feature = "metrics"))]
pub(crate) use self::silent::*;

#[cfg(feature = "metrics")]
mod recorded {
    use std::collections::BTreeMap;

    use metrics::{counter, histogram};

    use syncmgr_core::decision::verdict::Outcome;

    use super::{Duration, HandlerId, Phase, Trigger};

    /// Records a session that became idle.
    pub(crate) fn session(trigger: Trigger, lasted: Duration) {
        let trigger = trigger.name();
        counter!("syncmgr_sessions_total", "trigger" => trigger).increment(1);
        histogram!("syncmgr_session_seconds", "trigger" => trigger).record(lasted.as_secs_f64());
    }

    /// Counts the items by outcome.
    pub(crate) fn outcomes(phases: &[Phase]) -> BTreeMap<Outcome, u64> {
        let mut outcomes = BTreeMap::new();
        for phase in phases {
            if let Phase::Ended(outcome) = phase {
                *outcomes.entry(*outcome).or_default() += 1;
            }
        }
        outcomes
    }

    /// Records the items of an attempt that ended.
    pub(crate) fn items(handler: HandlerId, outcomes: BTreeMap<Outcome, u64>) {
        for (outcome, count) in outcomes {
            let outcome = outcome.to_string().replace(' ', "_");
            counter!("syncmgr_items_total", "handler" => handler.to_string(), "outcome" => outcome).increment(count);
        }
    }

    /// Records the time from the request to stop a running item to its end.
    pub(crate) fn stopped(time: Duration) {
        histogram!("syncmgr_stop_seconds").record(time.as_secs_f64());
    }

    /// Records an abandoned item.
    pub(crate) fn abandoned(handler: HandlerId) {
        counter!("syncmgr_abandoned_total", "handler" => handler.to_string()).increment(1);
    }
}

#[cfg(not(feature = "metrics"))]
mod silent {
    use super::{Duration, HandlerId, Phase, Trigger};

    pub(crate) fn session(_: Trigger, _: Duration) {}
    /// A placeholder for the counts, if the feature `metrics` is disabled.
    pub(crate) struct NotCounted;

    pub(crate) fn outcomes(_: &[Phase]) -> NotCounted {
        NotCounted
    }

    pub(crate) fn items(_: HandlerId, NotCounted: NotCounted) {}
    pub(crate) fn stopped(_: Duration) {}
    pub(crate) fn abandoned(_: HandlerId) {}
}
