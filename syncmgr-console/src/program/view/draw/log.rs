//! The log.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::data::{Action, Record};
use super::super::model::Model;
use super::row::{put, put_right};
use super::theme::Theme;
use crate::output::time_of;

pub(super) fn draw(buffer: &mut Buffer, line: Rect, model: &Model, at: usize, theme: Theme) {
    let Some(record) = model.log.get(at) else { return };
    let (sign, style) = theme.of_level(&record.entry.level);
    let rest = match &record.entry.action {
        Some(Action::Decide(_)) => put_right(buffer, line, " enter: answer", theme.bold()),
        Some(Action::Show(_)) => put_right(buffer, line, " enter: show", theme.bold()),
        None => line,
    };
    let time = model.short(&time_of(record.time));
    let text = format!("{sign} {time} {}: {}: {}", about(model, record), record.entry.level, record.entry.text);
    put(buffer, rest, &text, style);
}

/// Returns the handler and the item of an entry.
pub(super) fn about(model: &Model, record: &Record) -> String {
    let handler = model.name(record.handler);
    record.name.as_ref().map_or(handler.clone(), |name| format!("{handler}/{name}"))
}
