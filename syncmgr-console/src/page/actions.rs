//! The buttons of the page.

use axum::extract::{Path, State};
use axum::http::header::REFERER;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, Render, html};
use serde::Deserialize;
use syncmgr::item::ItemState;
use syncmgr::log::ErrorId;
use syncmgr::{HandlerId, ItemId, SessionId, Trigger};

use super::fields::{self, Fields};
use super::items::row_id;
use crate::api::{Api, ApiError, answered, skip_item};

/// What a button is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Target {
    pub(super) session: Option<SessionId>,
    pub(super) handler: Option<HandlerId>,
    pub(super) item: Option<ItemId>,
    pub(super) entry: Option<ErrorId>,
    pub(super) choice: Option<usize>,
    /// The revision of the question that the page shows.
    pub(super) revision: Option<u32>,
}

/// Returns a text that is shown without the name, which its row has already. Screen readers read both.
pub(super) fn about(verb: &str, name: &str) -> Markup {
    html! { (verb) span.of { " " (name) } }
}

/// Returns a button. Its text names what it acts on, so that it makes sense on its own.
pub(super) fn button(action: &str, text: impl Render, target: &Target) -> Markup {
    let id = [
        target.session.map(|of| of.to_string()),
        target.handler.map(|of| of.to_string()),
        target.item.map(|of| of.to_string()),
        target.entry.map(|of| of.to_string()),
        target.choice.map(|of| of.to_string()),
    ];
    let id: Vec<_> = id.into_iter().flatten().collect();
    html! {
        form method="post" action=(format!("./do/{action}")) {
            @if let Some(session) = target.session { input type="hidden" name="session" value=(session); }
            @if let Some(handler) = target.handler { input type="hidden" name="handler" value=(handler); }
            @if let Some(item) = target.item { input type="hidden" name="item" value=(item); }
            @if let Some(entry) = target.entry { input type="hidden" name="entry" value=(entry); }
            @if let Some(choice) = target.choice { input type="hidden" name="choice" value=(choice); }
            @if let Some(revision) = target.revision { input type="hidden" name="revision" value=(revision); }
            button id=(format!("{action}-{}", id.join("-"))) { (text) }
        }
    }
}

/// Performs the action of a button, and goes back to the view.
pub(super) async fn perform(
    State(api): State<Api>,
    Path(action): Path<String>,
    headers: HeaderMap,
    Fields(target): Fields<Target>,
) -> Response {
    let back = back(view_of(&action), &headers, &target);
    match act(&api, &action, target).await {
        Ok(true) => Redirect::to(&back).into_response(),
        Ok(false) => fields::unknown(),
        Err(error) => error.into_page(),
    }
}

/// Returns the view that shows the result of an action.
fn view_of(action: &str) -> &'static str {
    match action {
        "choose" | "unchoose" => "/items",
        "answer" | "show" => "/log",
        _ => "/",
    }
}

/// Returns the address of a view: with the page and the search from which the form was sent, and the row of the item.
fn back(view: &str, headers: &HeaderMap, target: &Target) -> String {
    let referer = headers.get(REFERER).and_then(|referer| Uri::try_from(referer.as_bytes()).ok());
    let query = referer.as_ref().filter(|referer| referer.path().ends_with(view)).and_then(Uri::query);
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let row = target.handler.zip(target.item).filter(|_| view == "/items");
    let row = row.map_or_else(String::new, |(handler, item)| format!("#{}", row_id(handler, item)));
    format!("..{view}{query}{row}")
}

/// Performs an action. Returns `false` if there is no such action.
async fn act(api: &Api, action: &str, target: Target) -> Result<bool, ApiError> {
    match (action, target) {
        ("pause", _) => api.manager.pause(),
        ("resume", _) => api.manager.resume(),
        ("run" | "ask", target) => run(api, &target, action)?,
        ("stop", Target { session: Some(session), .. }) => of_session(api, session)?.stop(),
        ("skip", Target { session: Some(session), handler: Some(handler), item: Some(item), .. }) => {
            skip_item(&of_session(api, session)?, handler, item)?;
        }
        ("choose", Target { handler: Some(handler), item: Some(item), .. }) => {
            api.manager.choose(handler, [item], ItemState::Checked).await?;
        }
        ("unchoose", Target { handler: Some(handler), item: Some(item), .. }) => {
            api.manager.choose(handler, [item], ItemState::Unchecked).await?;
        }
        ("answer", Target { handler: Some(handler), entry: Some(entry), choice: Some(choice), revision, .. }) => {
            api.keep(answered(api, (handler, entry), revision, choice)?);
        }
        ("show", Target { handler: Some(handler), entry: Some(entry), .. }) => {
            api.manager.show_error(handler, entry).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn of_session(api: &Api, session: SessionId) -> Result<syncmgr::Session, ApiError> {
    api.session(session).filter(|session| !session.is_idle()).ok_or_else(ApiError::unknown_session)
}

/// Starts a session. It may ask the user if it runs one item, or if the user wants to choose the items.
fn run(api: &Api, target: &Target, action: &str) -> Result<(), ApiError> {
    let request = api.manager.session(Trigger::Manual);
    let request = match (target.handler, target.item) {
        (Some(handler), Some(item)) => request.handlers([handler]).items(handler, [item]).may_bother_user(),
        (Some(handler), None) => request.handlers([handler]),
        _ => request,
    };
    let request = if action == "ask" { request.may_bother_user() } else { request };
    api.keep(request.start()?);
    Ok(())
}
