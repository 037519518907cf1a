//! Examples of the ledger's decisions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::capabilities::Capabilities;
use crate::decision::hold::{Held, Hold};
use crate::decision::retry::{AttemptProgress, ClearedBy, RequestedBy};
use crate::decision::verdict::{Outcome, Verdict};
use crate::environment::{Environment, Network};
use crate::error::FailureClass;
use crate::explain::Known;
use crate::id::{ErrorId, ErrorScope, SessionId};
use crate::log::{Action, LogLevel, Question, Remedy};
use crate::register::RegisterFlags;
use crate::request::RunRequest;
use crate::requirements::{ConditionPolicy, Requirement, Requirements};
use crate::retry::{RetryPolicy, RetryStatus};
use crate::store::{SessionEnd, SessionOutcome};
use crate::trigger::Trigger;

mod absence;
mod answering;
mod attempting;
mod changing;
mod connecting;
mod disabling;
mod ending;
mod holding;
mod idling;
mod overriding;
mod requiring;
mod resuming;
mod scheduling;
mod selecting;
mod suspecting;
mod ticking;
mod windowing;

const MAIL: HandlerId = HandlerId::from_u128(1);
const PAGES: HandlerId = HandlerId::from_u128(2);
const INBOX: ItemId = ItemId::from_u128(11);
const DRAFTS: ItemId = ItemId::from_u128(12);
const POLICY: RetryPolicy = RetryPolicy::DEFAULT.with_jitter(0);
const NEEDS_NETWORK: Capabilities = Capabilities::NEEDS_NETWORK;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn online() -> &'static Environment {
    static ONLINE: Environment = Environment { network: Network::Online, ..Environment::UNKNOWN };
    &ONLINE
}

fn offline() -> &'static Environment {
    static OFFLINE: Environment = Environment { network: Network::Offline, ..Environment::UNKNOWN };
    &OFFLINE
}

fn account() -> Claim {
    Claim::from("account")
}

fn backoff(since: u64, until: u64) -> RetryState {
    RetryState::new(RetryStatus::Backoff, at(since), Some(at(until))).with_failures(1, 1)
}

fn status(status: RetryStatus) -> RetryState {
    RetryState::new(status, at(0), None).with_failures(1, 1)
}

/// A ledger with both handlers and no retry states.
fn ledger() -> RetryLedger {
    with(&[])
}

/// A ledger with both handlers and these retry states of the mail handler's items.
fn with(states: &[(ItemId, RetryState)]) -> RetryLedger {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, states.iter().copied().collect(), at(0));
    let _ = ledger.register(PAGES, Generation::FIRST, Capabilities::default(), BTreeMap::new(), at(0));
    ledger
}

/// A ledger with this retry state of the account.
fn with_account(states: &[(ItemId, RetryState)], of_account: RetryState) -> RetryLedger {
    let mut ledger = with(states);
    let _ = ledger.restore(BTreeMap::from([(account(), of_account)]), Vec::new(), at(0));
    ledger
}

fn attempted(item: ItemId, verdict: Verdict, now: u64) -> EndedAttempt<'static> {
    EndedAttempt {
        handler: MAIL,
        item,
        verdict,
        progress: AttemptProgress::None,
        policy: &POLICY,
        now: at(now),
        chance: 0,
        cleared_by: None,
    }
}

fn failed() -> Verdict {
    Verdict::failed(FailureClass::Transient)
}

fn plain(outcome: Outcome) -> Verdict {
    Verdict::plain(outcome)
}

fn items(of: HandlerId, items: &[ItemId]) -> Targets {
    Targets::Items(BTreeMap::from([(of, Arc::new(items.iter().copied().collect()))]))
}

fn handlers(of: &[HandlerId]) -> Targets {
    Targets::Handlers(of.iter().copied().collect())
}

fn start(reason: StartReason, targets: Targets) -> Effect {
    Effect::Start(Start {
        reason,
        trigger: Trigger::Scheduled,
        requested_by: RequestedBy::Automatic,
        targets,
        changes: Vec::new(),
        latest: Generation::FIRST,
    })
}

fn request(handler: HandlerId) -> RunRequest {
    RunRequest::new(handler).with_trigger(Trigger::Scheduled)
}

/// Begins an automatic run and returns the hold, if any.
fn begin(ledger: &mut RetryLedger, request: RunRequest, environment: &Environment) -> Option<Hold> {
    let capabilities = if request.handler == MAIL { NEEDS_NETWORK } else { Capabilities::default() };
    let (hold, _) =
        ledger.begin(request, (RequestedBy::Automatic, StartReason::Requested), capabilities, environment, at(0));
    hold
}

fn started(effects: &[Effect]) -> Vec<Start> {
    let started = effects.iter().filter_map(|effect| match effect {
        Effect::Start(start) => Some(start.clone()),
        _ => None,
    });
    started.collect()
}
