//! The log, with the actions of its entries.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use syncmgr::log::Action;
use syncmgr::store::LogRecord;
use syncmgr::{HandlerInfo, LogLevel};

use super::actions::{Target, button};
use super::pager::Wanted;
use super::{Part, view};
use crate::api::{Api, ApiError};
use crate::time::utc;

/// An entry of the log, with the name of what it is about.
struct Row<'a> {
    handler: &'a HandlerInfo,
    record: LogRecord,
    about: String,
}

/// Shows the entries of all handlers, the latest first, a page at a time.
pub(super) async fn show(State(api): State<Api>, Part(wanted): Part<Wanted>) -> Result<Response, ApiError> {
    let handlers = api.manager.handlers();
    let mut rows = Vec::new();
    for handler in &handlers {
        rows.extend(rows_of(&api, handler).await?.into_iter().filter(|row| wanted.finds(&row.about)));
    }
    rows.sort_by_key(|row| Reverse(row.record.time));
    let page = wanted.of(rows.len());
    let content = html! {
        (page.search("Find handlers and items"))
        div #live {
            (page.links("Entries"))
            @if rows.is_empty() { p { @if wanted.is_start() { "The log is empty." } @else { "No entry is about this name." } } } @else {
                table {
                    caption { "The last entries" }
                    thead {
                        tr { th scope="col" { "Time" } th scope="col" { "About" } th scope="col" { "Entry" } th scope="col" { "Actions" } }
                    }
                    tbody { @for row in &rows[page.range()] { (shown(row)) } }
                }
            }
            (page.links("Entries"))
        }
    };
    Ok(view("/log", &content))
}

async fn rows_of<'a>(api: &Api, handler: &'a HandlerInfo) -> Result<Vec<Row<'a>>, ApiError> {
    let names: BTreeMap<_, _> = api.manager.item_names(handler.id()).await?.into_iter().collect();
    let about = |record: &LogRecord| match record.entry.item.and_then(|item| names.get(&item)) {
        Some(name) => format!("{}/{name}", handler.name()),
        None => handler.name().to_owned(),
    };
    let log = api.manager.log(handler.id()).await?.into_iter();
    // The latest first, also of those with the same time.
    Ok(log.rev().map(|record| Row { handler, about: about(&record), record }).collect())
}

fn shown(Row { handler: info, record, about }: &Row<'_>) -> Markup {
    let entry = &record.entry;
    html! {
        tr class=(level(entry.level)) {
            td { time { (utc(record.time)) } }
            td { (about) }
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
                (button("answer", text, &Target { choice: Some(choice), revision: Some(question.revision()), ..target.clone() })) " "
            }
        },
        Action::Remedy(remedy) => button("show", remedy.to_string(), &target),
        _ => button("show", "Show more", &target),
    }
}
