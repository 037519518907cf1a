//! Access control: rejects programs without the token, and web pages of other origins.
//!
//! A web page can send requests to 127.0.0.1. With DNS rebinding it can also read the responses. Such requests have a foreign
//! `Origin`, and with DNS rebinding a foreign `Host`. The token excludes all other programs, including those of other users of the
//! machine.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::api_error::ApiError;
use crate::app::App;
use crate::token::Token;

/// Rejects requests for other hosts and from pages of other origins.
pub(crate) async fn check_host_and_origin(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let host = expected_host(&request, &app.host_names)?;
    check_origin(request.headers(), host)?;
    Ok(next.run(request).await)
}

/// Rejects requests without the token.
pub(crate) async fn require_token(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    check_token(request.headers(), &app.token)?;
    Ok(next.run(request).await)
}

/// Returns the name of this server that the request uses.
fn expected_host<'a>(request: &Request, host_names: &'a [String]) -> Result<&'a str, ApiError> {
    let error = || {
        let problem = "the `Host` of the request is missing or names another server";
        ApiError::new(StatusCode::MISDIRECTED_REQUEST, problem, "use the address that the program printed")
    };
    let known = |named: &[u8]| host_names.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(named));
    let host = only(request.headers(), HOST).and_then(known).ok_or_else(error)?;
    match request.uri().authority() {
        Some(authority) if known(authority.as_str().as_bytes()) != Some(host) => Err(error()),
        _ => Ok(host),
    }
}

/// Rejects requests from pages of another origin. Requests that do not come from a page have no `Origin`.
fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    let ours = format!("http://{host}");
    match only(headers, ORIGIN) {
        Some(origin) if origin == ours.as_bytes() => Ok(()),
        None if !headers.contains_key(ORIGIN) => Ok(()),
        _ => {
            let problem = "the request comes from a web page of another origin";
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                problem,
                "send the request from a page of this server or from a program",
            ))
        }
    }
}

fn check_token(headers: &HeaderMap, token: &Token) -> Result<(), ApiError> {
    let error = |problem| {
        let advice = "send `Authorization: Bearer TOKEN` with the token that the program printed at its start";
        ApiError::new(StatusCode::UNAUTHORIZED, problem, advice)
    };
    let credentials = only(headers, AUTHORIZATION).ok_or_else(|| error("the request has no token or several"))?;
    match credentials.split_at_checked("Bearer ".len()) {
        Some((scheme, presented)) if scheme.eq_ignore_ascii_case(b"Bearer ") && token.is(presented) => Ok(()),
        _ => Err(error("the token of the request is wrong")),
    }
}

/// Returns the value of a header that occurs exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes())
}
