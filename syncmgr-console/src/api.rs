//! The API: what a manager can say and do, as JSON over HTTP.
//!
//! Paths begin with the version, `/v1`. [`openapi.json`](https://spec.openapis.org/oas/v3.1.0) beside this file describes all of them.

mod agenda;
mod body;
mod changes;
mod control;
mod error;
mod events;
mod handlers;
mod history;
mod ids;
mod items;
mod log;
mod questions;
mod report;
mod sessions;
mod settings;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use syncmgr::SyncManager;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "web")]
pub(crate) use self::body::TIME as BODY_TIME;
pub(crate) use self::error::ApiError;
#[cfg(feature = "web")]
pub(crate) use self::log::answered;
use self::sessions::Kept;
#[cfg(feature = "web")]
pub(crate) use self::sessions::skip_item;
use crate::json::Json;
use crate::questions::Questions;

/// The maximum length of a body in bytes. A choice of 100,000 items fits.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) manager: SyncManager,
    pub(crate) questions: Questions,
    kept: Arc<Kept>,
    sessions: Arc<changes::Sessions>,
    /// The number of changes by clients.
    changes: watch::Sender<u64>,
    /// Ends the streams of events.
    stop: CancellationToken,
}

impl Api {
    /// Creates the state for a manager. Cancel `stop` to end the streams of events.
    pub(crate) fn new(manager: SyncManager, questions: Questions, stop: CancellationToken) -> Self {
        let (kept, sessions, changes) = (Arc::default(), Arc::default(), watch::Sender::new(0));
        Self { manager, questions, kept, sessions, changes, stop }
    }
}

/// Creates the routes of the API on the control socket. Only they tell the address of the page, which contains its token.
pub(crate) fn router(api: Api, page: Option<Arc<str>>) -> Router {
    let routes = routes(&api).merge(of_socket(page));
    let others = Router::new().fallback(async || ApiError::no_such_path());
    nested(others.method_not_allowed_fallback(async || ApiError::wrong_method()), routes, api)
}

/// Adds the routes of the API to those of the page.
#[cfg(feature = "web")]
pub(crate) fn with(router: Router<Api>, api: Api) -> Router {
    let routes = routes(&api);
    nested(router, routes, api)
}

fn nested(router: Router<Api>, routes: Router<Api>, api: Api) -> Router {
    router
        .nest("/v1", routes)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), finish))
        .with_state(api)
}

/// Waits until what a request has changed is stored, so that nothing that was confirmed is lost if the process is killed. Then tells the
/// other clients. An error says names.
async fn finish(State(api): State<Api>, request: Request, next: Next) -> Result<Response, ApiError> {
    let reads = request.method().is_safe();
    let response = next.run(request).await;
    let status = response.status();
    if !reads && !status.is_client_error() && !status.is_server_error() {
        let stored = api.manager.flush().await;
        api.changes.send_modify(|changes| *changes += 1);
        stored.map_err(ApiError::not_stored)?;
    }
    match response.extensions().get::<ApiError>().filter(|error| error.contains_id()) {
        Some(error) => Err(error.clone().with_names(&api).await),
        None => Ok(response),
    }
}

fn routes(api: &Api) -> Router<Api> {
    Router::new()
        .route("/", get(control::about))
        .route("/openapi.json", get(openapi))
        .route("/pause", post(control::pause))
        .route("/resume", post(control::resume))
        .route("/held", get(control::held))
        .route("/agenda", get(agenda::agenda))
        .route("/history", get(history::history))
        .route("/changes", get(changes::changes))
        .route("/events", get(events::all))
        .route("/questions", get(questions::list))
        .route("/questions/{question}", post(questions::answer))
        .route("/handlers", get(handlers::list))
        .route("/handlers/{handler}", get(handlers::show).delete(handlers::forget))
        .merge(of_handler())
        .merge(of_session(api))
        .fallback(async || ApiError::no_such_path())
        .method_not_allowed_fallback(async || ApiError::wrong_method())
}

fn of_socket(page: Option<Arc<str>>) -> Router<Api> {
    Router::new().route("/page", get(move || web::address(page.clone())))
}

fn of_handler() -> Router<Api> {
    Router::new()
        .route("/handlers/{handler}/items", get(items::list))
        .route("/handlers/{handler}/names", get(items::names))
        .route("/handlers/{handler}/items/{item}", get(items::show).delete(items::forget))
        .route("/handlers/{handler}/settings", get(settings::show))
        .route("/handlers/{handler}/settings/{setting}", post(settings::set).delete(settings::reset))
        .route("/handlers/{handler}/items/{item}/settings", get(settings::show))
        .route("/handlers/{handler}/items/{item}/settings/{setting}", post(settings::set).delete(settings::reset))
        .route("/handlers/{handler}/properties", post(settings::properties))
        .route("/handlers/{handler}/items/{item}/properties", post(settings::properties))
        .route("/handlers/{handler}/choice", post(items::choose))
        .route("/handlers/{handler}/disable", post(handlers::disable))
        .route("/handlers/{handler}/enable", post(handlers::enable))
        .route("/handlers/{handler}/log", get(log::list))
        .route("/handlers/{handler}/log/{entry}/show", post(log::show))
        .route("/handlers/{handler}/log/{entry}/answer", post(log::answer))
}

fn of_session(api: &Api) -> Router<Api> {
    let keep_open = from_fn_with_state(api.clone(), sessions::keep_open);
    Router::new()
        .route("/sessions", get(sessions::list).post(sessions::start))
        .route("/sessions/{session}", get(sessions::show))
        .route("/sessions/{session}/events", get(events::of_session).layer(keep_open))
        .route("/sessions/{session}/stop", post(sessions::stop))
        .route("/sessions/{session}/pause", post(sessions::pause))
        .route("/sessions/{session}/resume", post(sessions::resume))
        .route("/sessions/{session}/handlers/{handler}/stop", post(sessions::stop_handler))
        .route("/sessions/{session}/handlers/{handler}/items/{item}/skip", post(sessions::skip))
}

async fn openapi() -> impl axum::response::IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}
