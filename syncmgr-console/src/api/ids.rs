//! The ids in paths. An id that is not one is answered like an unknown one.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use syncmgr::log::ErrorId;
use syncmgr::schedule::OverrideKind;
use syncmgr::{HandlerId, ItemId, Session, SessionId, StartError, Subject, Uuid};

use super::Api;
use super::error::ApiError;

/// The id `{handler}` of the path: that of a registered handler, or of one with stored data.
pub(super) struct Handler(pub(super) HandlerId);

/// The id `{item}` of the path.
pub(super) struct Item(pub(super) ItemId);

/// The handler `{handler}` of the path, and its item `{item}` if the path has one.
pub(super) struct Of(pub(super) HandlerId, pub(super) Subject);

/// The setting `{setting}` of the path.
pub(super) struct Kind(pub(super) OverrideKind);

/// The id `{entry}` of the path.
pub(super) struct Entry(pub(super) ErrorId);

/// The number `{question}` of the path.
pub(super) struct Number(pub(super) u64);

/// The open session `{session}` of the path.
pub(super) struct Open(pub(super) Session);

impl FromRequestParts<Api> for Handler {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api, "handler").await;
        uuid(&text).map(HandlerId::new).map(Self).ok_or_else(|| ApiError::unknown_handler(text))
    }
}

impl FromRequestParts<Api> for Item {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api, "item").await;
        let advice = "look at the items of the handler";
        uuid(&text)
            .map(ItemId::new)
            .map(Self)
            .ok_or_else(|| ApiError::not_found(format!("there is no item {text}"), advice))
    }
}

impl FromRequestParts<Api> for Of {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Handler(handler) = Handler::from_request_parts(parts, api).await?;
        if segment(parts, api, "item").await.is_empty() {
            return Ok(Self(handler, Subject::Handler));
        }
        let Item(item) = Item::from_request_parts(parts, api).await?;
        Ok(Self(handler, Subject::Item(item)))
    }
}

impl FromRequestParts<Api> for Kind {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api, "setting").await;
        let advice = "the settings are `schedule`, `requirements` and `window`";
        text.parse().ok().map(Self).ok_or_else(|| ApiError::not_found(format!("there is no setting {text}"), advice))
    }
}

impl FromRequestParts<Api> for Entry {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api, "entry").await;
        let advice = "look at the log of the handler";
        text.parse().ok().map(Self).ok_or_else(|| ApiError::not_found(format!("there is no entry {text}"), advice))
    }
}

impl FromRequestParts<Api> for Number {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api, "question").await;
        let advice = "look at the open questions";
        text.parse().ok().map(Self).ok_or_else(|| ApiError::not_found(format!("there is no question {text}"), advice))
    }
}

impl FromRequestParts<Api> for Open {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        // Its sessions are stopped, and close before their reports can be read.
        if api.is_ending() {
            return Err(StartError::ShutDown.into());
        }
        let id = segment(parts, api, "session").await.parse().ok();
        id.and_then(|id| api.session(SessionId(id))).map(Self).ok_or_else(ApiError::unknown_session)
    }
}

fn uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok()
}

/// Returns the segment of the path that matches `{name}` in the route.
async fn segment(parts: &mut Parts, api: &Api, name: &str) -> String {
    let Ok(segments) = RawPathParams::from_request_parts(parts, api).await else { return String::new() };
    segments.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
}
