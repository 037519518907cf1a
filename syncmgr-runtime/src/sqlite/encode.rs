//! How values are written into columns.

use std::error::Error;
use std::time::{Duration, SystemTime};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::log::LogLevel;
use syncmgr_core::retry::Setback;
use syncmgr_core::store::Course;
use syncmgr_core::trigger::Trigger;
use uuid::Uuid;

/// A GUID, as its 16 bytes.
pub(super) struct Guid(pub(super) Uuid);

/// A time, as milliseconds since 1970, rounded down.
pub(super) struct Time(pub(super) SystemTime);

/// A number that is never negative.
pub(super) struct Count(pub(super) u64);

/// Something that has a name, as its name.
pub(super) struct Word<T>(pub(super) T);

/// Anything else, as JSON.
pub(super) struct Json<T>(pub(super) T);

impl ToSql for Guid {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Guid {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(FromSqlError::other)
    }
}

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(millis(self.0).into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = value.as_i64()?;
        time(millis).map(Self).ok_or(FromSqlError::OutOfRange(millis))
    }
}

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        i64::try_from(self.0).map(Into::into).map_err(unstorable)
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

impl<T: Named> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.word().into())
    }
}

impl<T: Named> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        T::of_word(word).map(Self).ok_or_else(|| FromSqlError::other(UnknownWord { what: T::WHAT, word: word.into() }))
    }
}

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0).map(Into::into).map_err(unstorable)
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// What has a name in the store.
pub(super) trait Named: Copy {
    /// What it is.
    const WHAT: &'static str;

    fn word(self) -> &'static str;

    fn of_word(word: &str) -> Option<Self>;
}

macro_rules! named {
    ($($name:ident: $what:literal),*) => {$(
        impl Named for $name {
            const WHAT: &'static str = $what;

            fn word(self) -> &'static str {
                self.name()
            }

            fn of_word(word: &str) -> Option<Self> {
                Self::from_name(word)
            }
        }
    )*};
}

named!(Outcome: "outcome", Setback: "setback", Course: "course of a session");

impl Named for Trigger {
    const WHAT: &'static str = "trigger";

    fn word(self) -> &'static str {
        self.name()
    }

    fn of_word(word: &str) -> Option<Self> {
        (1..=6).map(Self::from_word).find(|trigger| trigger.name() == word)
    }
}

impl Named for LogLevel {
    const WHAT: &'static str = "log level";

    fn word(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Information, Self::Warning, Self::Error].into_iter().find(|level| level.word() == word)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{word}` is no {what}")]
struct UnknownWord {
    what: &'static str,
    word: String,
}

fn unstorable(error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// Milliseconds since 1970, rounded down.
fn millis(time: SystemTime) -> i64 {
    let whole = |millis: u128| i64::try_from(millis).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after.as_millis()),
        Err(before) => -whole(before.duration().as_nanos().div_ceil(1_000_000)),
    }
}

fn time(millis: i64) -> Option<SystemTime> {
    let away = Duration::from_millis(millis.unsigned_abs());
    match millis < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(away),
        false => SystemTime::UNIX_EPOCH.checked_add(away),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_down_before_and_after_1970() {
        let (epoch, half) = (SystemTime::UNIX_EPOCH, Duration::from_micros(1_500));
        assert_eq!((millis(epoch + half), millis(epoch - half)), (1, -2));
        for millis_ in [-2, -1, 0, 1, 1_800_000_000_123] {
            assert_eq!(time(millis_).map(millis), Some(millis_));
        }
    }

    #[test]
    fn every_word_is_read_back() {
        fn back<T: Named + PartialEq>(all: impl IntoIterator<Item = T>) -> bool {
            all.into_iter().all(|value| T::of_word(value.word()) == Some(value))
        }
        assert!(back(Outcome::ALL) && back(Setback::ALL));
        assert!(back((1..=6).map(Trigger::from_word)));
        assert!(back([LogLevel::Information, LogLevel::Warning, LogLevel::Error]));
    }
}
