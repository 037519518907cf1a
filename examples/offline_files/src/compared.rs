//! How much of the two sides was compared.

use std::fmt;

use serde::{Serialize, Serializer};

/// How much of the two sides was compared, and why everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "compared", content = "reason", rename_all = "snake_case")]
pub(crate) enum Compared {
    /// All of both.
    All(Reason),
    /// All of FROM, and of TO what had changed on either side since it was recorded.
    Changes,
}

/// Why everything was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `--full`
    Asked,
    /// `--no-state`
    NoState,
    /// It is the first time.
    NothingRecorded,
    AnotherFrom,
    AnotherTo,
    Unmarked,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "--full asks for it",
            Self::NoState => "no state is kept",
            Self::NothingRecorded => "nothing is recorded of it yet",
            Self::AnotherFrom => "FROM is not the directory it was",
            Self::AnotherTo => "TO is not the directory it was",
            Self::Unmarked => "a file system does not tell its directories from others of the same name",
        })
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn programs_are_told_the_extent_and_the_reason() {
        let told = |compared| serde_json::to_value(compared).unwrap();
        assert_eq!(told(Compared::Changes), json!({"compared": "changes"}));
        let reason = "TO is not the directory it was";
        assert_eq!(told(Compared::All(Reason::AnotherTo)), json!({"compared": "all", "reason": reason}));
    }
}
