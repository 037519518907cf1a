//! The items, with the choice among them.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use syncmgr::item::ItemState;
use syncmgr::session::ItemStatus;
use syncmgr::{HandlerId, HandlerInfo, ItemId};

use super::actions::{Target, about, button};
use super::pager::{Page, Wanted};
use super::settings::Of;
use super::{Part, view, without_name};
use crate::api::{Api, ApiError};

/// The items of a handler that are on the page.
struct Section {
    handler: HandlerInfo,
    items: Vec<ItemId>,
    known: usize,
}

/// Shows the items of all handlers, a page at a time.
pub(super) async fn show(State(api): State<Api>, Part(wanted): Part<Wanted>) -> Result<Response, ApiError> {
    let mut sections = sections(&api, &wanted).await?;
    let page = wanted.of(sections.iter().map(|section| section.items.len()).sum());
    keep(&mut sections, &page, &wanted);
    let mut parts = Vec::new();
    for Section { handler, items, known } in sections {
        let items = api.manager.items_among(handler.id(), items).await?;
        parts.push(part(&handler, &items, known));
    }
    let content = html! {
        (page.search("Find handlers and items"))
        div #live {
            (page.links("Items"))
            @for part in &parts { (part) }
            @if parts.is_empty() { p { @if wanted.is_start() { "There are no handlers." } @else { "Nothing has this name." } } }
            (page.links("Items"))
        }
    };
    Ok(view("/items", &content))
}

/// Returns all items that are searched.
async fn sections(api: &Api, wanted: &Wanted) -> Result<Vec<Section>, ApiError> {
    let mut sections = Vec::new();
    for handler in api.manager.handlers() {
        let names = api.manager.item_names(handler.id()).await?;
        let (known, finds_all) = (names.len(), wanted.finds(handler.name()));
        let found = names.into_iter().filter(|(_, name)| finds_all || wanted.finds(name));
        let items = found.map(|(item, _)| item).collect();
        sections.push(Section { handler, items, known });
    }
    Ok(sections)
}

/// Keeps what is on the page. The first page also has the handlers without items.
fn keep(sections: &mut Vec<Section>, page: &Page<'_>, wanted: &Wanted) {
    let range = page.range();
    let mut start = 0;
    for section in &mut *sections {
        let end = start + section.items.len();
        let kept = range.start.clamp(start, end) - start..range.end.clamp(start, end) - start;
        section.items = section.items.drain(kept).collect();
        start = end;
    }
    let has_none = |section: &Section| section.known == 0 && page.is_first() && wanted.finds(section.handler.name());
    sections.retain(|section| !section.items.is_empty() || has_none(section));
}

fn part(info: &HandlerInfo, items: &[ItemStatus], known: usize) -> Markup {
    html! {
        section id=(info.id()) aria-label=(info.name()) {
            h3 { (info.name()) }
            p { a href=(Of::new(info.id(), None).address()) { "Settings of " (info.name()) } }
            @if items.is_empty() { p { "No items are known yet." } } @else {
                table {
                    caption { @if items.len() < known { (items.len()) " of " } (known) " items" }
                    thead {
                        tr { th scope="col" { "Item" } th scope="col" { "Last result and next run" } th scope="col" { "Actions" } }
                    }
                    tbody { @for item in items { (row(info.id(), item)) } }
                }
            }
        }
    }
}

/// Returns the id of an item's row.
pub(super) fn row_id(handler: HandlerId, item: ItemId) -> String {
    format!("row-{handler}-{item}")
}

fn row(handler: HandlerId, item: &ItemStatus) -> Markup {
    let target = Target { handler: Some(handler), item: Some(item.item), ..Target::default() };
    let (action, verb) =
        if item.choice == ItemState::Checked { ("unchoose", "Leave out") } else { ("choose", "Choose") };
    html! {
        tr id=(row_id(handler, item.item)) {
            th scope="row" { (item.name) }
            td {
                (without_name(item, &item.name))
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
