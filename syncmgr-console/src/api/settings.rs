//! When handlers and items run by themselves, and what they require: as declared, and as a person has set it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::Value;
use syncmgr::schedule::OverrideKind;

use super::body::Body;
use super::error::ApiError;
use super::ids::{Kind, Of};
use super::{Api, Json};
use crate::settings::{self, Texts};

/// Shows the settings.
pub(super) async fn show(State(api): State<Api>, Of(handler, subject): Of) -> Result<impl IntoResponse, ApiError> {
    let known = api.manager.settings(handler, subject)?;
    let texts = OverrideKind::ALL.into_iter().map(|kind| (kind.to_string(), Texts::of(&known, kind).json()));
    Ok(Json(texts.collect::<serde_json::Map<String, Value>>()))
}

/// A value to set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    /// The text form.
    value: String,
}

/// Sets a value in place of the declared one.
pub(super) async fn set(
    State(api): State<Api>,
    Of(handler, subject): Of,
    Kind(kind): Kind,
    Body(Set { value }): Body<Set>,
) -> Result<StatusCode, ApiError> {
    api.manager.set_override(handler, subject, settings::parse(kind, &value)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the declared value apply again.
pub(super) async fn reset(
    State(api): State<Api>,
    Of(handler, subject): Of,
    Kind(kind): Kind,
) -> Result<StatusCode, ApiError> {
    api.manager.reset_override(handler, subject, kind).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the handler to show the properties of itself or of an item. Answers once they are closed.
pub(super) async fn properties(State(api): State<Api>, Of(handler, subject): Of) -> Result<StatusCode, ApiError> {
    api.manager.show_properties(handler, subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
