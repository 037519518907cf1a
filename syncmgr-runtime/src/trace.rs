//! Spans and events for `tracing`, all with the target `syncmgr`. This crate installs no subscriber.
//!
//! | span | level | fields |
//! |---|---|---|
//! | `session` | info | `manager`, `session`, `trigger` |
//! | `handler`, in `session` | info | `session`, `handler` |
//! | `item`, in `handler` | debug | `session`, `handler`, `item` |
//!
//! | event | level | fields |
//! |---|---|---|
//! | `session began` | debug | `manager`, `session`, `trigger`, `handlers` |
//! | `session idle` | info | `manager`, `session`, `seconds` |
//! | `run` | debug | `session`, `handler`, `change` |
//! | `log` | info, warn or error, as the entry | `session`, `handler`, `name`, `text`; `item` and `item_name` if the entry has an item |
//!
//! The names are part of the public interface and do not change within a major version. Ids appear at every level.
//! The names and texts of log entries may be private: filter the event `log` of the target `syncmgr` where they must not be kept.

use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::host::RunId;
use syncmgr_core::id::{ItemId, SessionId};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::port::RunInfo;
use syncmgr_core::text::Escaped;
use syncmgr_core::trigger::Trigger;
use tracing::{Span, debug, debug_span, error, field, info, info_span, warn};
use uuid::Uuid;

use crate::ending::RunChange;

const TARGET: &str = "syncmgr";

/// Creates the span of a session.
pub(crate) fn session(manager: Uuid, session: SessionId, trigger: Trigger) -> Span {
    info_span!(target: TARGET, "session", %manager, %session, trigger = trigger.name())
}

/// Creates the span of a run.
pub(crate) fn handler(of_session: &Span, run: RunId) -> Span {
    info_span!(target: TARGET, parent: of_session, "handler", session = %run.session, handler = %run.handler)
}

/// Creates the span of an item.
pub(crate) fn item(of_handler: &Span, run_info: &RunInfo, item: ItemId) -> Span {
    let RunInfo { session, handler, .. } = run_info;
    debug_span!(target: TARGET, parent: of_handler, "item", %session, %handler, %item)
}

pub(crate) fn session_began(span: &Span, manager: Uuid, session: SessionId, trigger: Trigger, handlers: usize) {
    debug!(target: TARGET, parent: span, %manager, %session, trigger = trigger.name(), handlers, "session began");
}

pub(crate) fn session_idle(span: &Span, manager: Uuid, session: SessionId, lasted: Duration) {
    info!(target: TARGET, parent: span, %manager, %session, seconds = lasted.as_secs_f64(), "session idle");
}

/// Emits a change of a run.
pub(crate) fn run(span: &Span, run: RunId, change: RunChange) {
    debug!(target: TARGET, parent: span, session = %run.session, handler = %run.handler, ?change, "run");
}

/// Emits an entry of the error log, with the names of the handler and the item. Looks the item's name up only for a subscriber.
pub(crate) fn entry(
    span: &Span,
    run: RunId,
    name: &str,
    entry: &LogEntry,
    item_name: impl FnOnce() -> Option<Arc<str>>,
) {
    let RunId { session, handler } = run;
    let (name, text, item) = (shown(name), shown(&entry.text), entry.item.map(field::display));
    match entry.level {
        LogLevel::Information => {
            info!(target: TARGET, parent: span, %session, %handler, name, item,
                item_name = item_name().as_deref().map(shown), text, "log");
        }
        LogLevel::Warning => {
            warn!(target: TARGET, parent: span, %session, %handler, name, item,
                item_name = item_name().as_deref().map(shown), text, "log");
        }
        LogLevel::Error => {
            error!(target: TARGET, parent: span, %session, %handler, name, item,
                item_name = item_name().as_deref().map(shown), text, "log");
        }
    }
}

fn shown(text: &str) -> field::DisplayValue<Escaped<'_>> {
    field::display(Escaped(text))
}
