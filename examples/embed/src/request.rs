//! The body of a request that starts a session.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use syncmgr::{HandlerId, ItemId, SessionRequest, SyncManager, Trigger, Uuid};

use crate::api_error::ApiError;
use crate::app::App;

/// The maximum length of a body in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The session to start. Without fields, it covers all items of all handlers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionBody {
    handler: Option<String>,
    items: Option<Vec<String>>,
}

impl SessionBody {
    /// Converts the body into a session request.
    pub(crate) fn into_request(self, manager: &SyncManager) -> Result<SessionRequest, ApiError> {
        let request = manager.session(Trigger::Manual);
        match (self.handler, self.items) {
            (None, None) => Ok(request),
            (Some(handler), None) => Ok(request.handlers([HandlerId::new(parse_id(&handler)?)])),
            (Some(handler), Some(items)) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| parse_id(item).map(ItemId::new)).collect();
                Ok(request.items(HandlerId::new(parse_id(&handler)?), items?))
            }
            (None, Some(_)) => Err(ApiError::bad_body("the body has items but no handler")),
        }
    }

    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // Also rejects requests that a page may send to another origin without a CORS preflight.
        if !is_json(headers) {
            let advice = "send `Content-Type: application/json`";
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content type of the body is not JSON",
                advice,
            ));
        }
        // Serde would also accept an array for a struct.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(ApiError::bad_body("the body is not a JSON object"));
        }
        serde_json::from_slice(body).map_err(|error| ApiError::bad_body(format!("the body is invalid: {error}")))
    }
}

impl FromRequest<App> for SessionBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, app).await.map_err(body_error)?;
        Self::parse(&headers, &body)
    }
}

fn body_error(rejection: BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let problem = format!("the body is longer than {MAX_BODY_BYTES} bytes");
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, problem, "split the items into several sessions");
    }
    ApiError::bad_body("the body could not be read completely")
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn parse_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| ApiError::bad_body(format!("{text:?} is not a UUID")))
}
