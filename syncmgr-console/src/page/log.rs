//! The log, with the actions of its entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use syncmgr::log::Action;
use syncmgr::store::LogRecord;
use syncmgr::{HandlerInfo, ItemId, LogLevel};

use super::actions::{Target, button};
use super::view;
use crate::api::{Api, ApiError};
use crate::time::utc;

/// The maximum number of entries on the page.
const SHOWN: usize = 500;

/// Shows the entries of all handlers, the latest first.
pub(super) async fn show(State(api): State<Api>) -> Result<Response, ApiError> {
    let mut rows = Vec::new();
    for info in api.manager.handlers() {
        let items = api.manager.items(info.id()).await?;
        let names: BTreeMap<_, _> = items.into_iter().map(|item| (item.item, item.name)).collect();
        let log = api.manager.log(info.id()).await?;
        rows.extend(log.iter().map(|record| (record.time, row(&info, &names, record))));
    }
    rows.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let content = html! {
        div #live {
            @if rows.is_empty() { p { "The log is empty." } } @else {
                table {
                    caption { "The last entries" }
                    thead {
                        tr { th scope="col" { "Time" } th scope="col" { "About" } th scope="col" { "Entry" } th scope="col" { "Actions" } }
                    }
                    tbody { @for (_, row) in rows.iter().take(SHOWN) { (row) } }
                }
            }
        }
    };
    Ok(view("/log", &content))
}

fn row(info: &HandlerInfo, names: &BTreeMap<ItemId, Arc<str>>, record: &LogRecord) -> Markup {
    let entry = &record.entry;
    let name = entry.item.and_then(|item| names.get(&item));
    html! {
        tr class=(level(entry.level)) {
            td { time { (utc(record.time)) } }
            td { (info.name()) @if let Some(name) = name { "/" (name) } }
            td { strong { (level(entry.level)) } ": " (entry.text) }
            td { @if let (Some(id), Some(action)) = (entry.id, &entry.action) { (actions(info, id, action)) } }
        }
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warning => "warning",
        _ => "information",
    }
}

fn actions(info: &HandlerInfo, id: syncmgr::log::ErrorId, action: &Action) -> Markup {
    let target = Target { handler: Some(info.id()), entry: Some(id), ..Target::default() };
    match action {
        Action::Decide(question) => html! {
            @for (choice, text) in (0..).zip(question.choices.iter()) {
                (button("answer", text, &Target { choice: Some(choice), ..target.clone() })) " "
            }
        },
        Action::Remedy(remedy) => button("show", remedy.to_string(), &target),
        _ => button("show", "Show more", &target),
    }
}
