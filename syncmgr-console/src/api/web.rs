//! The page for browsers.

use std::sync::Arc;

use axum::response::IntoResponse;
use serde_json::json;

use super::Json;
use super::error::ApiError;

/// Tells the address of the page, with the token that opens it.
pub(super) async fn address(page: Option<Arc<str>>) -> Result<impl IntoResponse, ApiError> {
    let advice = "set `page` in the settings of `syncmgr host`, or call `Console::with_page`";
    let page = page.ok_or_else(|| ApiError::not_found("the program serves no page", advice))?;
    Ok(Json(json!({ "page": &*page })))
}
