//! Styles. Colors only repeat what a word or a sign already says.

use std::ffi::OsString;

use ratatui::style::{Color, Modifier, Style};

use super::super::data::Condition;

/// The styles, with or without colors.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Theme {
    Colored,
    /// Only bold, dim and reversed text.
    Plain,
}

impl Theme {
    /// Returns the theme for a value of `NO_COLOR`.
    pub(in super::super) fn of(no_color: Option<OsString>) -> Self {
        if no_color.is_some_and(|value| !value.is_empty()) { Self::Plain } else { Self::Colored }
    }

    fn color(self, color: Color) -> Style {
        match self {
            Self::Colored => Style::new().fg(color),
            Self::Plain => Style::new(),
        }
    }

    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    pub(super) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn error(self) -> Style {
        self.color(Color::Red)
    }

    pub(super) fn attention(self) -> Style {
        self.color(Color::Yellow)
    }

    pub(super) fn good(self) -> Style {
        self.color(Color::Green)
    }

    pub(super) fn live(self) -> Style {
        self.color(Color::Cyan)
    }

    /// Returns the sign and the style of a condition.
    pub(super) fn of_condition(self, condition: Condition) -> (char, Style) {
        match condition {
            Condition::Running => ('▶', self.live()),
            Condition::Waiting => ('…', self.plain()),
            Condition::Succeeded => ('✓', self.good()),
            Condition::Failed => ('✗', self.error()),
            Condition::NeedsUser => ('?', self.attention()),
            Condition::Other => ('·', self.plain()),
        }
    }

    /// Returns the sign and the style of a level of the log.
    pub(super) fn of_level(self, level: &str) -> (char, Style) {
        match level {
            "error" => ('✗', self.error()),
            "warning" => ('!', self.attention()),
            _ => ('·', self.plain()),
        }
    }
}
