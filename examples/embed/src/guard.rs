//! Who may ask: only somebody on this machine who was told the token, and no web page of somebody else's.
//!
//! A page on the web can send requests to 127.0.0.1, and by rebinding its own name to it can read the answers too. What
//! acts then comes with a foreign `Origin`, and what reads with a foreign `Host`. The token keeps out everybody else,
//! other users of the machine among them.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::refusal::Refusal;
use crate::token::Token;

/// Lets only requests through that were meant for this server, and sent by nobody else's page.
pub(crate) async fn meant_for_us(State(app): State<App>, request: Request, next: Next) -> Result<Response, Refusal> {
    let host = named_host(&request, &app.names)?;
    from_our_own_page(request.headers(), host)?;
    Ok(next.run(request).await)
}

/// Lets only requests through that bear the token.
pub(crate) async fn bears_token(State(app): State<App>, request: Request, next: Next) -> Result<Response, Refusal> {
    authorized(request.headers(), &app.token)?;
    Ok(next.run(request).await)
}

/// The name under which the request was sent to us.
fn named_host<'a>(request: &Request, names: &'a [String]) -> Result<&'a str, Refusal> {
    let refusal = || {
        let problem = "the request names another server in its `Host`, or none";
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, problem, "use the address the program printed")
    };
    let known = |named: &[u8]| names.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(named));
    let host = only(request.headers(), HOST).and_then(known).ok_or_else(refusal)?;
    match request.uri().authority() {
        Some(authority) if known(authority.as_str().as_bytes()) != Some(host) => Err(refusal()),
        _ => Ok(host),
    }
}

/// Refuses what a page of another origin sends. What no page sends has no `Origin`.
fn from_our_own_page(headers: &HeaderMap, host: &str) -> Result<(), Refusal> {
    let ours = format!("http://{host}");
    match only(headers, ORIGIN) {
        Some(origin) if origin == ours.as_bytes() => Ok(()),
        None if !headers.contains_key(ORIGIN) => Ok(()),
        _ => {
            let problem = "the request comes from a web page of another origin";
            Err(Refusal::new(StatusCode::FORBIDDEN, problem, "send it from a page of this server, or from no page"))
        }
    }
}

fn authorized(headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    let refusal = |problem| {
        let advice = "send `Authorization: Bearer TOKEN` with the token the program printed when it started";
        Refusal::new(StatusCode::UNAUTHORIZED, problem, advice)
    };
    let credentials = only(headers, AUTHORIZATION).ok_or_else(|| refusal("the request bears no token, or several"))?;
    match credentials.split_at_checked("Bearer ".len()) {
        Some((scheme, presented)) if scheme.eq_ignore_ascii_case(b"Bearer ") && token.is(presented) => Ok(()),
        _ => Err(refusal("the request does not bear this program's token")),
    }
}

/// The value of a header that is there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes())
}
