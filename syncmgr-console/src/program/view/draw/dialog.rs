//! A question.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::super::cursor::Cursor;
use super::super::data::Choice;
use super::super::dialog::{Body, Dialog};
use super::row::{after, put};
use super::theme::Theme;

/// The maximum width in columns.
const WIDTH: u16 = 70;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, dialog: &mut Dialog, theme: Theme) {
    let width = WIDTH.min(area.width - 2);
    let text = Paragraph::new(dialog.text.as_str()).wrap(Wrap { trim: true });
    let lines = lines_of(&dialog.text, width - 4).min(area.height / 3);
    let rows = u16::try_from(rows(&dialog.body)).unwrap_or(u16::MAX);
    let height = (rows.saturating_add(lines).saturating_add(3)).min(area.height);
    let area = area.centered(Constraint::Length(width), Constraint::Length(height));
    let block = Block::bordered().border_style(theme.bold()).title(format!(" {} ", dialog.title));
    let block = block.title_bottom(format!(" {} ", keys(&dialog.body)));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let [above, _, below] = Layout::vertical([Constraint::Length(lines), Constraint::Length(1), Constraint::Min(1)])
        .areas(after_both(inner));
    frame.render_widget(text, above);
    draw_body(frame.buffer_mut(), below, &mut dialog.body, theme);
}

/// Returns the area without a column at each side.
fn after_both(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

/// Returns a bound of the number of lines of a wrapped text.
fn lines_of(text: &str, width: u16) -> u16 {
    let columns = u16::try_from(ratatui::text::Span::raw(text).width()).unwrap_or(u16::MAX);
    // Words that do not fit leave room at the ends of lines.
    1 + columns / (width * 4 / 5).max(1)
}

fn rows(body: &Body) -> usize {
    match body {
        Body::Choices { choices, .. } => choices.len(),
        Body::Secret(_) => 1,
        Body::Items { offered, .. } => offered.len(),
    }
}

fn keys(body: &Body) -> &'static str {
    match body {
        Body::Choices { .. } => "↑ ↓ enter: answer, esc: later",
        Body::Secret(_) => "enter: send, nothing: no answer, esc: later",
        Body::Items { .. } => "space: choose, enter: run these, n: none, esc: later",
    }
}

fn draw_body(buffer: &mut Buffer, area: Rect, body: &mut Body, theme: Theme) {
    match body {
        Body::Secret(typed) => {
            put(buffer, area, &format!("{}_", "•".repeat(typed.chars().count())), theme.bold());
        }
        Body::Choices { choices, cursor } => {
            let text = |at: usize| format!("{} {}", at + 1, choices[at].0);
            draw_rows(buffer, area, (cursor, choices.len()), text, theme);
        }
        Body::Items { offered, cursor } => {
            let mark = |choice| if choice == Choice::Checked { "[x]" } else { "[ ]" };
            let text = |at: usize| format!("{} {}", mark(offered[at].choice), offered[at].name);
            draw_rows(buffer, area, (cursor, offered.len()), text, theme);
        }
    }
}

fn draw_rows(
    buffer: &mut Buffer,
    area: Rect,
    (cursor, rows): (&mut Cursor, usize),
    text: impl Fn(usize) -> String,
    theme: Theme,
) {
    let window = cursor.window(rows, area.height.into());
    for (line, at) in area.rows().zip(window) {
        put(buffer, after(line, 2), &text(at), theme.plain());
        if at == cursor.at() {
            put(buffer, line, ">", theme.bold());
            buffer.set_style(line, theme.selected());
        }
    }
}
