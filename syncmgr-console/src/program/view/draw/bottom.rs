//! The keys, in one line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::bindings::{BINDINGS, Binding, Command};
use super::super::model::Model;
use super::row::{after, first, put, put_right};
use super::theme::Theme;

/// Draws the keys of the shown list, as many as fit. Help and quit are always there.
pub(super) fn draw(buffer: &mut Buffer, line: Rect, model: &Model, theme: Theme) {
    let bindings = BINDINGS.iter().filter(|binding| is_shown(binding, model));
    let (always, mut some): (Vec<_>, Vec<_>) = bindings.partition(|binding| is_always_shown(binding));
    // What asks for the user comes first.
    some.sort_by_key(|binding| !is(binding, Command::Answer));
    let always: Vec<_> = always.iter().map(|binding| hint(binding, model)).collect();
    let mut rest = put_right(buffer, line, &format!("  {} ", always.join("  ")), theme.bold());
    rest = after(rest, 1);
    for text in some.iter().map(|binding| hint(binding, model)) {
        let width = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        if width > rest.width {
            break;
        }
        put(buffer, first(rest, width), &text, theme.plain());
        rest = after(rest, width + 2);
    }
}

fn is(binding: &Binding, command: Command) -> bool {
    binding.codes.iter().any(|(_, of)| *of == command)
}

fn is_always_shown(binding: &Binding) -> bool {
    is(binding, Command::Help) || is(binding, Command::Quit)
}

fn is_shown(binding: &Binding, model: &Model) -> bool {
    match is(binding, Command::Answer) {
        true => !model.questions.is_empty() || model.actionable().is_some(),
        false => binding.views.contains(&model.view),
    }
}

fn hint(binding: &Binding, model: &Model) -> String {
    let word = if binding.word == "pause" && model.paused { "resume" } else { binding.word };
    format!("{} {word}", binding.keys)
}
