//! Error responses, with the side at fault, the problem and a remedy.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use syncmgr::request::RequestError;
use syncmgr::{SessionError, StartError};

use crate::json::Json;

/// An error response.
#[derive(Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    fault: Fault,
    problem: String,
    advice: &'static str,
}

/// The side at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// The request is wrong.
    Client,
    /// The server failed.
    Server,
}

impl ApiError {
    /// Creates an error with the client at fault.
    pub(crate) fn new(status: StatusCode, problem: impl Into<String>, advice: &'static str) -> Self {
        Self { status, fault: Fault::Client, problem: problem.into(), advice }
    }

    /// Creates an error with the server at fault.
    fn server(status: StatusCode, problem: impl Into<String>, advice: &'static str) -> Self {
        Self { fault: Fault::Server, ..Self::new(status, problem, advice) }
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path", "use a path from the README")
    }

    pub(crate) fn wrong_method() -> Self {
        let advice = "use POST for actions and GET for queries; see the `Allow` header";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not support this method", advice)
    }

    pub(crate) fn unknown_session() -> Self {
        let advice =
            "use the id that was returned when the session started; old sessions are removed once they have ended";
        Self::new(StatusCode::NOT_FOUND, "there is no session with this id", advice)
    }

    pub(crate) fn unknown_id(problem: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, problem, "use the ids of handlers and items in the session's events")
    }

    pub(crate) fn too_many_sessions(max: usize) -> Self {
        let problem = format!("{max} sessions are running, which is the maximum");
        Self::new(StatusCode::TOO_MANY_REQUESTS, problem, "wait until a session ends, or stop one")
    }

    pub(crate) fn bad_body(problem: impl Into<String>) -> Self {
        let advice = r#"send nothing, or {"handler": "ID", "items": ["ID", ..]}; both fields are optional"#;
        Self::new(StatusCode::BAD_REQUEST, problem, advice)
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Refused(RequestError::NotRegistered { handler }) => {
                Self::unknown_id(format!("no handler {handler} is registered"))
            }
            StartError::ShutDown => {
                let advice = "start the program again, then repeat the request";
                Self::server(StatusCode::SERVICE_UNAVAILABLE, "the program is shutting down", advice)
            }
            _ => Self::server(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "report this as a defect"),
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        Self::unknown_id(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Json(&self).into_response();
        *response.status_mut() = self.status;
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
