//! The items, as a tree with the choice among them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use syncmgr::ItemId;

use super::super::data::{Choice, Condition, Handler, Item};
use super::super::event::Running;
use super::super::model::Model;
use super::super::rows::Node;
use super::now::progress;
use super::row::{is_narrow, put, split};
use super::theme::Theme;

pub(super) fn draw(buffer: &mut Buffer, line: Rect, model: &Model, at: usize, theme: Theme) {
    match model.node(at) {
        Some(Node::Handler(handler)) => draw_handler(buffer, line, model, handler, theme),
        Some(Node::Item(handler, item)) => draw_item(buffer, line, model, (handler, item), theme),
        None => {}
    }
}

fn draw_handler(buffer: &mut Buffer, line: Rect, model: &Model, handler: &Handler, theme: Theme) {
    let (left, right) = split(line);
    let fold = if model.folded.contains(&handler.id) { "▸" } else { "▾" };
    put(buffer, left, &format!("{fold} {} {}", handler_box(handler), handler.name), theme.bold());
    put(buffer, right, &summary(model, handler), theme.plain());
}

fn handler_box(handler: &Handler) -> &'static str {
    let chosen = handler.items.iter().filter(|item| item.choice == Choice::Checked).count();
    match chosen {
        _ if handler.items.is_empty() => "   ",
        0 => "[ ]",
        _ if chosen == handler.items.len() => "[x]",
        _ => "[-]",
    }
}

/// Returns the explanation of a handler, and the number of its items in each condition that matters.
fn summary(model: &Model, handler: &Handler) -> String {
    let text = model.short(handler.explained());
    let count = |condition| handler.items.iter().filter(|item| item.condition == condition).count();
    let counted = [(count(Condition::Failed), "failed"), (count(Condition::NeedsUser), "needs user")];
    let counted = counted.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}, "));
    let counted: String = counted.collect();
    match handler.items.is_empty() {
        true => format!("{}; no items are known yet", text),
        false => format!("{counted}{}", text),
    }
}

fn draw_item(buffer: &mut Buffer, line: Rect, model: &Model, (handler, item): (&Handler, &Item), theme: Theme) {
    let (left, right) = split(line);
    let choice = if item.choice == Choice::Checked { "[x]" } else { "[ ]" };
    let indent = if is_narrow(line) { "  " } else { "    " };
    put(buffer, left, &format!("{indent}{choice} {}", item.name), theme.plain());
    match running(model, handler, item.id) {
        Some(running) => progress(buffer, right, running, theme),
        None => {
            let (sign, style) = theme.of_condition(item.condition);
            let reason = item.reason.as_ref().map_or_else(String::new, |reason| format!("{reason}; "));
            put(buffer, right, &format!("{sign} {reason}{}", model.short(&item.text)), style);
        }
    }
}

fn running<'a>(model: &'a Model, handler: &Handler, item: ItemId) -> Option<&'a Running> {
    let all = model.sessions.values().flat_map(|session| &session.items);
    all.into_iter().find(|running| (running.handler, running.item) == (handler.id, item))
}
