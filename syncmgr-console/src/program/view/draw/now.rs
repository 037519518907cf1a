//! The sessions that run, with their items.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::event::{Running, Session};
use super::super::model::Model;
use super::super::rows::Live;
use super::row::{after, bar, first, percent, put, split};
use super::theme::Theme;

pub(super) fn draw(buffer: &mut Buffer, line: Rect, model: &Model, at: usize, theme: Theme) {
    match model.live(at) {
        Some(Live::Session(id, session)) => draw_session(buffer, line, id, session, theme),
        Some(Live::Item(_, running)) => {
            let (left, right) = split(line);
            put(buffer, left, &format!("  {}/{}", model.name(running.handler), running.name), theme.plain());
            progress(buffer, right, running, theme);
        }
        None => {}
    }
}

fn draw_session(buffer: &mut Buffer, line: Rect, id: u64, session: &Session, theme: Theme) {
    let (left, right) = split(line);
    put(buffer, left, &format!("Session {id}: {}", session.reason), theme.bold());
    let (ended, all) = (session.ended.values().sum::<u64>(), session.selected.values().sum::<u64>().max(1));
    let width = bar_width(right);
    put(buffer, first(right, width), &bar(ended, all, width).unwrap_or_default(), theme.good());
    let outcomes: Vec<_> = session.ended.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    let outcomes = if outcomes.is_empty() { String::new() } else { format!(": {}", outcomes.join(", ")) };
    put(buffer, after(right, width + 1), &format!("{ended} of {all} items{outcomes}"), theme.plain());
}

/// Draws the progress of an item: a bar, the percentage, the time left, the rate, and what it does.
pub(super) fn progress(buffer: &mut Buffer, line: Rect, running: &Running, theme: Theme) {
    let state = &running.progress;
    let width = bar_width(line);
    let text = match bar(state.value, state.max, width) {
        Some(bar) => {
            put(buffer, first(line, width), &bar, theme.live());
            format!("{:>3}%", percent(state.value, state.max))
        }
        None if state.value > 0 => format!("▶ running, {} done", state.value),
        None => "▶ running".to_owned(),
    };
    let rest = if state.max > 0 { after(line, width + 1) } else { line };
    let left = if state.max > 0 { running.rate.left(state.max) } else { None };
    let parts = [Some(text), left, running.rate.text(), state.text.as_deref().map(safe)];
    put(buffer, rest, &parts.into_iter().flatten().collect::<Vec<_>>().join("  "), theme.live());
}

fn bar_width(line: Rect) -> u16 {
    (line.width / 3).clamp(6, 24)
}

fn safe(text: &str) -> String {
    syncmgr::text::Escaped(text).to_string()
}
