//! The log of a handler, and the actions of its entries.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use syncmgr::log::{Action, ErrorId};
use syncmgr::session::LogAccessError;
use syncmgr::store::LogRecord;
use syncmgr::{HandlerId, ItemId, LogEntry, Session};

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

/// Answers a question, of this revision if there is one.
pub(crate) fn answered(
    api: &Api,
    (handler, entry): (HandlerId, ErrorId),
    revision: Option<u32>,
    choice: usize,
) -> Result<Session, LogAccessError> {
    match revision {
        Some(revision) => api.manager.answer_revision(handler, entry, revision, choice),
        None => api.manager.answer(handler, entry, choice),
    }
}

fn describe(record: &LogRecord, names: &BTreeMap<ItemId, &str>) -> Value {
    let entry: &LogEntry = &record.entry;
    let name = entry.item.and_then(|item| names.get(&item));
    let mut described =
        json!({ "session": record.session.0, "time": millis(record.time), "name": name, "entry": entry });
    if let Some(Action::Decide(question)) = &entry.action {
        described["revision"] = question.revision().into();
    }
    described
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
    /// The revision of the question that the user has read. Without it, the answer is to any revision.
    #[serde(default, deserialize_with = "crate::json::optional_index")]
    revision: Option<u32>,
}

/// Answers the question of an entry. Its item runs again in a new session.
pub(super) async fn answer(
    State(api): State<Api>,
    Handler(handler): Handler,
    Entry(entry): Entry,
    Body(answer): Body<Answer>,
) -> Result<impl IntoResponse, ApiError> {
    let session = answered(&api, (handler, entry), answer.revision, answer.choice as usize)?;
    Ok((StatusCode::ACCEPTED, started(&api, session)))
}
