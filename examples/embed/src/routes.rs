//! What is where: the program's own pages, and the manager's under `/sync`.

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

use crate::app::App;
use crate::json::Json;
use crate::path::{Named, NamedItem};
use crate::refusal::Refusal;
use crate::request::{MOST_BYTES, Wanted};
use crate::{events, guard, report};

/// All of it, each request looked at before it is answered.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "healthy": true }))))
        .route("/notes", get(async || Html(include_str!("notes.html"))))
        .nest("/sync", sync(&app))
        .fallback(async || Refusal::no_such_path())
        .method_not_allowed_fallback(async || Refusal::wrong_method())
        .layer(from_fn_with_state(app.clone(), guard::meant_for_us))
        .with_state(app)
}

/// The manager's part. The guard stands before its fallbacks too.
fn sync(app: &App) -> Router<App> {
    Router::new()
        .route("/sessions", post(start))
        .route("/sessions/{session}", get(show))
        .route("/sessions/{session}/events", get(watch))
        .route("/sessions/{session}/stop", post(stop))
        .route("/sessions/{session}/items/{handler}/{item}/skip", post(skip))
        .fallback(async || Refusal::no_such_path())
        .method_not_allowed_fallback(async || Refusal::wrong_method())
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::bears_token))
}

async fn start(State(app): State<App>, wanted: Wanted) -> Result<impl IntoResponse, Refusal> {
    let session = app.sessions.start(wanted.of(&app.manager)?)?;
    let path = format!("/sync/sessions/{}", session.id());
    let body = json!({ "session": session.id().0, "report": path, "events": format!("{path}/events") });
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, path)], Json(body)))
}

async fn show(Named(session): Named) -> impl IntoResponse {
    Json(report::of(&session))
}

/// Every event from the session's beginning on, until it is closed, which is soon after it rests.
async fn watch(Named(session): Named) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = session.events().map(|event| Ok(events::sent(&event)));
    // Comments in between find out whether somebody is still there.
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Told, not done: the items end within their grace, and the event stream says when.
async fn stop(Named(session): Named) -> StatusCode {
    session.stop();
    StatusCode::ACCEPTED
}

/// Told, not done, like [`stop`].
async fn skip(Named(session): Named, NamedItem(handler, item): NamedItem) -> Result<StatusCode, Refusal> {
    session.skip(handler, item)?;
    Ok(StatusCode::ACCEPTED)
}
