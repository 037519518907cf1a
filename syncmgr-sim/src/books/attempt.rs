//! An attempt at an item, from its beginning to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::id::SessionId;
use syncmgr_core::retry::RetryPolicy;

use super::{Books, TICK, Wait};
use crate::peer::Key;

/// An attempt at an item.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) key: Key,
    pub(crate) session: SessionId,
    ask: Ask,
    commits: usize,
    /// How it ended, as far as that is certain.
    pub(crate) end: Option<End>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// Nobody can say what the manager makes of it.
    Unclear,
    Succeeded,
    NeedsUser,
    Failed(FailureClass),
    /// It panicked or hung.
    Broke,
    Cancelled(CancelReason),
}

/// Something that must not be.
pub(crate) type Fault = (&'static str, String);

impl End {
    /// The outcome the manager has to come to.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        Some(match self {
            Self::Unclear => return None,
            Self::Succeeded => Outcome::Succeeded,
            Self::NeedsUser => Outcome::NeedsUser,
            Self::Failed(_) | Self::Broke | Self::Cancelled(CancelReason::TimedOut) => Outcome::Failed,
            Self::Cancelled(CancelReason::Skipped) => Outcome::Skipped,
            Self::Cancelled(_) => Outcome::Stopped,
        })
    }
}

impl Books {
    /// An item begins. Returns what should not be.
    pub(crate) fn begin(&mut self, key: Key, session: SessionId, claims: BTreeSet<Claim>, now: Duration) -> Vec<Fault> {
        let ask = self.ask(session, key.0);
        let mut faults = self.too_many(key, &claims);
        faults.extend(self.too_early(key, ask, now));
        faults.extend(self.twice_for_one_request(key, session));
        self.owed.remove(&key);
        let item = self.item(key);
        (item.running, item.claims, item.ends_by, item.was_whole) = (Some(session), claims, None, false);
        let commits = item.saved.len();
        self.attempts.push(Attempt { key, session, ask, commits, end: None });
        faults
    }

    fn too_many(&self, key: Key, claims: &BTreeSet<Claim>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.is_running(key) {
            faults.push(("no item runs twice at once", format!("{key:?} begins and goes on already")));
        }
        if self.running().count() >= self.rules.items_at_once {
            faults.push(("items at once", format!("{key:?} begins, and {} go on", self.running().count())));
        }
        let limit = self.rules.handlers.get(&key.0).map_or(usize::MAX, |info| info.limits().items());
        if self.running_of(key.0) >= limit {
            faults.push(("items of a handler at once", format!("{key:?} begins, and {limit} of its handler go on")));
        }
        for claim in claims {
            if self.claimed(claim) >= self.rules.capacities.get(claim).copied().unwrap_or(1) {
                faults.push(("claims", format!("{key:?} begins, and {claim} is taken")));
            }
        }
        faults
    }

    /// No automatic run before its time, and none by hand before the time a peer gave.
    fn too_early(&self, key: Key, ask: Ask, now: Duration) -> Option<Fault> {
        if self.loose {
            return None;
        }
        let wait = self.items.get(&key).map_or(Wait::Unknown, |item| item.wait);
        match (wait, ask) {
            (_, Ask::Forced) | (Wait::Unknown | Wait::Nobody, _) => None,
            (Wait::NotBefore(until), _) if now + TICK < until => {
                Some(("not before the time the peer gave", format!("{key:?} runs at {now:?}, not before {until:?}")))
            }
            (Wait::Backoff(until), Ask::Automatic) if now + TICK < until => {
                Some(("backoff", format!("{key:?} runs at {now:?}, and backs off until {until:?}")))
            }
            (Wait::Asked, Ask::Automatic) => {
                Some(("nothing runs by itself that needs somebody", format!("{key:?} runs by itself")))
            }
            _ => None,
        }
    }

    /// What was asked for and began since, under the same terms, is not run once more for the same request.
    fn twice_for_one_request(&self, key: Key, session: SessionId) -> Option<Fault> {
        let asked = self.sessions.get(&session)?;
        let since = self.attempts.iter().skip(asked.after).filter(|attempt| attempt.key == key);
        let since: Vec<_> = since.collect();
        if since.iter().any(|attempt| attempt.session == session) {
            return None;
        }
        let same = |attempt: &&&Attempt| {
            let other = self.sessions.get(&attempt.session);
            let own_end = !matches!(attempt.end, None | Some(End::Unclear | End::Cancelled(_)));
            own_end && attempt.session < session && other.is_some_and(|other| other.terms == asked.terms)
        };
        let other = since.iter().find(same)?;
        Some(("duplicate requests merge", format!("{key:?} runs in session {session}, and did in {}", other.session)))
    }

    /// The attempt at an item has ended.
    pub(crate) fn end(&mut self, key: Key, end: End, now: Duration) {
        let policy = self.policy(key.0);
        let attempt = self.attempts.iter_mut().rev().find(|attempt| attempt.key == key && attempt.end.is_none());
        let Some(attempt) = attempt else { return };
        attempt.end = Some(end);
        let (ask, commits) = (attempt.ask, attempt.commits);
        let item = self.item(key);
        (item.running, item.ends_by, item.uninterrupted) = (None, None, 0);
        item.claims.clear();
        let moved = item.saved.len() > commits;
        let undone = matches!(end.outcome(), Some(Outcome::Skipped | Outcome::Stopped));
        if ask >= Ask::ByHand && !undone {
            item.failures = 0;
        }
        item.after(end, moved, &policy, now);
        if item.forgetting > 0 {
            item.doubt();
        }
    }
}

impl super::Item {
    fn after(&mut self, end: End, moved: bool, policy: &RetryPolicy, now: Duration) {
        self.wait = match end {
            End::Unclear => Wait::Unknown,
            End::Succeeded => Wait::Nobody,
            End::NeedsUser => Wait::Asked,
            End::Cancelled(CancelReason::TimedOut) | End::Broke => self.backs_off(moved, policy, now),
            End::Cancelled(_) => return,
            End::Failed(FailureClass::Transient) => self.backs_off(moved, policy, now),
            End::Failed(FailureClass::NotBefore(RetryAt::After(wait))) => Wait::NotBefore(now + wait),
            End::Failed(FailureClass::NotBefore(_)) => Wait::Unknown,
            End::Failed(_) => Wait::Asked,
        };
        if matches!(end, End::Succeeded | End::Unclear) {
            self.failures = 0;
        }
        if end == End::Succeeded {
            self.allowed.clear();
        }
    }

    /// At least so long: what chance adds makes it longer.
    fn backs_off(&mut self, moved: bool, policy: &RetryPolicy, now: Duration) -> Wait {
        self.failures = if moved { 1 } else { self.failures + 1 };
        if self.failures >= policy.budget && !moved {
            return Wait::Asked;
        }
        let grown = policy.initial.saturating_mul(policy.factor.max(1).saturating_pow(self.failures - 1));
        Wait::Backoff(now + grown.min(policy.cap))
    }
}
