//! What runs next, and what waits.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::pager::Wanted;
use super::{Part, view};
use crate::api::Api;

/// The maximum number of items that are shown as waiting. A session of many items has many of them.
const WAITING: usize = 100;

/// Shows what runs without a request, in the order of the starts, a page at a time, and what waits.
pub(super) async fn show(State(api): State<Api>, Part(wanted): Part<Wanted>) -> Response {
    let names: BTreeMap<_, _> = api.manager.handlers().iter().map(|info| (info.id(), info.name().to_owned())).collect();
    let name = |handler| names.get(&handler).cloned().unwrap_or_default();
    let (mut agenda, held) = (api.manager.agenda(), api.manager.held());
    agenda.retain(|entry| wanted.finds(&name(entry.handler)));
    let page = wanted.of(agenda.len());
    let content = html! {
        (page.search("Find handlers"))
        div #live {
            (page.links("Starts"))
            @if agenda.is_empty() { p { "Nothing runs by itself." } } @else {
                ol start=(page.range().start + 1) {
                    @for entry in &agenda[page.range()] { li { strong { (name(entry.handler)) } " " (entry) } }
                }
            }
            (page.links("Starts"))
            @if !held.is_empty() {
                h3 { "Waiting" }
                ul { @for held in held.iter().take(WAITING) { li { strong { (name(held.handler)) } " " (held.hold) } } }
                @if let Some(more) = held.len().checked_sub(WAITING).filter(|more| *more > 0) { p { "and " (more) " more" } }
            }
        }
    };
    view("/agenda", &content)
}
