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
        SessionEvent::Started { trigger, .. } => ("started", json!({ "trigger": trigger.name() })),
        SessionEvent::Run { handler, handler_name, change } => {
            let (kind, mut data) = run(*change);
            (data["handler"], data["handler_name"]) = (handler.to_string().into(), (**handler_name).into());
            (kind, data)
        }
        SessionEvent::Began { handler, item, name, .. } => {
            ("began", json!({ "handler": handler.to_string(), "item": item.to_string(), "name": &**name }))
        }
        SessionEvent::Progress { handler, item, name, state, .. } => {
            let (handler, item, progress) = (handler.to_string(), item.to_string(), progress(state));
            ("progress", json!({ "handler": handler, "item": item, "name": &**name, "progress": progress }))
        }
        SessionEvent::Ended { handler, item, name, outcome, .. } => {
            let (handler, item, outcome) = (handler.to_string(), item.to_string(), self::outcome(*outcome));
            ("ended", json!({ "handler": handler, "item": item, "name": &**name, "outcome": outcome }))
        }
        SessionEvent::Logged { handler, name, entry, .. } => {
            let (handler, entry) = (handler.to_string(), self::entry(entry));
            ("logged", json!({ "handler": handler, "name": name.as_deref(), "entry": entry }))
        }
        SessionEvent::Idle => ("idle", json!({})),
        SessionEvent::Closed => ("closed", json!({})),
        // The stream also contains kinds that a later version of the manager adds.
        other => ("other", json!({ "debug": format!("{other:?}") })),
    }
}

fn run(change: RunChange) -> (&'static str, Value) {
    match change {
        RunChange::Listed(items) => ("listed", json!({ "items": items })),
        RunChange::Selected(items) => ("selected", json!({ "items": items })),
        RunChange::Preparing => ("preparing", json!({})),
        RunChange::Synchronizing => ("synchronizing", json!({})),
        RunChange::Ended(ending) => ("run_ended", json!({ "ending": self::ending(ending) })),
        other => ("other", json!({ "debug": format!("{other:?}") })),
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
