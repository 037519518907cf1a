//! The log of a handler, and the actions of its entries.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use syncmgr::store::LogRecord;
use syncmgr::{ItemId, LogEntry};

use super::body::Body;
use super::error::ApiError;
use super::ids::{Entry, Handler};
use super::report::{self, millis};
use super::sessions::started;
use super::{Api, Json};

/// Lists the entries, the latest first.
pub(super) async fn list(State(api): State<Api>, Handler(handler): Handler) -> Result<impl IntoResponse, ApiError> {
    let (entries, names) = (api.manager.log(handler).await?, api.manager.item_names(handler).await?);
    let names: BTreeMap<_, _> = names.iter().map(|(item, name)| (*item, &**name)).collect();
    let entries: Vec<_> = entries.iter().rev().map(|record| describe(record, &names)).collect();
    Ok(Json(json!({ "log": entries })))
}

fn describe(record: &LogRecord, names: &BTreeMap<ItemId, &str>) -> Value {
    let entry: &LogEntry = &record.entry;
    let name = entry.item.and_then(|item| names.get(&item));
    json!({ "session": record.session.0, "time": millis(record.time), "name": name, "entry": entry })
}

/// Opens an entry: calls the handler. Answers once the handler has ended, with its report.
pub(super) async fn show(
    State(api): State<Api>,
    Handler(handler): Handler,
    Entry(entry): Entry,
) -> Result<impl IntoResponse, ApiError> {
    let report = api.manager.show_error(handler, entry).await?;
    Ok(Json(report::report(&report)))
}

/// The answer to a question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// The index of the choice.
    #[serde(deserialize_with = "crate::json::index")]
    choice: u32,
}

/// Answers the question of an entry. Its item runs again in a new session.
pub(super) async fn answer(
    State(api): State<Api>,
    Handler(handler): Handler,
    Entry(entry): Entry,
    Body(answer): Body<Answer>,
) -> Result<impl IntoResponse, ApiError> {
    let session = api.manager.answer(handler, entry, answer.choice as usize)?;
    Ok((StatusCode::ACCEPTED, started(&api, session)))
}
