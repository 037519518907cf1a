//! A console whose streams do what the test lets them do.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// A request that waits for the test.
pub(super) struct Call {
    /// The method and the path, with the query.
    pub(super) request: String,
    answer: oneshot::Sender<Response>,
}

/// A console without a manager.
pub(super) struct Scripted {
    path: PathBuf,
    calls: mpsc::UnboundedReceiver<Call>,
    waiting: Vec<Call>,
    _serving: AbortOnDropHandle<()>,
    _folder: TempDir,
}

impl Scripted {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a directory for temporary files");
        let path = folder.path().join("test.sock");
        let listener = UnixListener::bind(&path).expect("the socket is free");
        let (to_test, calls) = mpsc::unbounded_channel();
        let router = Router::new().fallback(call).with_state(to_test);
        let serving = tokio::spawn(async { axum::serve(listener, router).await.expect("it never ends") });
        Self { path, calls, waiting: Vec::new(), _serving: AbortOnDropHandle::new(serving), _folder: folder }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a request, also if others come before.
    pub(super) async fn call(&mut self, request: &str) -> Call {
        loop {
            if let Some(at) = self.waiting.iter().position(|call| call.request == request) {
                return self.waiting.remove(at);
            }
            let call = tokio::time::timeout(super::PATIENCE, self.calls.recv()).await;
            self.waiting.push(call.unwrap_or_else(|_| panic!("no {request}")).expect("it is served"));
        }
    }

    /// Answers a request with JSON.
    pub(super) async fn answer(&mut self, request: &str, answer: Value) {
        self.call(request).await.answer(([(CONTENT_TYPE, "application/json")], answer.to_string()));
    }

    /// Answers a request with a stream, which ends when the test drops it.
    pub(super) async fn stream(&mut self, request: &str) -> Script {
        let (script, events) = mpsc::channel::<Value>(1);
        let events = futures::stream::unfold(events, async |mut events| {
            let event = events.recv().await?;
            Some((Ok::<_, Infallible>(Event::default().data(event.to_string())), events))
        });
        self.call(request).await.answer(Sse::new(events));
        Script(script)
    }
}

impl Call {
    pub(super) fn answer(self, answer: impl IntoResponse) {
        self.answer.send(answer.into_response()).expect("the client waits");
    }

    /// Refuses the request with this status of HTTP.
    pub(super) fn refuse(self, status: u16, problem: &str) {
        let status = axum::http::StatusCode::from_u16(status).expect("it is a status");
        let refusal = json!({ "fault": "server", "problem": problem, "advice": "start the program again" });
        self.answer((status, [(CONTENT_TYPE, "application/json")], refusal.to_string()));
    }
}

/// A stream of events.
pub(super) struct Script(mpsc::Sender<Value>);

impl Script {
    /// Sends an event, once the client has read enough of those before.
    pub(super) async fn send(&self, event: Value) {
        let sent = tokio::time::timeout(super::PATIENCE, self.0.send(event)).await;
        sent.expect("the client reads").expect("the client is connected");
    }

    pub(super) async fn lose(self) {
        self.send(json!({ "event": "lost" })).await;
    }
}

async fn call(State(to_test): State<mpsc::UnboundedSender<Call>>, request: Request) -> Response {
    let (answer, answered) = oneshot::channel();
    let request = format!("{} {}", request.method(), request.uri());
    to_test.send(Call { request, answer }).expect("the test goes on");
    answered.await.unwrap_or_else(|_| axum::http::StatusCode::GONE.into_response())
}
