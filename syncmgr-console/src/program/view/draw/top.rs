//! The lines at the top: the lists, the state of the manager, and an open question.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::super::model::{Link, Model, Notice, View};
use super::row::{after, put, put_right};
use super::theme::Theme;

/// Draws the titles of the lists. The shown one is in brackets.
pub(super) fn tabs(buffer: &mut Buffer, line: Rect, model: &Model, theme: Theme) {
    let link = match model.link {
        Link::Connecting => "connecting ",
        Link::Live => "live ",
        Link::Lost => "no answer ",
    };
    let mut rest = put_right(buffer, line, link, theme.quiet());
    for (number, view) in (1..).zip(View::ALL) {
        let is_shown = view == model.view;
        let title = if rest.width < line.width / 8 { String::new() } else { format!("{number} {}", view.title()) };
        let (text, style) =
            if is_shown { (format!("[{title}]"), theme.bold()) } else { (format!(" {title} "), theme.plain()) };
        put(buffer, rest, &text, style);
        rest = after(rest, u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX));
    }
}

/// Draws what the manager does, or what the last action led to.
pub(super) fn status(buffer: &mut Buffer, line: Rect, model: &Model, theme: Theme) {
    let line = after(line, 1);
    match (&model.link, &model.notice) {
        (Link::Lost, _) => {
            let text = "The program does not answer. The view may be out of date; it connects again by itself.";
            put(buffer, line, text, theme.error());
        }
        (_, Some(Notice::Error(text))) => put(buffer, line, &format!("✗ {text}"), theme.error()),
        (_, Some(Notice::Info(text))) => put(buffer, line, text, theme.plain()),
        _ => put(buffer, line, &activity(model), theme.quiet()),
    }
}

fn activity(model: &Model) -> String {
    let running: usize = model.sessions.values().map(|session| session.items.len()).sum();
    let activity = match (model.link == Link::Live, model.sessions.len()) {
        (false, _) => return String::new(),
        (true, 0) => "Nothing is running.".to_owned(),
        (true, 1) if running == 0 => "1 session runs.".to_owned(),
        (true, 1) => format!("{} in 1 session.", counted(running)),
        (true, sessions) => format!("{} in {sessions} sessions.", counted(running)),
    };
    if model.paused { format!("Paused: no item begins. {activity}") } else { activity }
}

fn counted(running: usize) -> String {
    match running {
        1 => "1 item runs".to_owned(),
        _ => format!("{running} items run"),
    }
}

/// Draws the first open question.
pub(super) fn question(buffer: &mut Buffer, line: Rect, model: &Model, theme: Theme) {
    let Some(question) = model.questions.first().filter(|_| !line.is_empty()) else { return };
    buffer.set_style(line, theme.attention());
    let more = match model.questions.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let rest = put_right(buffer, after(line, 1), &format!("  a: answer{more} "), theme.bold());
    put(buffer, rest, &format!("? {}: {}", question.asker, question.text), theme.bold());
}
