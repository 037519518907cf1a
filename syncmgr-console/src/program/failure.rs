//! Commands that fail.

use std::io;
use std::path::PathBuf;

use syncmgr::schedule::OverrideError;
use syncmgr_console::ClientError;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("there is no {text}; {advice}")]
    Unknown { text: String, advice: &'static str },
    #[error("{text} is not running; `syncmgr status` shows what runs")]
    NotRunning { text: String },
    #[error("the question has {choices} choices, and no number {number}; `syncmgr log` shows them")]
    NoSuchChoice { number: u32, choices: usize },
    #[error("the question of entry {text} has changed; `syncmgr log` shows what it asks now")]
    OtherRevision { text: String },
    #[error("entry {text} is ambiguous; write one of {entries}")]
    Ambiguous { text: String, entries: String },
    #[error("the program has ended; start it, and run this command again")]
    Ended,
    #[error("the page cannot be opened: {0}; use `syncmgr web --print`, and open the address in a browser")]
    Browser(io::Error),
    #[error("{} was not written by `syncmgr web`; move it away, or use `syncmgr web --print`", .0.display())]
    Foreign(PathBuf),
    #[error(transparent)]
    Invalid(#[from] OverrideError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    pub(crate) fn unknown(text: &str, advice: &'static str) -> Self {
        Self::Unknown { text: syncmgr::text::Escaped(text).to_string(), advice }
    }

    /// Returns the failure of a stream, or of opening it again. A program that is killed breaks it.
    pub(crate) fn of_stream(error: ClientError) -> Self {
        match error {
            ClientError::Broken { .. } | ClientError::NotServed { .. } => Self::Ended,
            error => error.into(),
        }
    }

    /// Returns the exit code for scripts.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Client(ClientError::NotServed { .. } | ClientError::Foreign { .. } | ClientError::Broken { .. })
            | Self::Ended => 3,
            Self::Client(ClientError::Refused { .. }) | Self::Unknown { .. } => 4,
            Self::NotRunning { .. }
            | Self::NoSuchChoice { .. }
            | Self::Ambiguous { .. }
            | Self::OtherRevision { .. } => 4,
            Self::Invalid(_) => 2,
            _ => 1,
        }
    }
}
