//! The encoding of values in columns.

use std::error::Error;
use std::time::SystemTime;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as UnknownName, StrDeserializer};
use serde_json::Value;
use syncmgr_core::time::{from_millis, to_millis};

/// A time, as milliseconds since 1970, rounded down.
pub(super) struct Time(pub(super) SystemTime);

/// An enum, as the name of its variant.
pub(super) struct EnumName<T>(pub(super) T);

/// Any other value, as JSON.
pub(super) struct Json<T>(pub(super) T);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(to_millis(self.0).into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(from_millis(value.as_i64()?)))
    }
}

impl<T: Serialize> ToSql for EnumName<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0).map_err(unstorable)? {
            Value::String(word) => Ok(word.into()),
            value => Ok(value.to_string().into()),
        }
    }
}

impl<T: DeserializeOwned> FromSql for EnumName<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = StrDeserializer::<UnknownName>::new(value.as_str()?);
        T::deserialize(word).map(Self).map_err(FromSqlError::other)
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

fn unstorable(error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}
