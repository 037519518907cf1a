//! The help: all keys.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::super::bindings::BINDINGS;
use super::theme::Theme;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let lines: Vec<_> =
        BINDINGS.iter().map(|binding| Line::from(format!(" {:<6} {}", binding.keys, binding.help))).collect();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let area = area.centered(Constraint::Length(66.min(area.width)), Constraint::Length(height));
    let block = Block::bordered().border_style(theme.bold()).title(" Keys ").title_bottom(" any key closes ");
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
