//! The serialized form of a request.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use super::{RunRequest, RunRequestError, from_unix_millis, unix_millis};
use crate::id::{HandlerId, ItemId, SessionId};
use crate::schedule::Schedule;
use crate::text::{MAX_NAME, bounded};
use crate::trigger::{RunFlags, Trigger};

/// The version, and the body that it defines.
///
/// Two levels, because serde reads a flattened field after all others. A wrong version is refused before the body is
/// read, whatever the order of the fields.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope {
    #[serde(deserialize_with = "known_version")]
    version: u64,
    #[serde(flatten)]
    body: Body,
}

#[derive(Serialize, Deserialize)]
struct Body {
    handler: HandlerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<BTreeSet<ItemId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedules: Option<BTreeSet<Schedule>>,
    trigger: Cow<'static, str>,
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<u64>,
    /// The unknown fields, to be refused. serde does not support `deny_unknown_fields` together with `flatten`.
    #[serde(flatten, skip_serializing)]
    unknown: BTreeMap<String, IgnoredAny>,
}

fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        RunRequest::VERSION => Ok(RunRequest::VERSION),
        version if version > RunRequest::VERSION => Err(de::Error::custom(RunRequestError::NewerVersion { version })),
        version => Err(de::Error::custom(RunRequestError::NoSuchVersion { version })),
    }
}

impl TryFrom<&RunRequest> for Envelope {
    type Error = RunRequestError;

    fn try_from(request: &RunRequest) -> Result<Self, RunRequestError> {
        request.check()?;
        let body = Body {
            handler: request.handler,
            items: request.items.as_deref().cloned(),
            schedules: request.schedules.as_deref().cloned(),
            trigger: request.trigger.name().into(),
            flags: request.flags.bits(),
            cookie: request.cookie.as_deref().map(hexadecimal),
            attempt: request.attempt,
            session: request.session,
            deadline: request.deadline.map(unix_millis).transpose()?,
            unknown: BTreeMap::new(),
        };
        Ok(Self { version: RunRequest::VERSION, body })
    }
}

impl TryFrom<Envelope> for RunRequest {
    type Error = RunRequestError;

    fn try_from(Envelope { body, .. }: Envelope) -> Result<Self, RunRequestError> {
        if let Some(name) = body.unknown.keys().next() {
            return Err(RunRequestError::UnknownField { name: bounded(name, MAX_NAME).into_owned() });
        }
        let request = Self {
            handler: body.handler,
            items: body.items.map(Arc::new),
            schedules: body.schedules.map(Arc::new),
            trigger: trigger(&body.trigger)?,
            flags: RunFlags::from_bits_retain(body.flags),
            cookie: body.cookie.as_deref().map(bytes).transpose()?,
            attempt: body.attempt,
            session: body.session,
            deadline: body.deadline.map(from_unix_millis).transpose()?,
        };
        request.check().map(|()| request)
    }
}

fn trigger(named: &str) -> Result<Trigger, RunRequestError> {
    let known = (1..=6).map(Trigger::from_word).find(|trigger| trigger.name() == named);
    known.ok_or_else(|| RunRequestError::UnknownTrigger { name: bounded(named, MAX_NAME).into_owned() })
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    halves.map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

fn bytes(hexadecimal: &str) -> Result<Arc<[u8]>, RunRequestError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hexadecimal.as_bytes().chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect::<Option<Arc<[u8]>>>().ok_or(RunRequestError::CookieNotHexadecimal)
}
