//! The errors of scripted failures.

use std::panic::resume_unwind;
use std::thread;

use syncmgr_core::error::{NeedsUser, SyncResult};

/// The error of most scripted failures.
#[derive(Debug, thiserror::Error)]
#[error("scripted failure")]
pub(crate) struct Scripted;

/// A cause of an error. Its destructor panics.
#[derive(Debug, thiserror::Error)]
#[error("scripted failure with a faulty destructor")]
pub(crate) struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        // A panic during a panic would abort the process. The panic hook, which prints, is not called.
        if !thread::panicking() {
            resume_unwind(Box::new("scripted panic of a destructor"));
        }
    }
}

impl PanicsOnDrop {
    /// Returns an error that asks for the user. Its item must fail all the same, because of its destructor.
    pub(crate) fn result() -> SyncResult {
        let result: SyncResult = Err(NeedsUser::new("scripted failure").into());
        result.map_err(|error| error.context(Self))
    }

    /// Returns `true` if the destructor of this result panics.
    pub(crate) fn is_in(result: &SyncResult) -> bool {
        result.as_ref().is_err_and(|error| error.is::<Self>())
    }
}
