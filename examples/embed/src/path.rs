//! The ids in a path. What is no id cannot be the id of anything, and is as unknown as a wrong one.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use syncmgr::{HandlerId, ItemId, Session, SessionId, Uuid};

use crate::app::App;
use crate::refusal::Refusal;

/// The session that `{session}` names.
pub(crate) struct Named(pub(crate) Session);

/// The item that `{handler}` and `{item}` name, of whatever session.
pub(crate) struct NamedItem(pub(crate) HandlerId, pub(crate) ItemId);

impl FromRequestParts<App> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let id = segment(parts, app, "session").await.and_then(|id| id.parse().ok());
        id.and_then(|id| app.sessions.get(SessionId(id))).map(Self).ok_or_else(Refusal::unknown_session)
    }
}

impl FromRequestParts<App> for NamedItem {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let (handler, item) = (guid(parts, app, "handler").await, guid(parts, app, "item").await);
        let named = handler.zip(item).map(|(handler, item)| Self(HandlerId::new(handler), ItemId::new(item)));
        named.ok_or_else(|| Refusal::unknown_id("the path has something that is no id where ids belong"))
    }
}

async fn guid(parts: &mut Parts, app: &App, name: &str) -> Option<Uuid> {
    segment(parts, app, name).await.and_then(|text| Uuid::parse_str(&text).ok())
}

/// What stands in the path where the route says `{name}`.
async fn segment(parts: &mut Parts, app: &App, name: &str) -> Option<String> {
    let segments = RawPathParams::from_request_parts(parts, app).await.ok()?;
    segments.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
