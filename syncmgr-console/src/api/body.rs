//! The bodies of requests.

use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::ApiError;
use super::{Api, MAX_BODY};

/// The time in which a body has to arrive.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// A JSON object. An empty body is an empty object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        if request.body().size_hint().lower() > MAX_BODY as u64 {
            return Err(unreadable(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let body = timeout(TIME, Bytes::from_request(request, api)).await.map_err(|_| too_slow())?;
        parse(&headers, &body.map_err(|rejection| unreadable(rejection.status()))?).map(Self)
    }
}

fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // Also refuses what a web page may send to another origin without asking first.
    if body != b"{}" && !is_json(headers) {
        let problem = "the content type of the body is not JSON";
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            problem,
            "send `Content-Type: application/json`",
        ));
    }
    // Serde would also accept an array for a struct.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_request("the body is not a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("the body is not valid: {error}")))
}

fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", "send the request again")
}

fn unreadable(status: StatusCode) -> ApiError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let problem = format!("the body is longer than {MAX_BODY} bytes");
        return ApiError::new(status, problem, "name fewer items in one request");
    }
    ApiError::bad_request("the body ended too early")
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
