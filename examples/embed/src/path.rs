//! Extractors for the ids in a request path. An invalid id is answered like an unknown one.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use syncmgr::{HandlerId, ItemId, Session, SessionId, Uuid};

use crate::api_error::ApiError;
use crate::app::App;

/// The session with the id `{session}` of the path.
pub(crate) struct SessionPath(pub(crate) Session);

/// The ids `{handler}` and `{item}` of the path.
pub(crate) struct ItemPath(pub(crate) HandlerId, pub(crate) ItemId);

impl FromRequestParts<App> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = segment(parts, app, "session").await.and_then(|id| id.parse().ok());
        id.and_then(|id| app.sessions.get(SessionId(id))).map(Self).ok_or_else(ApiError::unknown_session)
    }
}

impl FromRequestParts<App> for ItemPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (handler, item) = (uuid_segment(parts, app, "handler").await, uuid_segment(parts, app, "item").await);
        let ids = handler.zip(item).map(|(handler, item)| Self(HandlerId::new(handler), ItemId::new(item)));
        ids.ok_or_else(|| ApiError::unknown_id("the id of the handler or of the item is not a UUID"))
    }
}

async fn uuid_segment(parts: &mut Parts, app: &App, name: &str) -> Option<Uuid> {
    segment(parts, app, name).await.and_then(|text| Uuid::parse_str(&text).ok())
}

/// Returns the segment of the path that matches `{name}` in the route.
async fn segment(parts: &mut Parts, app: &App, name: &str) -> Option<String> {
    let segments = RawPathParams::from_request_parts(parts, app).await.ok()?;
    segments.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
