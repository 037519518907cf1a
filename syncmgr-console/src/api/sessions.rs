//! Sessions: starting, watching and steering them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use axum::body::Body as AxumBody;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use syncmgr::item::ItemState;
use syncmgr::{HandlerId, ItemId, Session, SessionEvent, SessionId, SessionRequest, Trigger};

use super::body::Body;
use super::error::ApiError;
use super::ids::{Handler, Item, Open};
use super::{Api, Json, report};

/// The number of sessions whose results stay open after their end.
const KEPT: usize = 32;

/// The sessions that clients have started: those that run, and the last ones that have ended. The results of a session close with its
/// last handle.
#[derive(Default)]
pub(super) struct Kept(Mutex<Sessions>);

#[derive(Default)]
struct Sessions {
    running: Vec<Session>,
    ended: VecDeque<Session>,
}

impl Kept {
    fn add(&self, session: Session) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let dropped = kept.add(session);
        drop(kept);
        drop(dropped);
    }
}

impl Sessions {
    /// Adds a session. Returns those that ended too long ago to be kept.
    fn add(&mut self, session: Session) -> Vec<Session> {
        self.running.push(session);
        self.ended.extend(self.running.extract_if(.., |session| session.is_idle()));
        let surplus = self.ended.len().saturating_sub(KEPT);
        self.ended.drain(..surplus).collect()
    }
}

impl Api {
    /// Keeps the results of a session open for a while.
    pub(crate) fn keep(&self, session: Session) {
        self.kept.add(session);
    }

    /// Returns `true` once the program shuts its manager down.
    pub(super) fn is_ending(&self) -> bool {
        // The stream ends then.
        self.manager.agenda_changes().next().now_or_never() == Some(false)
    }

    /// Returns an open session.
    pub(crate) fn session(&self, id: SessionId) -> Option<Session> {
        self.manager.sessions().into_iter().find(|session| session.id() == id)
    }
}

/// Lists the open sessions, the latest first.
pub(super) async fn list(State(api): State<Api>) -> impl IntoResponse {
    let mut sessions = api.manager.sessions();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.id()));
    Json(json!({ "sessions": sessions.iter().map(report::summary).collect::<Vec<_>>() }))
}

/// Shows a session with its progress or its report.
pub(super) async fn show(Open(session): Open) -> impl IntoResponse {
    Json(report::session(&session))
}

/// Keeps a session open while a client reads its events, so that the client can read the report after the last one.
pub(super) async fn keep_open(Open(session): Open, request: Request, next: Next) -> Response {
    let kept = move |body: AxumBody| AxumBody::from_stream(body.into_data_stream().inspect(move |_| _ = &session));
    next.run(request).await.map(kept)
}

/// A session to start. Without fields, it covers the chosen items of all handlers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Start {
    handlers: Option<Vec<HandlerId>>,
    /// Without an entry, a handler runs its chosen items.
    items: BTreeMap<HandlerId, Vec<ItemId>>,
    /// Runs also what backs off, and without a network.
    force: bool,
    /// Lets the handlers ask questions, and offers the choice of items.
    ask: bool,
}

impl Start {
    /// Adds the chosen items of handlers without an entry if others have one: a session with named items runs only these.
    async fn complete(&mut self, api: &Api) -> Result<(), ApiError> {
        if self.items.is_empty() {
            return Ok(());
        }
        for handler in self.handlers.iter().flatten() {
            if !self.items.contains_key(handler) {
                let items = api.manager.items(*handler).await?;
                if items.is_empty() {
                    return Err(ApiError::unknown_items(handler));
                }
                let chosen = items.into_iter().filter(|item| item.choice == ItemState::Checked);
                self.items.insert(*handler, chosen.map(|item| item.item).collect());
            }
        }
        Ok(())
    }

    fn request(self, api: &Api) -> SessionRequest {
        let request = api.manager.session(Trigger::Manual);
        let request = match self.handlers {
            Some(handlers) => request.handlers(handlers),
            None => request,
        };
        let request = self.items.into_iter().fold(request, |request, (handler, items)| request.items(handler, items));
        let request = if self.force { request.force() } else { request };
        if self.ask { request.may_bother_user() } else { request }
    }
}

/// Starts a session.
pub(super) async fn start(State(api): State<Api>, Body(mut start): Body<Start>) -> Result<impl IntoResponse, ApiError> {
    start.complete(&api).await?;
    let session = start.request(&api).start()?;
    Ok((StatusCode::ACCEPTED, started(&api, session)))
}

/// Answers that a session has started, and keeps its results for a while.
pub(super) fn started(api: &Api, session: Session) -> impl IntoResponse + use<> {
    let id = session.id();
    api.keep(session);
    ([(header::LOCATION, format!("/v1/sessions/{id}"))], Json(json!({ "session": id })))
}

/// Stops a session.
pub(super) async fn stop(Open(session): Open) -> StatusCode {
    session.stop();
    StatusCode::ACCEPTED
}

/// Pauses a session: none of its items begins.
pub(super) async fn pause(Open(session): Open) -> StatusCode {
    session.pause();
    StatusCode::NO_CONTENT
}

/// Resumes a session.
pub(super) async fn resume(Open(session): Open) -> StatusCode {
    session.resume();
    StatusCode::NO_CONTENT
}

/// Stops the run of one handler.
pub(super) async fn stop_handler(Open(session): Open, Handler(handler): Handler) -> Result<StatusCode, ApiError> {
    session.stop_handler(handler)?;
    Ok(StatusCode::ACCEPTED)
}

/// Skips an item.
pub(super) async fn skip(
    Open(session): Open,
    Handler(handler): Handler,
    Item(item): Item,
) -> Result<StatusCode, ApiError> {
    skip_item(&session, handler, item)?;
    Ok(StatusCode::ACCEPTED)
}

/// Skips an item, unless it has ended: a skip would do nothing then.
pub(crate) fn skip_item(session: &Session, handler: HandlerId, item: ItemId) -> Result<(), ApiError> {
    if has_ended(session, (handler, item)) {
        return Err(ApiError::ended(item));
    }
    Ok(session.skip(handler, item)?)
}

/// Returns `true` if the last event about an item is its end.
fn has_ended(session: &Session, of: (HandlerId, ItemId)) -> bool {
    let (mut events, mut ended, mut pending) = (session.events(), false, 0);
    // The stream yields once before it reads. It has no more events if it is pending twice.
    while pending < 2 {
        pending += 1;
        let Some(next) = events.next().now_or_never() else { continue };
        let Some(event) = next else { break };
        pending = 0;
        match event {
            SessionEvent::Ended { handler, item, .. } if (handler, item) == of => ended = true,
            SessionEvent::Began { handler, item, .. } if (handler, item) == of => ended = false,
            _ => {}
        }
    }
    ended
}
