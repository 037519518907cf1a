//! What happens in a session, as server-sent events with JSON in them.

use axum::response::sse::Event;
use serde_json::{Value, json};
use syncmgr::log::Action;
use syncmgr::progress::{ProgressState, Status};
use syncmgr::session::RunChange;
use syncmgr::{LogEntry, LogLevel, Outcome, RunEnding, SessionEvent};

use crate::json;

/// An event on its way out: its kind as the event's name, the rest as its data.
pub(crate) fn sent(event: &SessionEvent) -> Event {
    let (kind, data) = shown(event);
    // Our own values always go into JSON; the text is on one line.
    Event::default().event(kind).data(json::text(&data).unwrap_or_default())
}

fn shown(event: &SessionEvent) -> (&'static str, Value) {
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
        SessionEvent::Rested => ("rested", json!({})),
        // The manager may learn more kinds; a stream that is to be complete says so.
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

/// How far an item is. What it has not said is null.
pub(crate) fn progress(state: &ProgressState) -> Value {
    let total = Some(state.max).filter(|max| *max > 0);
    json!({ "done": state.value, "total": total, "text": state.text.as_deref(), "status": state.status.map(status) })
}

/// An entry of the log, with the choices where it asks a question.
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

/// How an item ended, in one word.
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

/// How a run ended, in one word; why is in its log.
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
