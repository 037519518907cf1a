//! What a run does, and how it ended.

use std::fmt;

use syncmgr_core::hresult::HResult;

/// What a run does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunChange {
    /// Its items are known; how many.
    Listed(usize),
    /// It prepares.
    Preparing,
    /// It synchronizes.
    Synchronizing,
    /// It has ended.
    Ended(RunEnding),
}

/// How a run ended.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// let facts = ManualFacts::new(Facts::UNKNOWN.with_network(Network::Offline));
/// let report = SyncManager::builder().facts(facts).build().run(Feed).await?; // it needs a network
/// match report.runs[0].ending {
///     Some(RunEnding::Held) => assert_eq!(report.runs[0].hold, Some(Hold::Offline)), // no failure
///     ending => panic!("{ending:?}"),
/// }
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnding {
    /// The handler declined to take part (R31).
    Declined,
    /// The handler could not begin: `initialize` or `items` failed (R33).
    NotBegun(RunFault),
    /// Nothing was chosen (R63), or the run was for settings only (R36).
    NothingToDo,
    /// It may not run now (offline, a metered link, backing off): not a failure. The report says why.
    Held,
    /// Everything was stopped before `synchronize`.
    Stopped,
    /// `prepare` failed (R90).
    NotPrepared(RunFault),
    /// `synchronize` failed (R102). Its items may have succeeded all the same.
    NotCompleted(RunFault),
    /// `synchronize` came to its end (R102). How its items ended is another matter.
    Completed,
}

/// Why a run did not come to its end. The log of the run says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunFault {
    /// Somebody would have to be asked, and nobody may be, or is there: `S_FALSE`.
    NeedsUser,
    /// The handler returned an error, or took too long: `E_FAIL`.
    Failed,
    /// The handler panicked, or did what the contract does not allow: `E_UNEXPECTED`.
    Unexpected,
    /// The handler completed with this code of its own, as one in the old style may.
    Code(HResult),
}

impl RunFault {
    /// The code, for hosts that speak the contract.
    pub fn code(self) -> HResult {
        match self {
            Self::NeedsUser => HResult::S_FALSE,
            Self::Failed => HResult::E_FAIL,
            Self::Unexpected => HResult::E_UNEXPECTED,
            Self::Code(code) => code,
        }
    }
}

impl From<HResult> for RunFault {
    fn from(code: HResult) -> Self {
        match code {
            HResult::S_FALSE => Self::NeedsUser,
            HResult::E_FAIL => Self::Failed,
            HResult::E_UNEXPECTED => Self::Unexpected,
            code => Self::Code(code),
        }
    }
}

impl fmt::Display for RunFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsUser => f.write_str("somebody has to be asked"),
            Self::Failed => f.write_str("failed"),
            Self::Unexpected => f.write_str("broke off unexpectedly"),
            Self::Code(code) => write!(f, "failed with the code {code}"),
        }
    }
}

impl RunEnding {
    /// How a run ended whose `synchronize` completed with this code.
    pub(crate) fn completed(code: HResult) -> Self {
        if code.is_ok() { Self::Completed } else { Self::NotCompleted(code.into()) }
    }
}
