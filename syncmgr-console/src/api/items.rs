//! The items of a handler.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use syncmgr::ItemId;
use syncmgr::item::ItemState;
use syncmgr::session::ItemStatus;

use super::body::Body;
use super::error::ApiError;
use super::ids::{Handler, Item};
use super::{Api, Json};
use crate::settings;

/// Lists the items, in the order of their names.
pub(super) async fn list(State(api): State<Api>, Handler(handler): Handler) -> Result<impl IntoResponse, ApiError> {
    let items = api.manager.items(handler).await?;
    let items: Vec<_> = items.iter().map(describe).collect();
    Ok(Json(json!({ "items": items })))
}

/// Lists the names of the items, in order.
pub(super) async fn names(State(api): State<Api>, Handler(handler): Handler) -> Result<impl IntoResponse, ApiError> {
    let names = api.manager.item_names(handler).await?;
    let names: Vec<_> = names.iter().map(|(item, name)| json!({ "item": item, "name": name })).collect();
    Ok(Json(json!({ "names": names })))
}

/// Explains an item: its condition, what holds it, when it runs next, and why it did not succeed.
pub(super) async fn show(
    State(api): State<Api>,
    Handler(handler): Handler,
    Item(item): Item,
) -> Result<impl IntoResponse, ApiError> {
    let explanation = api.manager.explain_item(handler, item)?;
    let items = api.manager.items_among(handler, [item]).await?;
    let reason = items.into_iter().next().and_then(|status| status.reason);
    Ok(Json(json!({ "text": explanation.to_string(), "explanation": explanation, "reason": reason })))
}

fn describe(item: &ItemStatus) -> serde_json::Value {
    let mut described = json!({ "text": item.to_string(), "status": item });
    settings::add_to(&mut described, &item.settings);
    described
}

/// A choice of items.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    items: Vec<ItemId>,
    state: ItemState,
}

/// Stores whether items run in sessions that do not name them.
pub(super) async fn choose(
    State(api): State<Api>,
    Handler(handler): Handler,
    Body(choice): Body<Choice>,
) -> Result<StatusCode, ApiError> {
    api.manager.choose(handler, choice.items, choice.state).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets all that is stored about the item.
pub(super) async fn forget(
    State(api): State<Api>,
    Handler(handler): Handler,
    Item(item): Item,
) -> Result<StatusCode, ApiError> {
    api.manager.forget_item(handler, item).await?;
    Ok(StatusCode::NO_CONTENT)
}
