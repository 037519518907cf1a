//! Attempts at items and the checks at their start.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::retry::RetryPolicy;

use super::{Model, TICK, Wait};
use crate::peer::Key;

/// An attempt at an item.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) key: Key,
    pub(crate) session: SessionId,
    requested_by: RequestedBy,
    commits: usize,
    /// The end of the attempt; `None` while it runs.
    pub(crate) end: Option<AttemptEnd>,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AttemptEnd {
    /// The model cannot predict the manager's outcome.
    Unknown,
    Succeeded,
    NeedsUser,
    Failed(FailureClass),
    /// The handler panicked or hung.
    PanickedOrHung,
    Cancelled(CancelReason),
}

/// A violated invariant and its details.
pub(crate) type Finding = (&'static str, String);

impl AttemptEnd {
    /// Returns the outcome the manager must report; `None` if unknown.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        Some(match self {
            Self::Unknown => return None,
            Self::Succeeded => Outcome::Succeeded,
            Self::NeedsUser => Outcome::NeedsUser,
            Self::Failed(_) | Self::PanickedOrHung | Self::Cancelled(CancelReason::TimedOut) => Outcome::Failed,
            Self::Cancelled(CancelReason::Skipped) => Outcome::Skipped,
            Self::Cancelled(_) => Outcome::Stopped,
        })
    }
}

impl Model {
    /// Starts an attempt. Returns the invariants it violates.
    pub(crate) fn begin(
        &mut self,
        key: Key,
        session: SessionId,
        claims: BTreeSet<Claim>,
        now: Duration,
    ) -> Vec<Finding> {
        let requested_by = self.requested_by(session, key.0);
        let mut findings = self.check_limits(key, session, &claims);
        findings.extend(self.check_wait(key, requested_by, now));
        findings.extend(self.check_kills(key, requested_by));
        findings.extend(self.check_merge(key, session));
        self.to_resume.remove(&key);
        self.waits_for_conditions.remove(&key);
        self.changed.remove(&key);
        let item = self.item(key);
        (item.running, item.claims, item.cancel_deadlines, item.was_uninterrupted) =
            (Some(session), claims, None, false);
        let commits = item.written.len();
        if requested_by > RequestedBy::Automatic {
            item.kills = 0;
        }
        self.attempts.push(Attempt { key, session, requested_by, commits, end: None });
        findings
    }

    /// Returns the number of items that may run beyond the limit, if one of this session starts: one for each session whose
    /// caller waits, and at most as many as the limit.
    fn count_lent(&self, session: SessionId) -> usize {
        let running = self.attempts.iter().filter(|attempt| attempt.end.is_none());
        let waited_for = running.filter(|attempt| attempt.requested_by >= RequestedBy::User);
        let sessions: BTreeSet<_> = waited_for.map(|attempt| attempt.session).chain([session]).collect();
        sessions.len().min(self.settings.max_concurrent_items)
    }

    fn check_limits(&self, key: Key, session: SessionId, claims: &BTreeSet<Claim>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.is_running(key) {
            findings.push(("an item has one attempt at a time", format!("{key:?} starts but is still running")));
        }
        let running = self.running().count();
        if running >= self.settings.max_concurrent_items + self.count_lent(session) {
            findings.push((
                "the limit of concurrent items holds",
                format!("{key:?} starts, but {running} items are running"),
            ));
        }
        let limit = self.settings.handlers.get(&key.0).map_or(usize::MAX, |info| info.limits().items());
        if self.count_running_of(key.0) >= limit {
            findings.push((
                "the limit of concurrent items per handler holds",
                format!("{key:?} starts, but {limit} items of its handler are running"),
            ));
        }
        for claim in claims {
            if self.count_claimed(claim) >= self.settings.capacities.get(claim).copied().unwrap_or(1) {
                findings.push(("the capacity of a claim holds", format!("{key:?} starts, but {claim} is exhausted")));
            }
        }
        findings
    }

    /// Checks that an automatic attempt respects every wait, and that a manual attempt respects the time that the peer set.
    fn check_wait(&self, key: Key, requested_by: RequestedBy, now: Duration) -> Option<Finding> {
        // An end that could not be stored does not count as the end of an interrupted item.
        if self.clock_set_back || self.store_failed && self.unfinished.contains(&key) {
            return None;
        }
        let wait = self.items.get(&key).map_or(Wait::Unknown, |item| item.wait);
        match (wait, requested_by) {
            (_, RequestedBy::UserForced) | (Wait::Unknown | Wait::Ready, _) => None,
            (Wait::NotBefore(until), _) if now + TICK < until => Some((
                "no attempt starts before the time that the peer set",
                format!("{key:?} starts at {now:?}, but the peer set {until:?}"),
            )),
            (Wait::Backoff(until), RequestedBy::Automatic) if now + TICK < until => Some((
                "no automatic attempt starts during backoff",
                format!("{key:?} starts at {now:?}, but backs off until {until:?}"),
            )),
            (Wait::NeedsRequest, RequestedBy::Automatic) => Some((
                "an item that needs a request does not run automatically",
                format!("{key:?} starts automatically"),
            )),
            _ => None,
        }
    }

    /// Checks that the attempt is needed. It is not needed if, after the request, another attempt at the item started in an older
    /// session with equal terms and the same registration of the handler, and has ended.
    fn check_merge(&self, key: Key, session: SessionId) -> Option<Finding> {
        let request = self.sessions.get(&session)?;
        let since = self.attempts.iter().skip(request.attempts_before).filter(|attempt| attempt.key == key);
        let since: Vec<_> = since.collect();
        if since.iter().any(|attempt| attempt.session == session) {
            return None;
        }
        let is_equivalent = |attempt: &&&Attempt| {
            let other = self.sessions.get(&attempt.session);
            let is_complete = !matches!(attempt.end, None | Some(AttemptEnd::Unknown | AttemptEnd::Cancelled(_)));
            // A suspect begins before its handler is called, maybe before the request.
            is_complete
                && !self.is_suspect(key)
                && attempt.session < session
                && !self.was_registered_between(key.0, attempt.session, session)
                && other.is_some_and(|other| other.terms == request.terms)
        };
        let other = since.iter().find(is_equivalent)?;
        Some((
            "duplicate requests merge",
            format!("{key:?} runs in session {session} after it ran in {}", other.session),
        ))
    }

    /// Returns `true` if the handler was registered again between the requests for these sessions.
    fn was_registered_between(&self, handler: HandlerId, earlier: SessionId, later: SessionId) -> bool {
        self.registered_after.range((handler, earlier)..(handler, later)).next().is_some()
    }

    /// Ends the running attempt at an item.
    pub(crate) fn end(&mut self, key: Key, end: AttemptEnd, now: Duration) {
        let policy = self.policy(key.0);
        let attempt = self.attempts.iter_mut().rev().find(|attempt| attempt.key == key && attempt.end.is_none());
        let Some(attempt) = attempt else { return };
        attempt.end = Some(end);
        let (requested_by, commits, session) = (attempt.requested_by, attempt.commits, attempt.session);
        if let AttemptEnd::Cancelled(reason) = end {
            self.observe_stop(key, session, reason);
        }
        let item = self.item(key);
        (item.running, item.cancel_deadlines, item.uninterrupted) = (None, None, 0);
        item.claims.clear();
        let advanced = item.written.len() > commits;
        let is_incomplete = matches!(end.outcome(), Some(Outcome::Skipped | Outcome::Stopped));
        if requested_by >= RequestedBy::User && !is_incomplete {
            item.failures = 0;
        }
        if !is_incomplete {
            item.kills = 0;
        }
        item.apply_end(end, advanced, &policy, now);
        if item.pending_forgets > 0 {
            item.mark_unknown();
        }
    }
}

impl super::Item {
    fn apply_end(&mut self, end: AttemptEnd, advanced: bool, policy: &RetryPolicy, now: Duration) {
        let before = self.wait;
        self.wait = match end {
            AttemptEnd::Unknown => Wait::Unknown,
            AttemptEnd::Succeeded => Wait::Ready,
            AttemptEnd::NeedsUser => Wait::NeedsRequest,
            AttemptEnd::Cancelled(CancelReason::TimedOut) | AttemptEnd::PanickedOrHung => {
                self.backoff(advanced, policy, now)
            }
            AttemptEnd::Cancelled(_) => return,
            AttemptEnd::Failed(FailureClass::Transient) => self.backoff(advanced, policy, now),
            AttemptEnd::Failed(FailureClass::NotBefore(RetryAt::After(wait))) => Wait::NotBefore(now + wait),
            AttemptEnd::Failed(FailureClass::NotBefore(_)) => Wait::Unknown,
            AttemptEnd::Failed(_) => Wait::NeedsRequest,
        };
        // The peer still wants no attempt before the time that it has set.
        if let (Wait::NotBefore(until), Wait::Backoff(_)) = (before, self.wait)
            && now + TICK < until
        {
            self.wait = before;
        }
        if matches!(end, AttemptEnd::Succeeded | AttemptEnd::Unknown) {
            self.failures = 0;
        }
        if end == AttemptEnd::Succeeded {
            self.allowed_deletes.clear();
        }
    }

    /// Counts a failure and returns the shortest possible wait; jitter only makes it longer.
    fn backoff(&mut self, advanced: bool, policy: &RetryPolicy, now: Duration) -> Wait {
        self.failures = if advanced { 1 } else { self.failures + 1 };
        if self.failures >= policy.budget && !advanced {
            return Wait::NeedsRequest;
        }
        let grown = policy.initial.saturating_mul(policy.factor.max(1).saturating_pow(self.failures - 1));
        Wait::Backoff(now + grown.min(policy.cap))
    }
}
