//! The page: what the manager does, for people with a browser.
//!
//! The server makes all of it. A few lines of script replace the parts that have changed, when an event arrives; without them, the
//! page shows the state at the time of its loading.

mod actions;
mod agenda;
mod fields;
mod history;
mod items;
mod log;
mod now;
mod pager;
mod questions;
mod server;
mod settings;

use std::fmt;

use axum::Router;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::{DOCTYPE, Markup, html};
use serde::de::DeserializeOwned;
use syncmgr::text::Escaped;

pub(crate) use self::server::Server;
use crate::api::Api;

/// The views, with their paths.
const VIEWS: [(&str, &str); 5] =
    [("/", "Now"), ("/items", "Items"), ("/log", "Log"), ("/agenda", "Agenda"), ("/history", "History")];

/// Nothing from elsewhere, and no script or style in the text.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; script-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Returns the routes of the page.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/", get(now::show))
        .route("/items", get(items::show))
        .route("/log", get(log::show))
        .route("/agenda", get(agenda::show))
        .route("/history", get(history::show))
        .route("/style.css", get(async || text("text/css", include_str!("page/style.css"))))
        .route("/script.js", get(async || text("text/javascript", include_str!("page/script.js"))))
        .route("/do/{action}", post(actions::perform))
        .route("/settings", get(settings::show).post(settings::change))
        .route("/reply/{question}", post(questions::reply))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
}

fn text(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=3600")], text)
}

/// The part of a view that a request wants, or a page that refuses the request.
struct Part<T>(T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Part<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let wanted = Query::try_from_uri(&parts.uri);
        let refuse = |_| refused(StatusCode::BAD_REQUEST, "The address is not one of this page.");
        wanted.map(|Query(wanted)| Self(wanted)).map_err(refuse)
    }
}

/// Returns a link to a view. All links are relative, because the page is below a path that only its user knows.
fn link(path: &str) -> String {
    format!(".{path}")
}

/// Returns an explanation or an item in one line, without the name, which its row has already.
fn without_name(described: &impl fmt::Display, name: &str) -> String {
    let text = described.to_string();
    text.strip_prefix(&format!("{}: ", Escaped(name))).map(str::to_owned).unwrap_or(text)
}

/// Returns a view with the navigation around it.
fn view(path: &str, content: &Markup) -> Response {
    let title = VIEWS.iter().find(|(of, _)| *of == path).map_or("Sync", |(_, title)| title);
    page(StatusCode::OK, (path, title), content)
}

/// Returns a page with this title in the view of this path.
fn page(status: StatusCode, (path, title): (&str, &str), content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - Sync" }
                link rel="stylesheet" href="style.css";
                link rel="icon" href="data:,";
                script src="script.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    h1 { "Sync" }
                    nav aria-label="Views" {
                        @for (to, name) in VIEWS {
                            a href=(link(to)) aria-current=[(to == path).then_some("page")] { (name) }
                        }
                    }
                }
                main #content { h2 { (title) } (content) }
                p #state role="status" {}
            }
        }
    };
    respond(status, page)
}

fn respond(status: StatusCode, page: Markup) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // With `no-referrer`, browsers send the origin `null` with forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cache-control"), "no-store"),
    ];
    (status, headers, Html(page.into_string())).into_response()
}

/// Returns a page for an address that is none of the page, with a link to the first view.
async fn not_found(uri: Uri) -> Response {
    lost(&uri, StatusCode::NOT_FOUND, "There is nothing at this address.")
}

/// Returns a page for an address that only forms are sent to.
async fn wrong_method(uri: Uri) -> Response {
    lost(&uri, StatusCode::METHOD_NOT_ALLOWED, "This address is for the buttons of the page.")
}

fn lost(uri: &Uri, status: StatusCode, text: &str) -> Response {
    let up = uri.path().matches('/').count().saturating_sub(1);
    let start = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    refusal(status, &html! { p { (text) } p { a href=(start) { "Open the page" } } })
}

/// Returns a page that says why a request is refused.
pub(crate) fn refused(status: StatusCode, text: &str) -> Response {
    refusal(status, &html! { p { (text) } })
}

fn refusal(status: StatusCode, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="color-scheme" content="light dark"; title { "Sync" } }
            body { main { h1 { "Sync" } (content) } }
        }
    };
    respond(status, page)
}
