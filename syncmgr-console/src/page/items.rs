//! The items, with the choice among them.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use syncmgr::item::ItemState;
use syncmgr::session::ItemStatus;
use syncmgr::{HandlerId, HandlerInfo};

use super::actions::{Target, about, button};
use super::settings::Of;
use super::view;
use crate::api::{Api, ApiError};

/// Shows the items of all handlers.
pub(super) async fn show(State(api): State<Api>) -> Result<Response, ApiError> {
    let mut parts = Vec::new();
    for info in api.manager.handlers() {
        let items = api.manager.items(info.id()).await?;
        parts.push(part(&info, &items));
    }
    let content = html! {
        div #live {
            @for part in &parts { (part) }
            @if parts.is_empty() { p { "There are no handlers." } }
        }
    };
    Ok(view("/items", &content))
}

fn part(info: &HandlerInfo, items: &[ItemStatus]) -> Markup {
    html! {
        section id=(info.id()) aria-label=(info.name()) {
            h3 { (info.name()) }
            p { a href=(Of::new(info.id(), None).address()) { "Settings of " (info.name()) } }
            @if items.is_empty() { p { "No items are known yet." } } @else {
                table {
                    caption { (items.len()) " items" }
                    thead {
                        tr { th scope="col" { "Item" } th scope="col" { "Last result and next run" } th scope="col" { "Actions" } }
                    }
                    tbody { @for item in items { (row(info.id(), item)) } }
                }
            }
        }
    }
}

fn row(handler: HandlerId, item: &ItemStatus) -> Markup {
    let target = Target { handler: Some(handler), item: Some(item.item), ..Target::default() };
    let (action, verb) =
        if item.choice == ItemState::Checked { ("unchoose", "Leave out") } else { ("choose", "Choose") };
    html! {
        tr id=(format!("row-{handler}-{}", item.item)) {
            th scope="row" { (item.name) }
            td {
                (item.explanation)
                @if let Some(reason) = &item.reason { br; (reason) }
                @for set in item.settings.overrides.iter() { br; "You have set the " (set.kind()) ": " (set) }
            }
            td {
                (button("run", about("Run", &item.name), &target)) " "
                (button(action, about(verb, &item.name), &target)) " "
                a href=(Of::new(handler, Some(item.item)).address()) { (about("Settings", &format!("of {}", item.name))) }
            }
        }
    }
}
