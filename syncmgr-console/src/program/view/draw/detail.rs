//! All about the selected row.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::super::data::{Action, Record};
use super::super::model::{Model, View};
use super::super::rows::{Live, Node};
use super::theme::Theme;
use super::{agenda, history, log};

/// Returns the height of the part. Low terminals have none.
pub(super) fn height(model: &Model, area: Rect) -> u16 {
    match area.height {
        _ if model.rows(model.view) == 0 => 0,
        ..=11 => 0,
        12..=19 => 3,
        20..=29 => 5,
        _ => 8,
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let Some((title, lines)) = content(model).filter(|_| !area.is_empty()) else { return };
    let block = Block::new().borders(Borders::TOP).border_style(theme.quiet()).title(format!(" {title} "));
    let place = format!(" {} of {} ", model.cursor().at() + 1, model.rows(model.view));
    let block = block.title(Line::from(place).right_aligned());
    let text = Text::from(lines.into_iter().map(Line::from).collect::<Vec<_>>());
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }).block(block), area);
}

/// Returns the title and the lines.
fn content(model: &Model) -> Option<(String, Vec<String>)> {
    let at = model.cursor().at();
    let (title, mut lines) = match model.view {
        View::Items => of_node(&model.selected()?),
        View::Now => of_live(model, &model.live(at)?),
        View::Log => {
            let record = model.record()?;
            (log::about(model, record), vec![record.entry.text.clone()])
        }
        View::Agenda => agenda::row(model, at).map(|(about, text)| (about, vec![text]))?,
        View::History => {
            let past = model.history.get(at)?;
            let handlers: Vec<_> = past.handlers.iter().map(|handler| model.name(*handler)).collect();
            (format!("Session {}", past.session), vec![history::text(past), handlers.join(", ")])
        }
    };
    lines.extend(model.actionable().and_then(action));
    Some((title, lines))
}

fn of_node(node: &Node<'_>) -> (String, Vec<String>) {
    match node {
        Node::Handler(handler) => {
            let lines = [Some(handler.explained().to_owned()), handler.terms()].into_iter().flatten();
            (handler.name.clone(), lines.collect())
        }
        Node::Item(handler, item) => {
            let lines = [item.reason.clone(), Some(item.text.clone())].into_iter().flatten();
            (format!("{}/{}", handler.name, item.name), lines.collect())
        }
    }
}

fn of_live(model: &Model, live: &Live<'_>) -> (String, Vec<String>) {
    match live {
        Live::Session(id, session) => {
            let handlers: Vec<_> = session.selected.keys().map(|handler| model.name(*handler)).collect();
            (format!("Session {id}"), vec![format!("Runs {}.", handlers.join(", "))])
        }
        Live::Item(_, running) => {
            let text = running.progress.text.as_deref().unwrap_or("running");
            let text = syncmgr::text::Escaped(text).to_string();
            (format!("{}/{}", model.name(running.handler), running.name), vec![text])
        }
    }
}

/// Returns what can be done about an entry.
fn action(record: &Record) -> Option<String> {
    match record.entry.action.as_ref()? {
        Action::Show(text) => Some(format!("a: {text}")),
        Action::Decide(choices) => Some(format!("a: answer with {}", choices.join(" or "))),
    }
}
