//! The states and endings of a run.

use std::fmt;

use serde::{Deserialize, Serialize};
use syncmgr_core::hresult::HResult;

/// A change of a run's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunChange {
    /// The handler has listed this many items.
    Listed(usize),
    /// This many of the listed items will run. Items that are left out have ended before.
    Selected(usize),
    /// The handler prepares.
    Preparing,
    /// The handler synchronizes.
    Synchronizing,
    /// The run has ended.
    Ended(RunEnding),
}

/// The end of a run.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline));
/// let report = SyncManager::builder().environment(environment).build().run(Feed).await?; // it needs a network
/// match report.runs[0].ending {
///     Some(RunEnding::Held) => assert_eq!(report.runs[0].hold, Some(Hold::Offline)), // no failure
///     ending => panic!("{ending:?}"),
/// }
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnding {
    /// The handler declined to take part.
    Declined,
    /// The handler could not begin: `initialize` or `items` failed.
    NotBegun(RunFault),
    /// No item was chosen, or the run was for settings only.
    NothingToDo,
    /// The handler may not run now (offline, a metered link, backing off), which is not a failure. The report has the reason.
    Held,
    /// The run was stopped before `synchronize`.
    Stopped,
    /// `prepare` failed.
    NotPrepared(RunFault),
    /// `synchronize` failed. Its items may have succeeded.
    NotCompleted(RunFault),
    /// `synchronize` completed. Its items may have failed.
    Completed,
}

/// The reason a run did not complete. The run's log has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunFault {
    /// The user has to be asked, but is absent or may not be bothered: `S_FALSE`.
    NeedsUser,
    /// The handler returned an error, or took too long: `E_FAIL`.
    Failed,
    /// The handler panicked or violated the contract: `E_UNEXPECTED`.
    Unexpected,
    /// The handler completed with another code, as a classic handler may. `{}` formats it without the code.
    Code(HResult),
}

impl RunFault {
    /// Returns the code, for hosts that use the Windows contract.
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
            Self::NeedsUser => f.write_str("the user has to be asked"),
            Self::Failed => f.write_str("failed"),
            Self::Unexpected => f.write_str("ended unexpectedly"),
            Self::Code(_) => f.write_str("failed"),
        }
    }
}

impl RunEnding {
    /// Returns the ending of a run whose `synchronize` completed with this code.
    pub(crate) fn completed(code: HResult) -> Self {
        if code.is_ok() { Self::Completed } else { Self::NotCompleted(code.into()) }
    }
}
