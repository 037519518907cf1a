//! Session events as server-sent events with JSON data.

use axum::response::sse::Event;
use serde_json::{Value, json};
use syncmgr::log::Action;
use syncmgr::progress::{ProgressState, Status};
use syncmgr::session::RunChange;
use syncmgr::{LogEntry, LogLevel, Outcome, RunEnding, SessionEvent};

use crate::json;

/// Converts a session event. The kind of the event becomes the name of the server-sent event.
pub(crate) fn to_sse(event: &SessionEvent) -> Event {
    let (kind, data) = to_json(event);
    // These values always serialize, and to a single line.
    Event::default().event(kind).data(json::text(&data).unwrap_or_default())
}

fn to_json(event: &SessionEvent) -> (&'static str, Value) {
    match event {
        SessionEvent::Run { handler, change } => run(&handler.to_string(), *change),
        SessionEvent::Began { handler, item, name } => {
            ("began", json!({ "handler": handler.to_string(), "item": item.to_string(), "name": &**name }))
        }
        SessionEvent::Progress { handler, item, state } => {
            let progress = progress(state);
            ("progress", json!({ "handler": handler.to_string(), "item": item.to_string(), "progress": progress }))
        }
        SessionEvent::Ended { handler, item, outcome } => {
            let outcome = self::outcome(*outcome);
            ("ended", json!({ "handler": handler.to_string(), "item": item.to_string(), "outcome": outcome }))
        }
        SessionEvent::Logged { handler, entry } => {
            ("logged", json!({ "handler": handler.to_string(), "entry": self::entry(entry) }))
        }
        SessionEvent::Idle => ("idle", json!({})),
        // The stream also contains kinds that a later version of the manager adds.
        other => ("other", json!({ "debug": format!("{other:?}") })),
    }
}

fn run(handler: &str, change: RunChange) -> (&'static str, Value) {
    match change {
        RunChange::Listed(items) => ("listed", json!({ "handler": handler, "items": items })),
        RunChange::Preparing => ("preparing", json!({ "handler": handler })),
        RunChange::Synchronizing => ("synchronizing", json!({ "handler": handler })),
        RunChange::Ended(ending) => ("run_ended", json!({ "handler": handler, "ending": self::ending(ending) })),
        other => ("other", json!({ "handler": handler, "debug": format!("{other:?}") })),
    }
}

/// The progress of an item. Fields that the item has not reported are null.
pub(crate) fn progress(state: &ProgressState) -> Value {
    let total = Some(state.max).filter(|max| *max > 0);
    json!({ "done": state.value, "total": total, "text": state.text.as_deref(), "status": state.status.map(status) })
}

/// A log entry. The choices are null unless the entry is a question.
pub(crate) fn entry(entry: &LogEntry) -> Value {
    let level = match entry.level {
        LogLevel::Information => "information",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    };
    let choices = match &entry.action {
        Some(Action::Decide(question)) => Some(question.choices.iter().map(|choice| &**choice).collect::<Vec<_>>()),
        _ => None,
    };
    let item = entry.item.map(|item| item.to_string());
    json!({ "level": level, "item": item, "text": &*entry.text, "choices": choices })
}

/// The outcome of an item in one word.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
        Outcome::Stopped => "stopped",
        Outcome::NeedsUser => "needs_user",
        _ => "other",
    }
}

/// The ending of a run in one word. The log has the reason.
pub(crate) fn ending(ending: RunEnding) -> &'static str {
    match ending {
        RunEnding::Declined => "declined",
        RunEnding::NotBegun(_) => "not_begun",
        RunEnding::NothingToDo => "nothing_to_do",
        RunEnding::Held => "held",
        RunEnding::Stopped => "stopped",
        RunEnding::NotPrepared(_) => "not_prepared",
        RunEnding::NotCompleted(_) => "not_completed",
        RunEnding::Completed => "completed",
        _ => "other",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Stopped => "stopped",
        Status::Skipped => "skipped",
        Status::Pending => "pending",
        Status::Updating => "updating",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Paused => "paused",
        Status::Resuming => "resuming",
        Status::UpdatingIndeterminate => "updating_indeterminate",
        Status::Deleted => "deleted",
        _ => "other",
    }
}
