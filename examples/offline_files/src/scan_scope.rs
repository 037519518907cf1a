//! The scope of a scan.

use std::fmt;

use serde::{Serialize, Serializer};

/// The entries that a scan compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "compared", content = "reason", rename_all = "snake_case")]
pub(crate) enum ScanScope {
    /// All entries on both sides.
    All(FullScanReason),
    /// The directories that changed on either side since they were recorded.
    Changes,
}

/// The reason for a full scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FullScanReason {
    /// `--full` was given.
    Requested,
    /// `--checksum` was given.
    Checksum,
    /// `--no-state` was given.
    NoState,
    /// There is no record of an earlier run.
    NoRecord,
    /// FROM is a different directory than in the recorded run.
    FromReplaced,
    /// TO is a different directory than in the recorded run.
    ToReplaced,
    /// The file system stores no creation time, so a directory cannot be identified.
    NoIdentity,
}

impl fmt::Display for FullScanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "--full was given",
            Self::Checksum => "--checksum was given",
            Self::NoState => "no state is stored",
            Self::NoRecord => "there is no record of an earlier run",
            Self::FromReplaced => "FROM is a different directory than before",
            Self::ToReplaced => "TO is a different directory than before",
            Self::NoIdentity => "the file system does not identify its directories",
        })
    }
}

impl Serialize for FullScanReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_has_the_scope_and_the_reason() {
        let json = |scope| serde_json::to_value(scope).unwrap();
        assert_eq!(json(ScanScope::Changes), json!({"compared": "changes"}));
        let reason = "TO is a different directory than before";
        assert_eq!(json(ScanScope::All(FullScanReason::ToReplaced)), json!({"compared": "all", "reason": reason}));
    }
}
