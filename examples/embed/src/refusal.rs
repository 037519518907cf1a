//! A request that is not done: why, whose fault it is, and what to do about it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use syncmgr::request::RequestError;
use syncmgr::{SessionError, StartError};

use crate::json::Json;

/// An answer that says no.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    fault: Fault,
    problem: String,
    advice: &'static str,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// The request's.
    Client,
    /// Ours.
    Server,
}

impl Refusal {
    /// The client's fault.
    pub(crate) fn new(status: StatusCode, problem: impl Into<String>, advice: &'static str) -> Self {
        Self { status, fault: Fault::Client, problem: problem.into(), advice }
    }

    /// Not the client's fault.
    fn ours(status: StatusCode, problem: impl Into<String>, advice: &'static str) -> Self {
        Self { fault: Fault::Server, ..Self::new(status, problem, advice) }
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path", "compare it with the list in the README")
    }

    pub(crate) fn wrong_method() -> Self {
        let advice = "use POST for what acts and GET for what shows; `Allow` says which it is";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method", advice)
    }

    pub(crate) fn unknown_session() -> Self {
        let advice = "use the id that starting it returned; the oldest finished sessions are forgotten first";
        Self::new(StatusCode::NOT_FOUND, "no session is kept under this id", advice)
    }

    pub(crate) fn unknown_id(problem: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, problem, "take ids of handlers and items from the session's events")
    }

    pub(crate) fn too_many_sessions(most: usize) -> Self {
        let problem = format!("{most} sessions are under way, which is as many as are kept");
        Self::new(StatusCode::TOO_MANY_REQUESTS, problem, "wait until one has ended, or stop one")
    }

    pub(crate) fn bad_body(problem: impl Into<String>) -> Self {
        let advice = r#"send nothing, or {"handler": "ID", "items": ["ID", ..]} where both may be left out"#;
        Self::new(StatusCode::BAD_REQUEST, problem, advice)
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Refused(RequestError::NotRegistered { handler }) => {
                Self::unknown_id(format!("no handler {handler} is registered"))
            }
            StartError::ShutDown => {
                let advice = "start the program again, then repeat the request";
                Self::ours(StatusCode::SERVICE_UNAVAILABLE, "the program is quitting", advice)
            }
            _ => Self::ours(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "report this as a defect"),
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        Self::unknown_id(error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Json(&self).into_response();
        *response.status_mut() = self.status;
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
