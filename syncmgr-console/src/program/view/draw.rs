//! Draws the model. Only rows on the screen are drawn.

mod agenda;
mod bottom;
mod detail;
mod dialog;
mod help;
mod history;
mod items;
mod log;
mod now;
mod row;
mod theme;
mod top;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

pub(super) use self::theme::Theme;
use super::model::{Model, Overlay, View};

/// The smallest terminal in which the view works.
const SMALLEST: (u16, u16) = (40, 10);

/// Draws the model, and notes which rows are on the screen.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(frame);
    }
    let question = u16::from(!model.questions.is_empty());
    let detail = detail::height(model, area);
    let parts = [1, 1, question].map(Constraint::Length).into_iter();
    let parts = parts.chain([Constraint::Min(1), Constraint::Length(detail), Constraint::Length(1)]);
    let [tabs, status, banner, list, below, keys] = Layout::vertical(parts).areas(area);
    top::tabs(frame.buffer_mut(), tabs, model, theme);
    top::status(frame.buffer_mut(), status, model, theme);
    top::question(frame.buffer_mut(), banner, model, theme);
    draw_list(frame, list, model, theme);
    detail::draw(frame, below, model, theme);
    bottom::draw(frame.buffer_mut(), keys, model, theme);
    match &mut model.overlay {
        None => {}
        Some(Overlay::Help) => help::draw(frame, area, theme),
        Some(Overlay::Dialog(shown)) => dialog::draw(frame, area, shown, theme),
    }
}

fn too_small(frame: &mut Frame<'_>) {
    let (width, height) = SMALLEST;
    let text = format!("This terminal is too small. The view needs {width} columns and {height} lines. q quits.");
    let text = ratatui::widgets::Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(text, frame.area());
}

/// Draws the rows of the shown list that fit.
fn draw_list(frame: &mut Frame<'_>, area: Rect, model: &mut Model, theme: Theme) {
    let rows = model.rows(model.view);
    let window = model.cursors[model.view as usize].window(rows, area.height.into());
    let selected = model.cursor().at();
    let buffer = frame.buffer_mut();
    if rows == 0 {
        let line = Rect { height: 1, ..area };
        return row::put(buffer, row::after(line, 1), empty(model), theme.quiet());
    }
    for (line, at) in area.rows().zip(window) {
        let inner = row::after(line, 1);
        match model.view {
            View::Items => items::draw(buffer, inner, model, at, theme),
            View::Now => now::draw(buffer, inner, model, at, theme),
            View::Log => log::draw(buffer, inner, model, at, theme),
            View::Agenda => agenda::draw(buffer, inner, model, at, theme),
            View::History => history::draw(buffer, inner, model, at, theme),
        }
        if at == selected {
            row::put(buffer, line, ">", theme.plain());
            buffer.set_style(line, theme.selected());
        }
    }
}

/// Returns the text of an empty list. The words are those of the page.
fn empty(model: &Model) -> &'static str {
    match model.view {
        View::Items if model.link == super::model::Link::Connecting => "",
        View::Items => "There are no handlers.",
        View::Now => "Nothing is running.",
        View::Log => "The log is empty.",
        View::Agenda => "Nothing runs by itself.",
        View::History => "No session is stored yet.",
    }
}
