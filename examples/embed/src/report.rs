//! The progress or report of a session as JSON.

use futures::FutureExt;
use serde_json::{Value, json};
use syncmgr::{ItemReport, Report, RunReport, Session};

use crate::events::{ending, entry, outcome, progress};

/// Returns the report of a session that has ended, or the progress of one that is running.
pub(crate) fn to_json(session: &Session) -> Value {
    match session.report().now_or_never() {
        Some(report) => report_json(&report),
        None => progress_json(session),
    }
}

/// Returns the state of a session, for a list.
pub(crate) fn summary(session: &Session) -> Value {
    let (id, report) = (session.id(), session.report().now_or_never());
    let state = if report.is_some() { "finished" } else { "running" };
    let success = report.map(|report| report.is_success());
    json!({ "session": id.0, "state": state, "success": success, "report": format!("/sync/sessions/{id}") })
}

fn progress_json(session: &Session) -> Value {
    let items = session.progress().into_iter().map(|running| {
        let (handler, item) = (running.handler.to_string(), running.item.to_string());
        json!({ "handler": handler, "item": item, "name": running.name, "progress": progress(&running.state) })
    });
    json!({ "session": session.id().0, "state": "running", "items": items.collect::<Vec<_>>() })
}

fn report_json(report: &Report) -> Value {
    json!({
        "session": report.session.0,
        "state": "finished",
        "success": report.is_success(),
        "seconds": report.duration.as_secs_f64(),
        "handlers": report.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &RunReport) -> Value {
    json!({
        "handler": run.handler.to_string(),
        "name": run.name,
        "ending": run.ending.map(ending),
        "items": run.items().map(|report| item(&report)).collect::<Vec<_>>(),
        "log": run.log.iter().map(|logged| entry(logged)).collect::<Vec<_>>(),
    })
}

fn item(report: &ItemReport<'_>) -> Value {
    json!({
        "item": report.item.id().to_string(),
        "name": report.item.name(),
        "outcome": outcome(report.outcome),
        "failure": report.class.map(|class| class.to_string()),
    })
}
