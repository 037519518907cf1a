//! Earlier sessions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::extract::{Query, State};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use syncmgr::store::SessionRecord;
use syncmgr::{HandlerId, SessionId};

use super::error::ApiError;
use super::report::millis;
use super::{Api, Json, handlers};

/// The number of sessions on a page, if the request names none.
const PAGE: usize = 50;

/// The maximum number of sessions on a page.
const MAX_PAGE: usize = 1_000;

/// A page of the history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The session before which the page ends.
    before: Option<u64>,
    limit: Option<usize>,
}

/// Lists the last sessions, or those before a session, the latest first.
pub(super) async fn history(
    State(api): State<Api>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Query(page) = page.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE);
    if limit > MAX_PAGE {
        return Err(ApiError::bad_request(format!("a page has at most {MAX_PAGE} sessions")));
    }
    let sessions = api.manager.history_page(page.before.map(SessionId), limit).await?;
    let mut names = handlers::names(&api);
    // Those of handlers that are not registered any more.
    for run in sessions.iter().flat_map(|session| &session.runs) {
        if let Entry::Vacant(unknown) = names.entry(run.handler) {
            unknown.insert(handlers::name(&api, run.handler)?);
        }
    }
    let sessions: Vec<_> = sessions.iter().rev().map(|record| session(record, &names)).collect();
    Ok(Json(json!({ "sessions": sessions })))
}

fn session(record: &SessionRecord, names: &BTreeMap<HandlerId, String>) -> Value {
    let end = record.end.as_ref().map(|end| {
        let outcomes = end.outcomes.iter().map(|(outcome, items)| (outcome.to_string(), json!(items)));
        let outcomes: serde_json::Map<_, _> = outcomes.collect();
        json!({ "time": millis(end.time), "outcome": end.outcome.to_string(), "items": outcomes })
    });
    let handlers: Vec<_> = record.runs.iter().map(|run| run.handler.to_string()).collect();
    json!({
        "session": record.session.0,
        "manager": record.manager.to_string(),
        "trigger": record.trigger,
        "began": millis(record.began),
        "end": end,
        "handlers": handlers,
        "handler_names": record.runs.iter().map(|run| names.get(&run.handler)).collect::<Vec<_>>(),
    })
}
