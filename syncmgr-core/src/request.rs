//! Run requests: plain data that can be stored, sent, and run in another process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize, Serializer, ser};

use crate::id::{HandlerId, ItemId, SessionId};
use crate::register::{RequestError, check_cookie};
use crate::schedule::Schedule;
use crate::text::{Escaped, MAX_COOKIE};
use crate::time::{LAST_MILLI, from_millis, to_millis};
use crate::trigger::{RunFlags, Trigger};

mod wire;

#[cfg(test)]
mod tests;

/// The maximum number of items in a request.
pub const MAX_ITEMS: usize = 1_000_000;

/// A run request as plain, versioned data, for a queue, a file or another machine.
///
/// A request captures no state. It names its handler by id, so any process with that handler can run it, more than
/// once.
///
/// With serde it is a map with the field names below and `version`, in any self-describing format. Ids are GUIDs as
/// text. Session, attempt and flag bits are numbers. The trigger is its name, for example `pending_disconnect`. The
/// deadline is a number of milliseconds since 1970. The cookie is hexadecimal text, which reads the same in every
/// format and takes little more than half the size of a list of numbers in JSON. `None` is left out.
///
/// Reading never guesses, because a misread request does the wrong work. A reader refuses:
/// - any version other than [`VERSION`](Self::VERSION), before it checks any other field;
/// - fields, triggers and flag bits that this version does not define, since ignoring them could run excluded work.
///   A new field, trigger or flag bit therefore needs a new version;
/// - everything that [`check`](Self::check) refuses. Writing refuses it too, so every written request can be read.
///
/// ```
/// # use syncmgr_core::{id::{HandlerId, ItemId}, request::RunRequest};
/// let request = RunRequest::new(HandlerId::from_u128(7)).with_items([ItemId::from_name("Inbox")]);
/// let queued = serde_json::to_string(&request)?; // store it in a queue or send it
/// assert!(queued.contains(r#""version":1"#));
/// assert_eq!(serde_json::from_str::<RunRequest>(&queued)?, request);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "wire::Envelope")]
#[non_exhaustive]
#[must_use = "a request starts nothing until it is passed to a manager"]
pub struct RunRequest {
    /// The handler to run.
    pub handler: HandlerId,
    /// The items to run; `None` for the preferred items. An empty list is refused: it may come from a filter
    /// without matches, which does not mean all items.
    pub items: Option<Arc<BTreeSet<ItemId>>>,
    /// The schedules that have fired: of the preferred items, only those with one of these schedules run. `None` for all of
    /// them. An empty list is refused, and so are schedules together with items.
    pub schedules: Option<Arc<BTreeSet<Schedule>>>,
    /// The trigger.
    pub trigger: Trigger,
    /// The modifier flags of the run.
    pub flags: RunFlags,
    /// Bytes that the handler receives unchanged with [`Trigger::Invoke`], and never with another trigger.
    pub cookie: Option<Arc<[u8]>>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The session of the run, as numbered by the manager that wrote the request.
    pub session: Option<SessionId>,
    /// The time after which the request expires. Written in whole milliseconds, rounded down.
    pub deadline: Option<SystemTime>,
}

impl RunRequest {
    /// The version of the format.
    pub const VERSION: u64 = 1;

    /// Creates a manual request: the first attempt at the preferred items of `handler`.
    pub const fn new(handler: HandlerId) -> Self {
        let (trigger, flags) = (Trigger::Manual, RunFlags::empty());
        Self {
            handler,
            items: None,
            schedules: None,
            trigger,
            flags,
            cookie: None,
            attempt: 1,
            session: None,
            deadline: None,
        }
    }

    /// Sets the items.
    pub fn with_items(self, items: impl IntoIterator<Item = ItemId>) -> Self {
        Self { items: Some(Arc::new(items.into_iter().collect())), ..self }
    }

    /// Sets the schedules that have fired.
    pub fn with_schedules(self, schedules: impl IntoIterator<Item = Schedule>) -> Self {
        Self { schedules: Some(Arc::new(schedules.into_iter().collect())), ..self }
    }

    /// Sets the trigger.
    pub fn with_trigger(self, trigger: Trigger) -> Self {
        Self { trigger, ..self }
    }

    /// Sets the flags.
    pub fn with_flags(self, flags: RunFlags) -> Self {
        Self { flags, ..self }
    }

    /// Sets the cookie, which reaches the handler only with [`Trigger::Invoke`].
    pub fn with_cookie(self, cookie: impl Into<Arc<[u8]>>) -> Self {
        Self { cookie: Some(cookie.into()), ..self }
    }

    /// Sets the number of the attempt; the first is 1.
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// Sets the session.
    pub fn with_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Sets the time after which the request expires.
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

    /// Checks that the request can be written and read.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, request::{RunRequest, RunRequestError}};
    /// let empty = RunRequest::new(HandlerId::from_u128(7)).with_items([]);
    /// assert_eq!(empty.check(), Err(RunRequestError::NoItems)); // an empty list does not mean everything
    /// ```
    ///
    /// # Errors
    /// The first mistake in the request.
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
        if self.schedules.as_ref().is_some_and(|schedules| schedules.is_empty() || self.items.is_some()) {
            return Err(RunRequestError::NoSchedules);
        }
        self.items.as_deref().map_or(Ok(()), check_items)
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
    in_range(u64::try_from(to_millis(time)).unwrap_or(u64::MAX))
}

fn from_unix_millis(millis: u64) -> Result<SystemTime, RunRequestError> {
    in_range(millis).map(|millis| from_millis(millis.cast_signed()))
}

/// Refuses a deadline after the year 9999, which is certainly in the wrong unit.
fn in_range(millis: u64) -> Result<u64, RunRequestError> {
    if millis <= LAST_MILLI { Ok(millis) } else { Err(RunRequestError::DeadlineOutOfRange) }
}

/// A refused run request, on reading or writing. This is a bug in its writer unless the version is newer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunRequestError {
    /// The request was written by a newer program.
    #[error(
        "the request has version {version}, this program reads version {}; update the program",
        RunRequest::VERSION
    )]
    NewerVersion {
        /// The version of the request.
        version: u64,
    },
    /// The version does not exist.
    #[error("the request has version {version}, which does not exist; write version {}", RunRequest::VERSION)]
    NoSuchVersion {
        /// The version of the request.
        version: u64,
    },
    /// The schedules are an empty list, or there are items too.
    #[error("a request has either items or at least one schedule; leave one of the fields out")]
    NoSchedules,
    /// The version does not define a field.
    #[error("version {} of a request has no field `{}`; leave it out", RunRequest::VERSION, Escaped(.name))]
    UnknownField {
        /// The name of the field.
        name: String,
    },
    /// The version does not define a trigger.
    #[error(
        "there is no trigger `{}`; write connect, pending_disconnect, manual, idle, invoke or scheduled",
        Escaped(.name)
    )]
    UnknownTrigger {
        /// The name of the trigger.
        name: String,
    },
    /// The handler id, the flags or the cookie are invalid.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The cookie is not hexadecimal.
    #[error("the cookie is not hexadecimal; write two digits for each of at most {MAX_COOKIE} bytes")]
    CookieNotHexadecimal,
    /// The list of items is empty.
    #[error("the request names no item; leave the items out to run the preferred items")]
    NoItems,
    /// The request names more than [`MAX_ITEMS`] items.
    #[error("the request names {count} items, more than {MAX_ITEMS}; split it, or leave the items out")]
    TooManyItems {
        /// The number of items.
        count: usize,
    },
    /// The request names the nil item.
    #[error("the request names the nil item; name items by the ids their handler lists")]
    NilItem,
    /// The attempt is 0; attempts are numbered from 1.
    #[error("attempts are numbered from 1, and the request is attempt 0")]
    AttemptZero,
    /// The deadline is before 1970 or after 9999.
    #[error("the deadline is not between the years 1970 and 9999; write it in milliseconds since 1970")]
    DeadlineOutOfRange,
}
