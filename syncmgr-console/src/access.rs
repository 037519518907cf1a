//! Who may use the page: a browser with the token, on this machine, from no other site.
//!
//! A web site can make a browser send requests to 127.0.0.1, and with DNS rebinding read the answers. Such requests have a foreign
//! `Origin` or `Host`. The token excludes all other programs, including those of other users of the machine.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::page;
use crate::token::Token;

/// The token, and the names of this server.
pub(crate) struct Access {
    token: Token,
    host_names: Vec<String>,
    /// The random path of the page. A browser sends a cookie to all ports of this machine, also to the servers of other users, but only
    /// for its path.
    path: String,
}

/// The name of the cookie with the token.
const TOKEN: &str = "syncmgr";

impl Access {
    /// Creates the access to the page at an address. `path` is a random name.
    pub(crate) fn new((token, path): (Token, &Token), address: SocketAddr) -> Arc<Self> {
        let hosts = ["127.0.0.1", "localhost"];
        let bare = hosts.iter().filter(|_| address.port() == 80).map(ToString::to_string);
        let host_names = hosts.iter().map(|host| format!("{host}:{}", address.port())).chain(bare).collect();
        Arc::new(Self { token, host_names, path: format!("/{}", path.reveal()) })
    }

    /// Returns `true` if the request may be served: an API client has the token in a header, a browser in a cookie.
    fn admits(&self, request: &Request) -> bool {
        let bearer = only(request.headers(), AUTHORIZATION).and_then(|value| value.strip_prefix(b"Bearer "));
        // A browser names the origin of everything but plain reads.
        let is_own = request.headers().contains_key(ORIGIN) || request.method() == Method::GET;
        let cookie = cookies(request.headers(), TOKEN).find(|_| is_own);
        bearer.or(cookie).is_some_and(|presented| self.token.is(presented))
    }

    /// Returns the address to go to after the token was presented in the address: the same one without the token.
    fn entry(&self, request: &Request) -> Option<String> {
        let query = request.uri().query()?;
        let presented = query.split('&').find_map(|pair| pair.strip_prefix("token="))?;
        let admits = request.method() == Method::GET && self.token.is(presented.as_bytes());
        admits.then(|| request.uri().path().to_owned())
    }

    /// Leads a browser to a view of the page, with the token in a cookie.
    fn open(&self, path: &str) -> Response {
        let (token, page) = (self.token.reveal(), &self.path);
        // Strict cookies would not open the page for `syncmgr web`, which leads there from a file. Requests that change something are
        // refused without our origin.
        let cookie = format!("{TOKEN}={token}; HttpOnly; SameSite=Lax; Path={page}/");
        let cookie = HeaderValue::try_from(cookie).expect("a token has hexadecimal digits only");
        let location = own_path(&format!("{page}{path}"));
        (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, location)]).into_response()
    }

    /// Removes the path of the page from the address of a request.
    fn strip_path(&self, request: &mut Request) {
        let address = request.uri().path_and_query().map_or("", |address| address.as_str());
        let rest = address.strip_prefix(&*self.path).filter(|rest| rest.starts_with('/'));
        if let Some(Ok(rest)) = rest.map(Uri::try_from) {
            *request.uri_mut() = rest;
        }
    }
}

/// Serves a request if it may be served.
pub(crate) async fn guard(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    access.strip_path(&mut request);
    if !is_for_us(&request, &access.host_names) {
        let problem = "The request is for another server or comes from another site.";
        return refuse(&request, StatusCode::MISDIRECTED_REQUEST, problem);
    }
    if let Some(path) = access.entry(&request) {
        return access.open(&path);
    }
    if !access.admits(&request) {
        let problem = "Open the address that the program printed: it contains a token.";
        return refuse(&request, StatusCode::UNAUTHORIZED, problem);
    }
    next.run(request).await
}

/// Refuses a request: with a page, or with an error of the API.
fn refuse(request: &Request, status: StatusCode, problem: &str) -> Response {
    if request.uri().path().starts_with("/v1") {
        let advice = "send the token of the page in the header `Authorization: Bearer`, to 127.0.0.1";
        return ApiError::new(status, problem, advice).into_response();
    }
    page::refused(status, problem)
}

/// Returns a path of this server for a redirection. A path that begins with `//` would name another server.
fn own_path(path: &str) -> HeaderValue {
    let path = format!("/{}", path.trim_start_matches(['/', '\\']));
    HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"))
}

/// Returns `true` if the request names this server, and comes from no page of another one.
fn is_for_us(request: &Request, host_names: &[String]) -> bool {
    let host = only(request.headers(), HOST);
    let known = host_names.iter().find(|name| host.is_some_and(|host| name.as_bytes().eq_ignore_ascii_case(host)));
    let authority = request.uri().authority().map(|authority| authority.as_str());
    known.is_some_and(|host| {
        let origin = only(request.headers(), ORIGIN);
        let is_own = match origin {
            Some(origin) => origin == format!("http://{host}").as_bytes(),
            None => !request.headers().contains_key(ORIGIN),
        };
        is_own && authority.is_none_or(|authority| authority == host)
    })
}

/// Returns the value of a header that occurs exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes())
}

/// Returns the values of our cookie.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}
