//! What runs now, and what happened last.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use syncmgr::session::RunningItem;
use syncmgr::{HandlerInfo, Session};

use super::actions::{Target, about, button};
use super::pager::Wanted;
use super::{questions, view, without_name};
use crate::api::{Api, ApiError};
use crate::attention::Attention;

/// Shows the handlers, and the running sessions with their progress.
pub(super) async fn show(State(api): State<Api>) -> Result<Response, ApiError> {
    let mut sessions = api.manager.sessions();
    sessions.retain(|session| !session.is_idle());
    sessions.sort_by_key(Session::id);
    let handlers = api.manager.handlers();
    let pause = if api.manager.is_paused() { ("resume", "Resume") } else { ("pause", "Pause") };
    let content = html! {
        div #live {
            (questions::part(&api.questions.open()))
            div.actions {
                @for (action, text) in [("run", "Run all"), ("ask", "Choose and run"), pause] {
                    (button(action, text, &Target::default())) " "
                }
            }
            @if api.manager.is_paused() { p { "Everything is paused: no item begins." } }
            @for session in &sessions { (session_part(session)) }
            @if sessions.is_empty() { p { "Nothing is running." } }
            (handlers_part(&api, &handlers).await?)
        }
    };
    Ok(view("/", &content))
}

fn session_part(session: &Session) -> Markup {
    let running = session.progress();
    let target = Target { session: Some(session.id()), ..Target::default() };
    html! {
        section id=(format!("session-{}", session.id())) aria-label=(format!("Session {}", session.id())) {
            h3 { "Session " (session.id()) }
            (button("stop", format!("Stop session {}", session.id()), &target))
            table {
                caption { "Running items" }
                thead { tr { th scope="col" { "Item" } th scope="col" { "Progress" } th scope="col" { "Action" } } }
                tbody {
                    @for item in &running { (item_row(session, item)) }
                }
            }
        }
    }
}

fn item_row(session: &Session, RunningItem { handler, item, name, state, .. }: &RunningItem) -> Markup {
    let (handler, item) = (*handler, *item);
    let target = Target { session: Some(session.id()), handler: Some(handler), item: Some(item), ..Target::default() };
    html! {
        tr id=(format!("item-{}-{item}", session.id())) {
            th scope="row" { (name) }
            td {
                @if state.max > 0 {
                    progress max=(state.max) value=(state.value) aria-label=(name) {}
                    " " (state.value.saturating_mul(100) / state.max) "%"
                } @else { progress aria-label=(name) {} }
                @if let Some(text) = &state.text { " " (text) }
            }
            td { (button("skip", about("Skip", name), &target)) }
        }
    }
}

async fn handlers_part(api: &Api, handlers: &[HandlerInfo]) -> Result<Markup, ApiError> {
    let mut rows = Vec::new();
    for info in handlers {
        let explanation = api.manager.explain_handler(info.id())?;
        let attention = Attention::read(&api.manager, &explanation).await?;
        let target = Target { handler: Some(info.id()), ..Target::default() };
        rows.push(html! {
            tr id=(format!("handler-{}", info.id())) {
                th scope="row" { a href=(Wanted::finding(info.name()).of_view("/items")) { (info.name()) } }
                td {
                    (without_name(&explanation, info.name()))
                    @if let Some(reason) = &attention.reason { br; (reason) }
                    @if let Some(asked) = attention.asked() {
                        br; a href=(Wanted::finding(info.name()).of_view("/log")) { (asked) }
                    }
                }
                td { (button("run", about("Run", info.name()), &target)) }
            }
        });
    }
    Ok(html! {
        table {
            caption { "Handlers" }
            thead { tr { th scope="col" { "Handler" } th scope="col" { "State" } th scope="col" { "Action" } } }
            tbody { @for row in &rows { (row) } }
        }
    })
}
