//! Commands that fail.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use syncmgr::schedule::OverrideError;
use syncmgr::text::Escaped;
use syncmgr_console::ClientError;

/// The status with which a program that shuts down refuses requests.
const SHUTTING_DOWN: u16 = 503;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("there is no {text}; {advice}")]
    Unknown { text: String, advice: Cow<'static, str> },
    #[error("the name of the {kind} is empty; {advice}")]
    Unnamed { kind: &'static str, advice: Cow<'static, str> },
    #[error("no items of {handler} are known yet; `syncmgr run {handler}` lists them")]
    Unlisted { handler: String },
    #[error("{text} is not running; `syncmgr status` shows what runs")]
    NotRunning { text: String },
    #[error("the question has {choices} choices, and no number {number}; `syncmgr log` shows them")]
    NoSuchChoice { number: u32, choices: usize },
    #[error("the question of entry {text} has changed; `syncmgr log` shows what it asks now")]
    OtherRevision { text: String },
    #[error("entry {text} is ambiguous; write one of {entries}")]
    Ambiguous { text: String, entries: String },
    #[error(
        "the input has ended without an answer, so that nothing was answered; answer each question with a line, or leave out `--choose`"
    )]
    Unanswered,
    #[error("the program has ended; start it, and run this command again")]
    Ended,
    #[error("the page cannot be opened: {0}; use `syncmgr web --print`, and open the address in a browser")]
    Browser(io::Error),
    #[error("{} was not written by `syncmgr web`; move it away, or use `syncmgr web --print`", .0.display())]
    Foreign(PathBuf),
    #[cfg(feature = "manual")]
    #[error("{} cannot be written: {error}", Escaped(&path.to_string_lossy()))]
    Unwritable { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Invalid(#[from] OverrideError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    pub(crate) fn unknown(text: &str, advice: impl Into<Cow<'static, str>>) -> Self {
        Self::Unknown { text: Escaped(text).to_string(), advice: advice.into() }
    }

    /// Returns the failure of a stream, or of opening it again. A program that is killed breaks it.
    pub(crate) fn of_stream(error: ClientError) -> Self {
        Self::from(error).of_session()
    }

    /// Returns the failure of a command that waits for a session. A program that ends refuses its requests, and then breaks them.
    pub(crate) fn of_session(self) -> Self {
        match self {
            Self::Client(ClientError::Broken { .. } | ClientError::NotServed { .. }) => Self::Ended,
            Self::Client(ClientError::Refused { status: SHUTTING_DOWN, .. }) => Self::Ended,
            failure => failure,
        }
    }

    /// Returns the exit code for scripts.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Client(ClientError::NotServed { .. } | ClientError::Foreign { .. } | ClientError::Broken { .. })
            | Self::Ended => 3,
            Self::Client(ClientError::Refused { status: SHUTTING_DOWN, .. }) => 3,
            Self::Client(ClientError::Refused { .. }) | Self::Unknown { .. } => 4,
            Self::Unnamed { .. } | Self::Unlisted { .. } => 4,
            Self::NotRunning { .. }
            | Self::NoSuchChoice { .. }
            | Self::Ambiguous { .. }
            | Self::OtherRevision { .. } => 4,
            Self::Invalid(_) => 2,
            _ => 1,
        }
    }
}
