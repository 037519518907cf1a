//! Earlier sessions.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use syncmgr::store::SessionRecord;

use super::view;
use crate::api::{Api, ApiError};
use crate::time::utc;

/// The number of sessions on the page.
const SHOWN: usize = 100;

/// Shows the last sessions, the latest first.
pub(super) async fn show(State(api): State<Api>) -> Result<Response, ApiError> {
    let sessions = api.manager.history_page(None, SHOWN).await?;
    let content = html! {
        div #live {
            @if sessions.is_empty() { p { "No session is stored yet." } } @else {
                table {
                    caption { "The last sessions" }
                    thead {
                        tr { th scope="col" { "Session" } th scope="col" { "Began" } th scope="col" { "Result" } th scope="col" { "Items" } }
                    }
                    tbody { @for record in sessions.iter().rev() { (row(record)) } }
                }
            }
        }
    };
    Ok(view("/history", &content))
}

fn row(record: &SessionRecord) -> Markup {
    html! {
        tr {
            th scope="row" { (record.session) }
            td { time { (utc(record.began)) } }
            @match &record.end {
                None => { td { "running" } td {} }
                Some(end) => {
                    td { (end.outcome) }
                    td { @for (at, (outcome, items)) in end.outcomes.iter().enumerate() { @if at > 0 { ", " } (items) " " (outcome) } }
                }
            }
        }
    }
}
