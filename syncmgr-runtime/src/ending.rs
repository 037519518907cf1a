//! What a run does, and how it ended.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnding {
    /// The handler declined to take part (R31).
    Declined,
    /// The handler could not begin: `initialize` or `items` ended with this code (R33).
    NotBegun(HResult),
    /// Nothing was chosen (R63), or the run was for settings only (R36).
    NothingToDo,
    /// It may not run now (offline, a metered link, backing off): not a failure. The report says why.
    Held,
    /// Everything was stopped before `synchronize`.
    Stopped,
    /// `prepare` did not end with `S_OK` (R90).
    NotPrepared(HResult),
    /// `synchronize` ended with this code (R102).
    Completed(HResult),
}
