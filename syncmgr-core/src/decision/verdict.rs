//! The outcomes of items and runs. All rules are in this module.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cancel::CancelReason;
use crate::cell::ItemSignals;
use crate::error::{FailureClass, NeedsUser, SyncResult, is_held_plan};
use crate::hresult::HResult;
use crate::log::LogLevel;
use crate::status::Status;

/// The outcome of an item. Every attempt at an item has exactly one.
///
/// ```
/// # use syncmgr_core::{decision::verdict::Outcome, status::Status};
/// assert_eq!(Outcome::NeedsUser.to_string(), "needs user");
/// assert_eq!(Outcome::of_status(Status::Updating), None); // still running
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The item is done: `SYNCMGRSTATUS_SUCCEEDED`.
    Succeeded,
    /// The item is not done, or only in part: `SYNCMGRSTATUS_FAILED`.
    Failed,
    /// The item was skipped on request, or left out because of a hold, such as its backoff: `SYNCMGRSTATUS_SKIPPED`.
    Skipped,
    /// The item ended because its handler or session was stopped: `SYNCMGRSTATUS_STOPPED`.
    Stopped,
    /// The item needs a decision by the user, or the user's presence. Not a failure; a COM host sees it as skipped.
    NeedsUser,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Succeeded, Self::Failed, Self::Skipped, Self::Stopped, Self::NeedsUser];

    /// Returns the stored name, such as `needs_user`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Stopped => "stopped",
            Self::NeedsUser => "needs_user",
        }
    }

    /// Returns the terminal status that a host of the Windows contract receives.
    pub const fn status(self) -> Status {
        match self {
            Self::Succeeded => Status::Succeeded,
            Self::Failed => Status::Failed,
            Self::Skipped | Self::NeedsUser => Status::Skipped,
            Self::Stopped => Status::Stopped,
        }
    }

    /// Returns the outcome for a terminal status that a handler reports; `None` if the status is not terminal.
    pub const fn of_status(status: Status) -> Option<Self> {
        Some(match status {
            Status::Succeeded | Status::Deleted => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Skipped => Self::Skipped,
            Status::Stopped => Self::Stopped,
            _ => return None,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Stopped => "stopped",
            Self::NeedsUser => "needs user",
        })
    }
}

/// The way in which the work on an item ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending<'a> {
    /// The work returned.
    Returned(&'a SyncResult),
    /// The work panicked and was unwound.
    Panicked,
    /// The future was dropped after the soft grace period, and all its work has ended.
    Dropped,
    /// Work of the item was still running after the hard grace period.
    Abandoned,
}

/// The verdict on an item: its outcome, and the class of its failure for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The class of the failure, if it failed.
    pub class: Option<FailureClass>,
    /// The level at which the error is logged; `None` if there is no error to log.
    pub level: Option<LogLevel>,
    /// `true` if the user is needed for a part of the item only, so that the item does not wait for an answer.
    pub is_partial: bool,
}

impl Verdict {
    /// Creates a verdict without an error.
    pub const fn plain(outcome: Outcome) -> Self {
        Self { outcome, class: None, level: None, is_partial: false }
    }

    /// Creates the verdict for an outcome that the handler reported itself.
    pub fn reported(outcome: Outcome) -> Self {
        let class = (outcome == Outcome::Failed).then_some(FailureClass::Transient);
        Self { class, ..Self::plain(outcome) }
    }

    /// Creates the verdict for a failure whose error has to be logged.
    pub const fn failed(class: FailureClass) -> Self {
        Self { class: Some(class), level: Some(LogLevel::Error), ..Self::plain(Outcome::Failed) }
    }
}

/// Returns the verdict on an item from its ending, its cancellation, and the signals of its work.
///
/// | ending | cancelled | outcome | class |
/// |---|---|---|---|
/// | `Ok` | either | failed if failures were tolerated, else needs user if a decision is open, else succeeded | of the tolerated failure |
/// | `Err` | yes | skipped or stopped; the error stays at level information | |
/// | `Err` or dropped | timed out | failed | transient |
/// | `Err`, user needed | no | needs user | |
/// | `Err` | no | failed | the class of its mark, else transient (also for a bare `Cancelled`) |
/// | panic | either | failed | transient |
/// | dropped | yes | skipped or stopped | |
/// | abandoned | yes | failed | transient |
///
/// ```
/// # use syncmgr_core::{cancel::CancelReason, cell::ItemSignals};
/// # use syncmgr_core::decision::verdict::{Ending, Outcome, verdict_of};
/// let error = Err(anyhow::anyhow!("connection reset"));
/// let failed = verdict_of(&Ending::Returned(&error), None, ItemSignals::default());
/// let skipped = verdict_of(&Ending::Returned(&error), Some(CancelReason::Skipped), ItemSignals::default());
/// assert_eq!((failed.outcome, skipped.outcome), (Outcome::Failed, Outcome::Skipped));
/// ```
pub fn verdict_of(ending: &Ending<'_>, cancel: Option<CancelReason>, signals: ItemSignals) -> Verdict {
    match (ending, cancel) {
        (Ending::Returned(Ok(())), _) => verdict_of_ok(signals),
        (_, Some(CancelReason::TimedOut)) => Verdict::failed(FailureClass::Transient),
        (Ending::Returned(Err(_)), Some(reason)) => {
            Verdict { level: Some(LogLevel::Information), ..Verdict::plain(cancelled(reason)) }
        }
        (Ending::Returned(Err(error)), None) if NeedsUser::is_in(error) => {
            // The question about a held plan is already in the log.
            let level = (!is_held_plan(error)).then_some(LogLevel::Warning);
            Verdict { level, ..Verdict::plain(Outcome::NeedsUser) }
        }
        (Ending::Returned(Err(error)), None) => Verdict::failed(FailureClass::of(error)),
        (Ending::Dropped, Some(reason)) => Verdict::plain(cancelled(reason)),
        (Ending::Panicked | Ending::Abandoned | Ending::Dropped, _) => Verdict::failed(FailureClass::Transient),
    }
}

fn verdict_of_ok(signals: ItemSignals) -> Verdict {
    match signals {
        // The tolerated failures are already in the log.
        ItemSignals { tolerated: Some(class), .. } => Verdict { level: None, ..Verdict::failed(class) },
        ItemSignals { undecided: true, .. } => Verdict::plain(Outcome::NeedsUser),
        ItemSignals { partly_undecided: true, .. } => {
            Verdict { is_partial: true, ..Verdict::plain(Outcome::NeedsUser) }
        }
        _ => Verdict::plain(Outcome::Succeeded),
    }
}

/// Returns the verdict on an item without a terminal status after its handler ended the run with `code`.
///
/// `class` is the class of the run's error; `None` if the run ended because the user is needed.
///
/// See also: R105.
pub fn verdict_of_unreported(
    code: HResult,
    class: Option<FailureClass>,
    cancel: Option<CancelReason>,
    signals: ItemSignals,
) -> Verdict {
    match cancel {
        // The timeout was logged when it was detected.
        Some(CancelReason::TimedOut) => Verdict { level: None, ..Verdict::failed(FailureClass::Transient) },
        Some(reason) => Verdict::plain(cancelled(reason)),
        None if code.is_ok() && signals.work_seen => verdict_of_ok(signals),
        None if code.is_ok() => Verdict::failed(FailureClass::Transient),
        // The error is logged once, for the run.
        None => match class {
            Some(class) => Verdict { level: None, ..Verdict::failed(class) },
            None => Verdict::plain(Outcome::NeedsUser),
        },
    }
}

/// Returns the outcome of a cancelled item.
pub const fn cancelled(reason: CancelReason) -> Outcome {
    match reason {
        CancelReason::Skipped => Outcome::Skipped,
        CancelReason::TimedOut => Outcome::Failed,
        _ => Outcome::Stopped,
    }
}

/// Returns the code with which `prepare` or `synchronize` of a run completes.
///
/// The code is `S_OK` for `Ok`, `S_FALSE` if the user is needed, `E_UNEXPECTED` after a panic, and `E_FAIL` otherwise.
///
/// See also: R93.
pub fn completion(ending: &Ending<'_>) -> HResult {
    match ending {
        Ending::Returned(Ok(())) => HResult::S_OK,
        Ending::Returned(Err(error)) if NeedsUser::is_in(error) => HResult::S_FALSE,
        Ending::Panicked => HResult::E_UNEXPECTED,
        Ending::Returned(Err(_)) | Ending::Dropped | Ending::Abandoned => HResult::E_FAIL,
    }
}

/// Returns the verdict on the items of a run that ended before `synchronize`. `code` is the completion code of `prepare`.
pub fn verdict_of_unprepared(code: HResult, cancel: Option<CancelReason>, class: FailureClass) -> Verdict {
    match (cancel, code) {
        (Some(CancelReason::TimedOut), _) => Verdict { level: None, ..Verdict::failed(FailureClass::Transient) },
        (Some(reason), _) => Verdict::plain(cancelled(reason)),
        (None, HResult::S_FALSE) => Verdict::plain(Outcome::NeedsUser),
        (None, code) if code.is_success() => Verdict::plain(Outcome::Skipped),
        // The error is logged once, for the run.
        (None, _) => Verdict { level: None, ..Verdict::failed(class) },
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::cancel::Cancelled;
    use crate::error::Classify;

    const NOTHING: ItemSignals =
        ItemSignals { work_seen: false, undecided: false, partly_undecided: false, tolerated: None };

    fn verdict_of_return(result: SyncResult, cancel: Option<CancelReason>, signals: ItemSignals) -> Verdict {
        verdict_of(&Ending::Returned(&result), cancel, signals)
    }

    #[test]
    fn an_item_that_returns_ok_succeeds_even_after_a_cancel() {
        assert_eq!(verdict_of_return(Ok(()), None, NOTHING), Verdict::plain(Outcome::Succeeded));
        assert_eq!(verdict_of_return(Ok(()), Some(CancelReason::Skipped), NOTHING), Verdict::plain(Outcome::Succeeded));
    }

    #[test]
    fn an_item_with_an_error_after_a_cancel_is_skipped_or_stopped() {
        let skipped =
            verdict_of_return(Err(anyhow!("reset by peer")).permanent(), Some(CancelReason::Skipped), NOTHING);
        assert_eq!(
            (skipped.outcome, skipped.class, skipped.level),
            (Outcome::Skipped, None, Some(LogLevel::Information))
        );
        for reason in [CancelReason::HandlerStopped, CancelReason::SessionStopped, CancelReason::ShuttingDown] {
            assert_eq!(verdict_of_return(Err(anyhow!("x")), Some(reason), NOTHING).outcome, Outcome::Stopped);
        }
    }

    #[test]
    fn an_item_that_timed_out_is_a_transient_failure_unless_it_returns_ok() {
        let late = Some(CancelReason::TimedOut);
        let failed = Verdict::failed(FailureClass::Transient);
        assert_eq!(verdict_of(&Ending::Dropped, late, NOTHING), failed);
        assert_eq!(verdict_of_return(Err(anyhow!("x")).permanent(), late, NOTHING), failed);
        assert_eq!(verdict_of_return(Ok(()), late, NOTHING), Verdict::plain(Outcome::Succeeded));
        assert_eq!(super::verdict_of_unreported(HResult::S_OK, None, late, NOTHING).class, failed.class);
    }

    #[test]
    fn a_cancelled_error_without_a_cancel_is_a_transient_failure() {
        let verdict = verdict_of_return(Err(Cancelled { reason: CancelReason::Skipped }.into()), None, NOTHING);
        assert_eq!((verdict.outcome, verdict.class), (Outcome::Failed, Some(FailureClass::Transient)));
    }

    #[test]
    fn an_error_is_a_failure_with_its_class_or_transient() {
        assert_eq!(verdict_of_return(Err(anyhow!("x")), None, NOTHING), Verdict::failed(FailureClass::Transient));
        assert_eq!(verdict_of_return(Err(anyhow!("x")).gone(), None, NOTHING), Verdict::failed(FailureClass::Gone));
    }

    #[test]
    fn a_panic_and_abandoned_work_are_transient_failures() {
        let stopped = Some(CancelReason::SessionStopped);
        assert_eq!(verdict_of(&Ending::Panicked, None, NOTHING), Verdict::failed(FailureClass::Transient));
        assert_eq!(verdict_of(&Ending::Abandoned, stopped, NOTHING), Verdict::failed(FailureClass::Transient));
    }

    #[test]
    fn an_item_whose_future_was_dropped_never_succeeds() {
        assert_eq!(verdict_of(&Ending::Dropped, Some(CancelReason::Skipped), NOTHING).outcome, Outcome::Skipped);
        assert_eq!(verdict_of(&Ending::Dropped, Some(CancelReason::ShuttingDown), NOTHING).outcome, Outcome::Stopped);
        assert_eq!(verdict_of(&Ending::Dropped, None, NOTHING).outcome, Outcome::Failed);
    }

    #[test]
    fn an_item_with_tolerated_failures_fails_and_is_not_logged_again() {
        let signals = ItemSignals { tolerated: Some(FailureClass::Permanent), undecided: true, ..NOTHING };
        let verdict = verdict_of_return(Ok(()), None, signals);
        assert_eq!(
            (verdict.outcome, verdict.class, verdict.level),
            (Outcome::Failed, Some(FailureClass::Permanent), None)
        );
    }

    #[test]
    fn a_needs_user_outcome_has_no_class_and_is_not_at_level_error() {
        let open = verdict_of_return(Ok(()), None, ItemSignals { undecided: true, ..NOTHING });
        assert_eq!(open, Verdict::plain(Outcome::NeedsUser));
        let asked = |signals| verdict_of_return(Ok(()), None, ItemSignals { partly_undecided: true, ..signals });
        assert_eq!(asked(NOTHING), Verdict { is_partial: true, ..Verdict::plain(Outcome::NeedsUser) });
        assert_eq!(asked(ItemSignals { undecided: true, ..NOTHING }), Verdict::plain(Outcome::NeedsUser));
        let refused = verdict_of_return(Err(NeedsUser::new("sign in").into()), None, NOTHING);
        assert_eq!(
            (refused.outcome, refused.class, refused.level),
            (Outcome::NeedsUser, None, Some(LogLevel::Warning))
        );
    }

    #[test]
    fn r105_the_cancel_or_the_work_seen_decides_an_unreported_item() {
        let seen = ItemSignals { work_seen: true, ..NOTHING };
        let ok = HResult::S_OK;
        let verdict_of_unreported =
            |code, cancel, signals| verdict_of_unreported(code, Some(FailureClass::Permanent), cancel, signals);
        assert_eq!(super::verdict_of_unreported(HResult::S_FALSE, None, None, seen).outcome, Outcome::NeedsUser);
        assert_eq!(verdict_of_unreported(HResult::E_FAIL, None, seen).class, Some(FailureClass::Permanent));
        assert_eq!(verdict_of_unreported(ok, Some(CancelReason::Skipped), seen).outcome, Outcome::Skipped);
        assert_eq!(verdict_of_unreported(ok, None, seen).outcome, Outcome::Succeeded);
        assert_eq!(
            verdict_of_unreported(ok, None, NOTHING),
            Verdict::failed(FailureClass::Transient),
            "the error is not logged elsewhere"
        );
        assert_eq!(verdict_of_unreported(HResult::E_FAIL, None, seen).outcome, Outcome::Failed);
    }

    #[test]
    fn completions_have_the_codes_of_the_contract() {
        let code_of = |result: SyncResult| completion(&Ending::Returned(&result));
        assert_eq!(code_of(Ok(())), HResult::S_OK);
        assert_eq!(code_of(Err(NeedsUser::new("x").into())), HResult::S_FALSE);
        assert_eq!(code_of(Err(anyhow!("x"))), HResult::E_FAIL);
        assert_eq!(completion(&Ending::Panicked), HResult::E_UNEXPECTED);
    }

    #[test]
    fn items_of_an_unprepared_run_end_with_the_reason_of_the_run() {
        let class = FailureClass::Permanent;
        assert_eq!(verdict_of_unprepared(HResult::S_FALSE, None, class).outcome, Outcome::NeedsUser);
        let failed = verdict_of_unprepared(HResult::E_FAIL, None, class);
        assert_eq!((failed.outcome, failed.class), (Outcome::Failed, Some(class)));
        let late = verdict_of_unprepared(HResult::E_FAIL, Some(CancelReason::TimedOut), class);
        assert_eq!((late.outcome, late.class), (Outcome::Failed, Some(FailureClass::Transient)));
        let stopped = verdict_of_unprepared(HResult::S_OK, Some(CancelReason::SessionStopped), class);
        assert_eq!(stopped.outcome, Outcome::Stopped);
    }

    #[test]
    fn a_cancelled_item_is_skipped_or_stopped_and_a_timeout_is_a_failure() {
        use CancelReason::{ConditionEnded, Ended, HandlerStopped, ItemConditionEnded, SessionStopped};
        use CancelReason::{ShuttingDown, Skipped, TimedOut};
        let stops = [HandlerStopped, SessionStopped, ShuttingDown, Ended, ConditionEnded, ItemConditionEnded];
        assert_eq!(stops.map(cancelled), [Outcome::Stopped; 6]);
        assert_eq!([Skipped, TimedOut].map(cancelled), [Outcome::Skipped, Outcome::Failed]);
    }

    #[test]
    fn an_error_logged_for_the_run_is_not_logged_again_for_its_items() {
        let (late, class) = (Some(CancelReason::TimedOut), FailureClass::Permanent);
        let unlogged = |class| Verdict { level: None, ..Verdict::failed(class) };
        assert_eq!(verdict_of_unreported(HResult::E_FAIL, Some(class), None, NOTHING), unlogged(class));
        assert_eq!(
            verdict_of_unreported(HResult::E_FAIL, Some(class), late, NOTHING),
            unlogged(FailureClass::Transient)
        );
        assert_eq!(verdict_of_unprepared(HResult::E_FAIL, None, class), unlogged(class));
        assert_eq!(verdict_of_unprepared(HResult::E_FAIL, late, class), unlogged(FailureClass::Transient));
        assert_eq!(Verdict::reported(Outcome::Failed), unlogged(FailureClass::Transient));
    }

    #[test]
    fn a_reported_outcome_has_a_class_only_if_it_is_a_failure() {
        let classed: Vec<_> =
            Outcome::ALL.into_iter().filter(|outcome| Verdict::reported(*outcome).class.is_some()).collect();
        assert_eq!(classed, [Outcome::Failed]);
    }

    #[test]
    fn items_of_a_run_that_ends_with_s_ok_before_synchronize_are_skipped() {
        let verdict = verdict_of_unprepared(HResult::S_OK, None, FailureClass::Permanent);
        assert_eq!(verdict, Verdict::plain(Outcome::Skipped));
    }

    #[test]
    fn an_outcome_is_stored_under_its_name() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
            assert_eq!(serde_json::from_value::<Outcome>(outcome.name().into()).unwrap(), outcome);
            assert_eq!(outcome.to_string(), outcome.name().replace('_', " "));
        }
    }

    #[test]
    fn every_terminal_status_has_an_outcome_and_no_other_status_has() {
        assert!(Outcome::ALL.iter().all(|outcome| outcome.status().is_terminal()));
        let known = (0..=0x0100).filter_map(|code| Status::try_from(code).ok());
        for status in known {
            assert_eq!(Outcome::of_status(status).is_some(), status.is_terminal(), "{status:?}");
        }
        let plain = [Outcome::Succeeded, Outcome::Failed, Outcome::Skipped, Outcome::Stopped];
        assert_eq!(plain.map(|outcome| Outcome::of_status(outcome.status())), plain.map(Some));
        assert_eq!(Outcome::of_status(Outcome::NeedsUser.status()), Some(Outcome::Skipped));
        assert_eq!(Outcome::of_status(Status::Deleted), Some(Outcome::Succeeded));
    }
}
