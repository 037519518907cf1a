//! Error responses: the side at fault, the problem, and what to do next.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use syncmgr::request::RequestError;
use syncmgr::schedule::OverrideError;
use syncmgr::session::{LogAccessError, PropertiesError, SettingsError};
use syncmgr::store::StoreAccessError;
use syncmgr::text::Escaped;
use syncmgr::{ItemId, SessionError, StartError, Uuid};

use super::Api;
use crate::json::Json;

/// An error response.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    fault: Fault,
    problem: String,
    advice: &'static str,
}

/// The side at fault.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// The request is wrong.
    Client,
    /// The program that serves the console has failed.
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

    /// Creates the error for a request that was carried out, but whose changes the store does not have.
    pub(super) fn not_stored(error: impl std::fmt::Display) -> Self {
        let problem = format!("this was done, but it may be lost when the program ends: {error}");
        Self::server(StatusCode::INTERNAL_SERVER_ERROR, problem, "see the log of the program")
    }

    pub(super) fn no_such_path() -> Self {
        Self::not_found("there is nothing at this path", "the OpenAPI description lists the paths")
    }

    pub(super) fn wrong_method() -> Self {
        let advice = "see the header `Allow`, or the OpenAPI description";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not support this method", advice)
    }

    pub(super) fn not_found(problem: impl Into<String>, advice: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, problem, advice)
    }

    pub(super) fn unknown_handler(handler: impl std::fmt::Display) -> Self {
        Self::not_found(format!("there is no handler {handler}"), "look at the list of handlers")
    }

    pub(crate) fn unknown_session() -> Self {
        Self::not_found("there is no such session, or it was closed", "look at what runs, or at the history")
    }

    /// Creates the error for the skip of an item that has ended.
    pub(super) fn ended(item: ItemId) -> Self {
        let problem = format!("item {item} has already ended in this session");
        Self::new(StatusCode::CONFLICT, problem, "skip items that run or wait")
    }

    /// Returns a page that says the same.
    #[cfg(feature = "web")]
    pub(crate) fn into_page(self) -> Response {
        crate::page::refused(self.status, &format!("{}. {}.", self.problem, self.advice))
    }

    pub(super) fn unknown_items(handler: impl std::fmt::Display) -> Self {
        let problem = format!("the items of handler {handler} are not known before its first run");
        Self::new(StatusCode::CONFLICT, problem, "run this handler by itself first")
    }

    pub(super) fn bad_request(problem: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, problem, "the OpenAPI description has the parameters and bodies")
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Refused(RequestError::NotRegistered { handler }) => Self::unknown_handler(handler),
            StartError::ShutDown => {
                let advice = "start the program again, then repeat the request";
                Self::server(StatusCode::SERVICE_UNAVAILABLE, "the program is shutting down", advice)
            }
            _ => Self::bad_request(error.to_string()),
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::UnknownHandler { .. }
            | SessionError::UnknownItem { .. }
            | SessionError::UnknownError { .. } => {
                Self::not_found(error.to_string(), "use the ids of handlers, items and entries that the console lists")
            }
            SessionError::Question { .. } => {
                Self::new(StatusCode::CONFLICT, "the entry asks a question", "answer it instead of opening it")
            }
            _ => {
                Self::new(StatusCode::CONFLICT, error.to_string(), "look at the entry again; it may have been answered")
            }
        }
    }
}

impl From<StoreAccessError> for ApiError {
    fn from(error: StoreAccessError) -> Self {
        Self::server(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "see the log of the program")
    }
}

impl From<OverrideError> for ApiError {
    fn from(error: OverrideError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), "the value was not set")
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Refused(RequestError::NotRegistered { handler }) => Self::unknown_handler(handler),
            SettingsError::UnknownItem { item, .. } => {
                Self::not_found(format!("there is no item {item}"), "look at the items of the handler")
            }
            SettingsError::Store(error) => error.into(),
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), "the value was not set"),
        }
    }
}

impl From<PropertiesError> for ApiError {
    fn from(error: PropertiesError) -> Self {
        match error {
            PropertiesError::Start(error) => error.into(),
            PropertiesError::Session(error @ SessionError::NoProperties { .. }) => {
                Self::new(StatusCode::CONFLICT, error.to_string(), "there is nothing to show")
            }
            PropertiesError::Session(error) => error.into(),
            _ => Self::server(StatusCode::BAD_GATEWAY, error.to_string(), "see the log of the handler"),
        }
    }
}

impl From<LogAccessError> for ApiError {
    fn from(error: LogAccessError) -> Self {
        match error {
            LogAccessError::Start(error) => error.into(),
            LogAccessError::Session(error) => error.into(),
            _ => Self::server(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "see the log of the program"),
        }
    }
}

impl ApiError {
    /// Puts the names of known handlers and items in place of their ids, which users have not seen.
    pub(super) async fn with_names(mut self, api: &Api) -> Self {
        let ids: Vec<_> = self.ids().map(ItemId::new).collect();
        for info in api.manager.handlers() {
            self.replace(&info.id(), info.name());
            for item in api.manager.items_among(info.id(), ids.clone()).await.unwrap_or_default() {
                self.replace(&item.item, &item.name);
            }
        }
        self
    }

    fn replace(&mut self, id: &impl ToString, name: &str) {
        self.problem = self.problem.replace(&id.to_string(), &Escaped(name).to_string());
    }

    /// Returns `true` if the problem names something by its id.
    pub(super) fn contains_id(&self) -> bool {
        self.ids().next().is_some()
    }

    fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.problem.split([' ', ';', ':', ',']).filter_map(|word| Uuid::parse_str(word).ok())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Json(&self).into_response();
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}
