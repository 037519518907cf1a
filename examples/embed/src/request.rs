//! The body of a request for a session.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use syncmgr::{HandlerId, ItemId, SessionRequest, SyncManager, Trigger, Uuid};

use crate::app::App;
use crate::refusal::Refusal;

/// The longest body taken, in bytes.
pub(crate) const MOST_BYTES: usize = 64 * 1024;

/// Which session is wanted. Nothing said is everything there is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    handler: Option<String>,
    items: Option<Vec<String>>,
}

impl Wanted {
    /// The request for this session.
    pub(crate) fn of(self, manager: &SyncManager) -> Result<SessionRequest, Refusal> {
        let request = manager.session(Trigger::Manual);
        match (self.handler, self.items) {
            (None, None) => Ok(request),
            (Some(handler), None) => Ok(request.handlers([HandlerId::new(guid(&handler)?)])),
            (Some(handler), Some(items)) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| guid(item).map(ItemId::new)).collect();
                Ok(request.items(HandlerId::new(guid(&handler)?), items?))
            }
            (None, Some(_)) => Err(Refusal::bad_body("the body has items, but does not say of which handler")),
        }
    }

    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // Also keeps out what a page may send to another origin without asking first.
        if !is_json(headers) {
            let advice = "send `Content-Type: application/json`";
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body does not say that it is JSON",
                advice,
            ));
        }
        // An array would do for a struct otherwise.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::bad_body("the body is no JSON object"));
        }
        serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_body(format!("the body is not as it should be: {error}")))
    }
}

impl FromRequest<App> for Wanted {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, app).await.map_err(unread)?;
        Self::parse(&headers, &body)
    }
}

fn unread(rejection: BytesRejection) -> Refusal {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let problem = format!("the body has more than {MOST_BYTES} bytes");
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, problem, "name fewer items, in several sessions");
    }
    Refusal::bad_body("the body could not be read to its end")
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn guid(text: &str) -> Result<Uuid, Refusal> {
    Uuid::parse_str(text).map_err(|_| Refusal::bad_body(format!("{text:?} is no id")))
}
