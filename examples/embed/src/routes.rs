//! The routes: the program's own pages, and the sync API under `/sync`.

use std::convert::Infallible;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use futures::{Stream, StreamExt};
use serde_json::json;

use crate::api_error::ApiError;
use crate::app::App;
use crate::json::Json;
use crate::path::{ItemPath, SessionPath};
use crate::request::{MAX_BODY_BYTES, SessionBody};
use crate::{events, guard, report};

/// Creates the router. The guard checks the host and origin of every request first.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(async || Html(include_str!("index.html"))))
        .route("/health", get(async || Json(json!({ "healthy": true }))))
        .route("/notes", get(async || Html(include_str!("notes.html"))))
        .nest("/sync", sync(&app))
        .fallback(async || ApiError::no_such_path())
        .method_not_allowed_fallback(async || ApiError::wrong_method())
        .layer(from_fn_with_state(app.clone(), guard::check_host_and_origin))
        .with_state(app)
}

/// Creates the routes of the sync API. All of them require the token, including the fallbacks.
fn sync(app: &App) -> Router<App> {
    Router::new()
        .route("/agenda", get(agenda))
        .route("/sessions", get(list).post(start))
        .route("/sessions/{session}", get(show))
        .route("/sessions/{session}/events", get(watch))
        .route("/sessions/{session}/stop", post(stop))
        .route("/sessions/{session}/items/{handler}/{item}/skip", post(skip))
        .fallback(async || ApiError::no_such_path())
        .method_not_allowed_fallback(async || ApiError::wrong_method())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::require_token))
}

async fn start(State(app): State<App>, body: SessionBody) -> Result<impl IntoResponse, ApiError> {
    let session = app.sessions.start(body.into_request(&app.manager)?)?;
    let path = format!("/sync/sessions/{}", session.id());
    let body = json!({ "session": session.id().0, "report": path, "events": format!("{path}/events") });
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, path)], Json(body)))
}

/// Lists what the manager runs next without a request.
async fn agenda(State(app): State<App>) -> impl IntoResponse {
    let entries: Vec<_> =
        app.manager.agenda().into_iter().map(|entry| json!({ "text": entry.to_string(), "entry": entry })).collect();
    Json(json!({ "agenda": entries }))
}

/// Lists the stored sessions, the latest first.
async fn list(State(app): State<App>) -> impl IntoResponse {
    let sessions: Vec<_> = app.sessions.all().iter().rev().map(report::summary).collect();
    Json(json!({ "sessions": sessions }))
}

async fn show(SessionPath(session): SessionPath) -> impl IntoResponse {
    Json(report::to_json(&session))
}

/// Streams all events of the session from its start. The stream ends once the session is closed, shortly after it becomes idle.
async fn watch(SessionPath(session): SessionPath) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = session.events().map(|event| Ok(events::to_sse(&event)));
    // Keep-alive comments detect clients that have disconnected.
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Requests a stop. The items end within their grace period, and the event stream shows their outcomes.
async fn stop(SessionPath(session): SessionPath) -> StatusCode {
    session.stop();
    StatusCode::ACCEPTED
}

/// Requests a skip. The event stream shows the outcome.
async fn skip(SessionPath(session): SessionPath, ItemPath(handler, item): ItemPath) -> Result<StatusCode, ApiError> {
    session.skip(handler, item)?;
    Ok(StatusCode::ACCEPTED)
}
