//! The manager as a whole.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;
use syncmgr::explain::Held;

use super::{Api, Json, handlers};

/// Says which version of the API this is, which manager it serves, and whether that is paused.
pub(super) async fn about(State(api): State<Api>) -> impl IntoResponse {
    let (manager, paused) = (api.manager.id().to_string(), api.manager.is_paused());
    Json(json!({ "api": 1, "version": env!("CARGO_PKG_VERSION"), "manager": manager, "paused": paused }))
}

/// Pauses the manager: no new item begins in any session.
pub(super) async fn pause(State(api): State<Api>) -> StatusCode {
    api.manager.pause();
    StatusCode::NO_CONTENT
}

/// Resumes the manager.
pub(super) async fn resume(State(api): State<Api>) -> StatusCode {
    api.manager.resume();
    StatusCode::NO_CONTENT
}

/// Lists what waits, with its reasons.
pub(super) async fn held(State(api): State<Api>) -> impl IntoResponse {
    let (held, names) = (api.manager.held(), handlers::names(&api));
    let describe =
        |held: &Held| json!({ "text": held.hold.to_string(), "handler_name": names.get(&held.handler), "held": held });
    Json(json!({ "held": held.iter().map(describe).collect::<Vec<_>>() }))
}
