//! The open questions.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;

use super::body::Body;
use super::error::ApiError;
use super::ids::Number;
use super::{Api, Json};
use crate::questions::{Answer, Refused};

/// Lists the open questions, the earliest first.
pub(super) async fn list(State(api): State<Api>) -> impl IntoResponse {
    Json(json!({ "questions": api.questions.open() }))
}

/// Answers a question.
pub(super) async fn answer(
    State(api): State<Api>,
    Number(question): Number,
    Body(answer): Body<Answer>,
) -> Result<StatusCode, ApiError> {
    api.answer(question, answer)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Answers a question.
    pub(crate) fn answer(&self, question: u64, answer: Answer) -> Result<(), ApiError> {
        self.questions.answer(question, answer).map_err(|refused| match refused {
            Refused::Closed => ApiError::not_found("the question is not open any more", "look at the open questions"),
            Refused::OtherKind => ApiError::bad_request("the answer does not fit the question"),
        })
    }
}
