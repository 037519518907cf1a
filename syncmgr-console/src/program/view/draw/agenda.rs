//! What runs next, and what waits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::data::Of;
use super::super::model::Model;
use super::row::{put, split};
use super::theme::Theme;

pub(super) fn draw(buffer: &mut Buffer, line: Rect, model: &Model, at: usize, theme: Theme) {
    let (left, right) = split(line);
    if let Some((about, text)) = row(model, at) {
        put(buffer, left, &about, theme.bold());
        put(buffer, right, &model.short(&text), theme.plain());
    }
}

/// Returns the subject and the text of a row: first what runs next, then what waits.
pub(super) fn row(model: &Model, at: usize) -> Option<(String, String)> {
    let planned = model.agenda.get(at).map(|planned| (about(model, &planned.entry), planned.text.clone()));
    planned.or_else(|| {
        let held = model.held.get(at.checked_sub(model.agenda.len())?)?;
        Some((about(model, &held.held), format!("waiting: {}", held.text)))
    })
}

fn about(model: &Model, of: &Of) -> String {
    let item = of.item.and_then(|item| model.handler(of.handler)?.items.iter().find(|known| known.id == item));
    let handler = model.name(of.handler);
    item.map_or(handler.clone(), |item| format!("{handler}/{}", item.name))
}
