//! A run described by plain data, so that it can be stored, sent, and started again elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize, Serializer, ser};

use crate::id::{HandlerId, ItemId, SessionId};
use crate::register::{RequestError, check_cookie};
use crate::text::{Escaped, MAX_COOKIE};
use crate::time::{LAST_MILLI, from_millis, to_millis};
use crate::trigger::{RunFlags, Trigger};

mod wire;

#[cfg(test)]
mod tests;

/// The most items a request may name.
pub const MAX_ITEMS: usize = 1_000_000;

/// A run described by plain, versioned data: what a queue, a file or another machine keeps of it.
///
/// Nothing is captured: the handler is found by its id, so whoever has the handler can do the run, and do it again.
///
/// With serde it is a map with the field names below and `version`, in any self-describing format. Ids are GUIDs as
/// text; the session, the attempt and the flag bits are numbers; the trigger is its name, as in `pending_disconnect`;
/// the deadline is a number of milliseconds since 1970. The cookie is hexadecimal text: it reads the same in every
/// format, has one alphabet where base64 has several, and takes little more than half of what a list of numbers takes
/// in JSON. What is `None` is left out.
///
/// Reading never guesses, because a misread request does the wrong work:
/// - another [`VERSION`](Self::VERSION) is refused, wherever in the map it stands and whatever stands beside it;
/// - so is a field, trigger or flag bit without a meaning in this version: ignoring it could run what its writer had
///   excluded. Whatever adds one raises the version;
/// - so is whatever [`check`](Self::check) refuses. Writing refuses that too: what was written can be read.
///
/// ```
/// # use syncmgr_core::{id::{HandlerId, ItemId}, request::RunRequest};
/// let asked = RunRequest::new(HandlerId::from_u128(7)).with_items([ItemId::from_name("Inbox")]);
/// let queued = serde_json::to_string(&asked)?; // into a queue, a file, to another machine
/// assert!(queued.contains(r#""version":1"#));
/// assert_eq!(serde_json::from_str::<RunRequest>(&queued)?, asked);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "wire::Envelope")]
#[non_exhaustive]
#[must_use = "a request starts nothing until it is handed to a manager"]
pub struct RunRequest {
    /// The handler to run.
    pub handler: HandlerId,
    /// The items to run; `None` runs what is preferred. An empty list is refused: a list that was filtered down to
    /// nothing does not mean everything.
    pub items: Option<BTreeSet<ItemId>>,
    /// What started it.
    pub trigger: Trigger,
    /// Under which conditions it runs (R28).
    pub flags: RunFlags,
    /// Bytes for the handler, handed on unchanged (R15) after [`Trigger::Invoke`] and never else (R16).
    pub cookie: Option<Arc<[u8]>>,
    /// Which attempt this is, from 1 upwards.
    pub attempt: u32,
    /// The session it is part of, as the manager that wrote the request numbers them.
    pub session: Option<SessionId>,
    /// The time of day after which nobody wants it any more. Written in whole milliseconds, rounded down.
    pub deadline: Option<SystemTime>,
}

impl RunRequest {
    /// The version of the format, the only one so far.
    pub const VERSION: u64 = 1;

    /// The first attempt at what is preferred of `handler`, asked for by hand.
    pub const fn new(handler: HandlerId) -> Self {
        let (trigger, flags) = (Trigger::Manual, RunFlags::empty());
        Self { handler, items: None, trigger, flags, cookie: None, attempt: 1, session: None, deadline: None }
    }

    /// With these items instead of what is preferred.
    pub fn with_items(self, items: impl IntoIterator<Item = ItemId>) -> Self {
        Self { items: Some(items.into_iter().collect()), ..self }
    }

    /// With this trigger.
    pub fn with_trigger(self, trigger: Trigger) -> Self {
        Self { trigger, ..self }
    }

    /// With these flags.
    pub fn with_flags(self, flags: RunFlags) -> Self {
        Self { flags, ..self }
    }

    /// With bytes for the handler; they reach it with [`Trigger::Invoke`] only (R16).
    pub fn with_cookie(self, cookie: impl Into<Arc<[u8]>>) -> Self {
        Self { cookie: Some(cookie.into()), ..self }
    }

    /// As this attempt; the first is 1.
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// As part of this session.
    pub fn with_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// With a time of day after which nobody wants it any more.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use syncmgr_core::{id::HandlerId, request::RunRequest};
    /// let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    /// let request = RunRequest::new(HandlerId::from_u128(7)).with_deadline(midnight);
    /// assert_eq!(serde_json::to_value(&request)?["deadline"], 86_400_000); // milliseconds since 1970
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn with_deadline(self, deadline: SystemTime) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Whether the request can be written, and read by others.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, request::{RunRequest, RunRequestError}};
    /// let nothing = RunRequest::new(HandlerId::from_u128(7)).with_items([]);
    /// assert_eq!(nothing.check(), Err(RunRequestError::NoItems)); // an empty list does not mean everything
    /// ```
    ///
    /// # Errors
    /// What is wrong with it, one thing at a time.
    pub fn check(&self) -> Result<(), RunRequestError> {
        if self.handler.is_nil() {
            return Err(RequestError::NilHandler.into());
        }
        let unknown = self.flags.bits() & !(RunFlags::SETTINGS | RunFlags::MAY_BOTHER_USER).bits();
        if unknown != 0 {
            return Err(RequestError::UnknownFlags { bits: unknown }.into());
        }
        check_cookie(self.cookie.as_deref())?;
        if self.attempt == 0 {
            return Err(RunRequestError::AttemptZero);
        }
        self.deadline.map_or(Ok(0), unix_millis)?;
        self.items.as_ref().map_or(Ok(()), check_items)
    }
}

impl Serialize for RunRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::Envelope::try_from(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

fn check_items(items: &BTreeSet<ItemId>) -> Result<(), RunRequestError> {
    match items.len() {
        0 => Err(RunRequestError::NoItems),
        count if count > MAX_ITEMS => Err(RunRequestError::TooManyItems { count }),
        _ if items.first().is_some_and(|first| first.is_nil()) => Err(RunRequestError::NilItem),
        _ => Ok(()),
    }
}

fn unix_millis(time: SystemTime) -> Result<u64, RunRequestError> {
    in_reach(u64::try_from(to_millis(time)).unwrap_or(u64::MAX))
}

fn from_unix_millis(millis: u64) -> Result<SystemTime, RunRequestError> {
    in_reach(millis).map(|millis| from_millis(millis.cast_signed()))
}

/// A deadline after the year 9999 is one in the wrong unit.
fn in_reach(millis: u64) -> Result<u64, RunRequestError> {
    if millis <= LAST_MILLI { Ok(millis) } else { Err(RunRequestError::DeadlineOutOfRange) }
}

/// A described run that was refused when it was written or read. Its writer's mistake, unless the version is newer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunRequestError {
    /// The request was written by a newer program.
    #[error(
        "the request has version {version}, this program reads version {}; update the program",
        RunRequest::VERSION
    )]
    NewerVersion {
        /// The version it has.
        version: u64,
    },
    /// There has never been such a version.
    #[error("the request has version {version}, which does not exist; write version {}", RunRequest::VERSION)]
    NoSuchVersion {
        /// The version it has.
        version: u64,
    },
    /// A field this version does not have.
    #[error("version {} of a request has no field `{}`; leave it out", RunRequest::VERSION, Escaped(.name))]
    UnknownField {
        /// The field's name.
        name: String,
    },
    /// A trigger this version does not have.
    #[error(
        "there is no trigger `{}`; write connect, pending_disconnect, manual, idle, invoke or scheduled",
        Escaped(.name)
    )]
    UnknownTrigger {
        /// The trigger's name.
        name: String,
    },
    /// The handler's id, the flags or the cookie are refused as in any other request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The cookie is not hexadecimal.
    #[error("the cookie is not hexadecimal; write two digits for each of at most {MAX_COOKIE} bytes")]
    CookieNotHexadecimal,
    /// A list of items with nothing in it.
    #[error("the request names no item; leave the items out to run what is preferred")]
    NoItems,
    /// More items than a request may name.
    #[error("the request names {count} items, more than {MAX_ITEMS}; split it, or leave the items out")]
    TooManyItems {
        /// How many it names.
        count: usize,
    },
    /// An item with the nil id, which no item has (R49).
    #[error("the request names the nil item; name items by the ids their handler lists")]
    NilItem,
    /// Attempts are numbered from 1.
    #[error("attempts are numbered from 1, and the request is attempt 0")]
    AttemptZero,
    /// The deadline is before 1970 or after 9999.
    #[error("the deadline is not between the years 1970 and 9999; write it in milliseconds since 1970")]
    DeadlineOutOfRange,
}
