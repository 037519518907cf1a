//! The fields of a form.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::refused;
use crate::api::{Api, BODY_TIME};

/// The fields of a form, or a page that refuses the form.
pub(super) struct Fields<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Fields<T> {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        read(request, api).await.map(Self)
    }
}

async fn read<T: DeserializeOwned>(request: Request, state: &(impl Send + Sync)) -> Result<T, Response> {
    let form = timeout(BODY_TIME, Form::from_request(request, state)).await;
    let late = |_| refused(StatusCode::REQUEST_TIMEOUT, "The form did not arrive in time. Send it again.");
    form.map_err(late)?.map(|Form(fields)| fields).map_err(|rejection| refuse(&rejection))
}

fn refuse(rejection: &FormRejection) -> Response {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => refused(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large."),
        _ => unknown(),
    }
}

/// Refuses a form that no view has.
pub(super) fn unknown() -> Response {
    refused(StatusCode::BAD_REQUEST, "The form is not one of this page.")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Method;
    use axum::http::header::CONTENT_TYPE;
    use futures::{StreamExt, stream};

    use super::*;

    async fn status(body: Body) -> StatusCode {
        let request = Request::builder().method(Method::POST).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let read: Result<Vec<(String, String)>, _> = read(request.body(body).unwrap(), &()).await;
        read.map_or_else(|refusal| refusal.status(), |_| StatusCode::OK)
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_is_half_sent_is_given_up() {
        let half = stream::iter([Ok::<_, std::io::Error>("answer=")]).chain(stream::pending());
        assert_eq!(status(Body::from_stream(half)).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_form_that_is_too_large_is_refused() {
        assert_eq!(status(Body::from("answer=yes")).await, StatusCode::OK);
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 65_536]));
        assert_eq!(status(Body::from_stream(endless)).await, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
