//! Earlier sessions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::data::Past;
use super::super::model::Model;
use super::row::put;
use super::theme::Theme;
use crate::output::time_of;

pub(super) fn draw(buffer: &mut Buffer, line: Rect, model: &Model, at: usize, theme: Theme) {
    let Some(past) = model.history.get(at) else { return };
    let (sign, style) = match past.end.as_ref().map(|end| end.outcome.as_str()) {
        None => ('▶', theme.live()),
        Some("clean") => ('✓', theme.good()),
        Some(_) => ('✗', theme.error()),
    };
    put(buffer, line, &format!("{sign} {} {}", model.short(&time_of(past.began)), text(past)), style);
}

/// Returns the number, the result and the items of a session.
pub(super) fn text(past: &Past) -> String {
    let Some(end) = &past.end else { return format!("session {}: running", past.session) };
    let items: Vec<_> = end.items.iter().map(|(outcome, items)| format!("{items} {outcome}")).collect();
    let items = if items.is_empty() { String::new() } else { format!(", {}", items.join(", ")) };
    format!("session {}: {}{items}", past.session, end.outcome)
}
