//! Sessions and their reports as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use serde_json::{Value, json};
use syncmgr::session::RunningItem;
use syncmgr::{ItemReport, Report, RunReport, Session};

/// Returns a time in milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the state of a session, without its items.
pub(super) fn summary(session: &Session) -> Value {
    json!({
        "session": session.id().0,
        "trigger": session.trigger(),
        "reason": session.reason(),
        "state": if session.is_idle() { "finished" } else { "running" },
    })
}

/// Returns the state of a session, with the progress of its running items, or with its report.
pub(super) fn session(session: &Session) -> Value {
    let mut all = summary(session);
    match session.report().now_or_never() {
        Some(ended) => all["report"] = report(&ended),
        None => all["progress"] = progress(session),
    }
    all
}

fn progress(session: &Session) -> Value {
    let running = session.progress().into_iter();
    let json = |running: RunningItem| json!({ "handler": running.handler, "item": running.item, "name": running.name, "progress": running.state });
    running.map(json).collect()
}

/// Returns a report.
pub(super) fn report(report: &Report) -> Value {
    json!({
        "session": report.session.0,
        "success": report.is_success(),
        "seconds": report.duration.as_secs_f64(),
        "text": report.to_string(),
        "handlers": report.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &RunReport) -> Value {
    json!({
        "handler": run.handler,
        "name": run.name,
        "ending": run.ending,
        "hold": run.hold,
        "items": run.items().map(|report| item(&report)).collect::<Vec<_>>(),
        "log": run.log,
    })
}

fn item(report: &ItemReport<'_>) -> Value {
    json!({
        "item": report.item.id(),
        "name": report.item.name(),
        "outcome": report.outcome,
        "failure": report.class.map(|class| class.to_string()),
        "hold": report.hold,
    })
}
