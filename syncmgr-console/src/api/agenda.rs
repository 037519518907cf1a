//! What runs next.

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;
use syncmgr::schedule::AgendaEntry;

use super::{Api, Json, handlers};

/// Lists what the manager runs without a request, in the order of the starts.
pub(super) async fn agenda(State(api): State<Api>) -> impl IntoResponse {
    let (entries, names) = (api.manager.agenda(), handlers::names(&api));
    let describe = |entry: &AgendaEntry| json!({ "text": entry.to_string(), "handler_name": names.get(&entry.handler), "entry": entry });
    Json(json!({ "agenda": entries.iter().map(describe).collect::<Vec<_>>() }))
}
