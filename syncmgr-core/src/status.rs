//! The status of an item: `SYNCMGRSTATUS`.

use serde::{Deserialize, Serialize};

use crate::hresult::UnknownCode;

/// The status of an item, reported by the handler or pushed by the manager.
///
/// Compare by equality: the values are ordinals, not bits, and [`Stopped`](Self::Stopped) is zero.
///
/// ```
/// # use syncmgr_core::status::Status;
/// assert!(Status::Skipped.is_terminal() && !Status::Paused.is_terminal());
/// assert_eq!(Status::try_from(0x0005), Ok(Status::Failed));
/// ```
///
/// See also: R127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Ended because the handler or the session was stopped: `SYNCMGRSTATUS_STOPPED`.
    Stopped = 0x0000,
    /// Ended because this item was skipped: `SYNCMGRSTATUS_SKIPPED`.
    Skipped = 0x0001,
    /// Waiting to run: `SYNCMGRSTATUS_PENDING`.
    Pending = 0x0002,
    /// Being synchronized: `SYNCMGRSTATUS_UPDATING`.
    Updating = 0x0003,
    /// Ended successfully: `SYNCMGRSTATUS_SUCCEEDED`.
    Succeeded = 0x0004,
    /// Ended with an error: `SYNCMGRSTATUS_FAILED`.
    Failed = 0x0005,
    /// Running, but paused: `SYNCMGRSTATUS_PAUSED`.
    Paused = 0x0006,
    /// Continuing after a pause: `SYNCMGRSTATUS_RESUMING`.
    Resuming = 0x0007,
    /// Being synchronized with an unknown total: `SYNCMGRSTATUS_UPDATING_INDETERMINATE`.
    UpdatingIndeterminate = 0x0008,
    /// Deleted: `SYNCMGRSTATUS_DELETED`. Handlers may report it; the manager never pushes it.
    Deleted = 0x0100,
}

impl Status {
    /// Returns the number of the status in the Windows header.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Returns `true` if an item with this status has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Stopped | Self::Skipped | Self::Succeeded | Self::Failed | Self::Deleted)
    }
}

impl TryFrom<u32> for Status {
    type Error = UnknownCode;

    fn try_from(value: u32) -> Result<Self, UnknownCode> {
        Ok(match value {
            0x0000 => Self::Stopped,
            0x0001 => Self::Skipped,
            0x0002 => Self::Pending,
            0x0003 => Self::Updating,
            0x0004 => Self::Succeeded,
            0x0005 => Self::Failed,
            0x0006 => Self::Paused,
            0x0007 => Self::Resuming,
            0x0008 => Self::UpdatingIndeterminate,
            0x0100 => Self::Deleted,
            _ => {
                return Err(UnknownCode { what: "status", value });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_defined_codes_convert_to_a_status() {
        let known: Vec<u32> = (0..=0x0200).filter(|&code| Status::try_from(code).is_ok()).collect();
        assert_eq!(known, [0, 1, 2, 3, 4, 5, 6, 7, 8, 0x100]);
        for code in known {
            assert_eq!(Status::try_from(code).map(Status::code), Ok(code));
        }
    }
}
