//! The settings of a handler or an item: when it runs by itself, and what it requires.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use syncmgr::schedule::{KnownSettings, OverrideKind};
use syncmgr::session::SettingsError;
use syncmgr::{HandlerId, ItemId, Subject};

use super::fields::{self, Fields};
use super::{page, refused};
use crate::api::{Api, ApiError};
use crate::settings::{self, Texts};

/// The handler or item.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Of {
    handler: HandlerId,
    item: Option<ItemId>,
}

impl Of {
    pub(super) fn new(handler: HandlerId, item: Option<ItemId>) -> Self {
        Self { handler, item }
    }

    /// Returns the address of the settings.
    pub(super) fn address(self) -> String {
        let Self { handler, item } = self;
        item.map_or_else(
            || format!("./settings?handler={handler}"),
            |item| format!("./settings?handler={handler}&item={item}"),
        )
    }

    fn subject(self) -> Subject {
        self.item.map_or(Subject::Handler, Subject::Item)
    }
}

/// A form that was sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    setting: String,
    handler: HandlerId,
    item: Option<ItemId>,
    /// `None` to let the declared value apply.
    value: Option<String>,
}

/// A value that was refused, and why.
struct Refused<'a> {
    kind: OverrideKind,
    value: &'a str,
    problem: String,
}

/// Shows the settings.
pub(super) async fn show(State(api): State<Api>, of: Result<Query<Of>, QueryRejection>) -> Response {
    match of {
        Ok(Query(of)) => view(&api, of, None).await.unwrap_or_else(ApiError::into_page),
        Err(_) => refused(StatusCode::BAD_REQUEST, "The address does not name a handler or an item."),
    }
}

/// Sets or resets a value. A value that is refused is shown again, with the reason.
pub(super) async fn change(State(api): State<Api>, Fields(sent): Fields<Sent>) -> Response {
    let Ok(kind) = sent.setting.parse() else { return fields::unknown() };
    let of = Of::new(sent.handler, sent.item);
    let problem = match perform(&api, of, kind, sent.value.as_deref()).await {
        Ok(()) => return Redirect::to(&format!("{}#{kind}", of.address())).into_response(),
        Err(SettingsError::Store(error)) => return ApiError::from(error).into_page(),
        Err(error) => error.to_string(),
    };
    let value = sent.value.unwrap_or_default();
    let again = view(&api, of, Some(Refused { kind, value: &value, problem })).await;
    again.unwrap_or_else(ApiError::into_page)
}

/// Sets a value. An unreadable text is refused like a value that cannot apply.
async fn perform(api: &Api, of: Of, kind: OverrideKind, text: Option<&str>) -> Result<(), SettingsError> {
    let (handler, subject) = (of.handler, of.subject());
    match text.map(|text| settings::parse(kind, text)) {
        Some(Ok(value)) => api.manager.set_override(handler, subject, value).await,
        Some(Err(error)) => Err(error.into()),
        None => api.manager.reset_override(handler, subject, kind).await,
    }
}

async fn view(api: &Api, of: Of, refused: Option<Refused<'_>>) -> Result<Response, ApiError> {
    let known = api.manager.settings(of.handler, of.subject())?;
    let name = name(api, of).await?;
    let status = if refused.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let content = html! {
        p { a href="./items" { "Back to the items" } }
        @for kind in OverrideKind::ALL {
            (section(of, &known, kind, refused.as_ref().filter(|refused| refused.kind == kind)))
        }
    };
    Ok(page(status, ("/items", &format!("Settings of {name}")), &content))
}

async fn name(api: &Api, of: Of) -> Result<String, ApiError> {
    if let Some(item) = of.item {
        let explanation = api.manager.explain_item(of.handler, item)?;
        return Ok(explanation.name.map_or_else(|| item.to_string(), |name| name.to_string()));
    }
    let handlers = api.manager.handlers();
    let info = handlers.iter().find(|info| info.id() == of.handler);
    Ok(info.map_or_else(|| of.handler.to_string(), |info| info.name().to_owned()))
}

/// Returns the form of a setting.
fn section(of: Of, known: &KnownSettings, kind: OverrideKind, refused: Option<&Refused<'_>>) -> Markup {
    let Texts { in_force, declared, set } = Texts::of(known, kind);
    let (title, label, hint) = words(kind);
    let in_force = in_force.unwrap_or_default();
    let [hint_id, error_id] = ["hint", "error"].map(|part| format!("{kind}-{part}"));
    let described = if refused.is_some() { format!("{error_id} {hint_id}") } else { hint_id.clone() };
    html! {
        section id=(kind) aria-labelledby=(format!("{kind}-title")) {
            h3 id=(format!("{kind}-title")) { (title) }
            form.setting method="post" action="./settings" {
                (hidden(of, kind))
                label for=(format!("{kind}-value")) { (label) }
                input type="text" name="value" id=(format!("{kind}-value")) required autocomplete="off" spellcheck="false"
                    value=(refused.map_or(in_force.as_str(), |refused| refused.value))
                    aria-describedby=(described) aria-invalid=[refused.map(|_| "true")];
                @if let Some(refused) = refused { p.problem id=(error_id) role="alert" { (refused.problem) } }
                p id=(hint_id) { (hint) }
                button { "Set the " (kind) }
            }
            @if set.is_some() {
                p { "You have set this. The program declares: " (declared.as_deref().unwrap_or("nothing")) "." }
                form method="post" action="./settings" { (hidden(of, kind)) button { "Reset the " (kind) } }
            }
        }
    }
}

fn hidden(of: Of, kind: OverrideKind) -> Markup {
    html! {
        input type="hidden" name="setting" value=(kind);
        input type="hidden" name="handler" value=(of.handler);
        @if let Some(item) = of.item { input type="hidden" name="item" value=(item); }
    }
}

/// Returns the title, the label of the field, and the hint of a setting.
fn words(kind: OverrideKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        OverrideKind::Schedule => (
            "Schedule",
            "When it runs by itself",
            "For example: every 15m, cron 30 2 * * * in Europe/Berlin, once 2026-12-01T02:30:00Z, or never.",
        ),
        OverrideKind::Requirements => (
            "Requirements",
            "What it requires to run by itself",
            "Words with commas: unmetered-network, internet, mains, battery-not-low, idle-user, active-user; or none.",
        ),
        _ => (
            "Window",
            "The hours in which it may run by itself",
            "For example: 22:00-06:00 in local, 00:00-24:00 in local on SAT,SUN, or always.",
        ),
    }
}
