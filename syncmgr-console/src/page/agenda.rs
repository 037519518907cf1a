//! What runs next, and what waits.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::view;
use crate::api::Api;

/// Shows what runs without a request, in the order of the starts, and what waits.
pub(super) async fn show(State(api): State<Api>) -> Response {
    let names: BTreeMap<_, _> = api.manager.handlers().iter().map(|info| (info.id(), info.name().to_owned())).collect();
    let name = |handler| names.get(&handler).cloned().unwrap_or_default();
    let (agenda, held) = (api.manager.agenda(), api.manager.held());
    let content = html! {
        div #live {
            @if agenda.is_empty() { p { "Nothing runs by itself." } } @else {
                ol { @for entry in &agenda { li { strong { (name(entry.handler)) } " " (entry) } } }
            }
            @if !held.is_empty() {
                h3 { "Waiting" }
                ul { @for held in &held { li { strong { (name(held.handler)) } " " (held.hold) } } }
            }
        }
    };
    view("/agenda", &content)
}
