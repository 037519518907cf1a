//! The registered handlers.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use syncmgr::handler::HandlerFlags;
use syncmgr::schedule::{KnownSettings, Overrides, Settings};
use syncmgr::store::StoreAccessError;
use syncmgr::{HandlerId, HandlerInfo, ItemId, Subject};

use super::body::Body;
use super::error::ApiError;
use super::ids::Handler;
use super::{Api, Json};
use crate::attention::Attention;
use crate::settings;

/// Lists the handlers.
pub(super) async fn list(State(api): State<Api>) -> Result<impl IntoResponse, ApiError> {
    let handlers = api.manager.handlers();
    let mut described = Vec::with_capacity(handlers.len());
    for info in &handlers {
        described.push(describe(&api, info).await?);
    }
    Ok(Json(json!({ "handlers": described })))
}

/// Shows a handler.
pub(super) async fn show(State(api): State<Api>, Handler(handler): Handler) -> Result<impl IntoResponse, ApiError> {
    let handlers = api.manager.handlers();
    let info = handlers.iter().find(|info| info.id() == handler).ok_or_else(|| ApiError::unknown_handler(handler))?;
    Ok(Json(describe(&api, info).await?))
}

/// Returns the names of the registered handlers.
pub(super) fn names(api: &Api) -> BTreeMap<HandlerId, String> {
    api.manager.handlers().iter().map(|info| (info.id(), info.name().to_owned())).collect()
}

/// Returns the name of a handler, also if it is not registered any more; its id if none is known.
pub(super) fn name(api: &Api, handler: HandlerId) -> Result<String, StoreAccessError> {
    let known = api.manager.explain_handler(handler)?.name;
    Ok(known.map_or_else(|| handler.to_string(), |name| name.to_string()))
}

async fn describe(api: &Api, info: &HandlerInfo) -> Result<Value, ApiError> {
    let explanation = api.manager.explain_handler(info.id())?;
    let attention = Attention::read(&api.manager, &explanation).await?;
    let mut handler = json!({
        "handler": info.id().to_string(),
        "name": info.name(),
        "has_properties": info.flags().contains(HandlerFlags::HAS_PROPERTIES),
        "text": explanation.to_string(),
        "explanation": explanation,
        "questions": attention.questions,
        "reason": attention.reason,
    });
    // Unregistered meanwhile: what it declares is all that is left.
    let known = api.manager.settings(info.id(), Subject::Handler);
    let known = known.unwrap_or_else(|_| KnownSettings::new(Some(Settings::from(info)), Overrides::NONE));
    settings::add_to(&mut handler, &known);
    Ok(handler)
}

/// The items of a request, and the reason for it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Without items, the handler itself.
    items: Option<Vec<ItemId>>,
    #[serde(default)]
    reason: String,
}

impl Which {
    fn subjects(&self) -> Vec<Subject> {
        let items = self.items.as_ref().map(|items| items.iter().copied().map(Subject::Item).collect());
        items.unwrap_or_else(|| vec![Subject::Handler])
    }
}

/// Disables the handler, or some of its items.
pub(super) async fn disable(
    State(api): State<Api>,
    Handler(handler): Handler,
    Body(which): Body<Which>,
) -> Result<StatusCode, ApiError> {
    for subject in which.subjects() {
        api.manager.disable(handler, subject, &which.reason).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Enables the handler, or some of its items, again.
pub(super) async fn enable(
    State(api): State<Api>,
    Handler(handler): Handler,
    Body(which): Body<Which>,
) -> Result<StatusCode, ApiError> {
    for subject in which.subjects() {
        api.manager.enable(handler, subject).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets all that is stored about the handler.
pub(super) async fn forget(State(api): State<Api>, Handler(handler): Handler) -> Result<StatusCode, ApiError> {
    api.manager.forget(handler).await?;
    Ok(StatusCode::NO_CONTENT)
}
