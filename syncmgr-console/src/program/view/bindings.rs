//! The keys, with their words in the footer and in the help.

use ratatui::crossterm::event::KeyCode;

use super::model::View;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Fold,
    Unfold,
    Next,
    Previous,
    Open(View),
    Choose,
    Run,
    RunAll,
    ChooseAndRun,
    Skip,
    Stop,
    StopAll,
    Pause,
    Answer,
    Help,
    Quit,
}

/// The keys of a command.
pub(super) struct Binding {
    pub(super) codes: &'static [(KeyCode, Command)],
    /// The keys in the footer and the help.
    pub(super) keys: &'static str,
    /// The word in the footer, or nothing.
    pub(super) word: &'static str,
    /// The sentence in the help.
    pub(super) help: &'static str,
    /// The lists in whose footer it is. The answer is there if there is something to answer.
    pub(super) views: &'static [View],
}

const fn key(of: char) -> KeyCode {
    KeyCode::Char(of)
}

const ALL: &[View] = &View::ALL;

/// The keys, the most used ones first.
pub(super) const BINDINGS: &[Binding] = &[
    Binding {
        codes: &[
            (KeyCode::Up, Command::Up),
            (key('k'), Command::Up),
            (KeyCode::Down, Command::Down),
            (key('j'), Command::Down),
            (KeyCode::PageUp, Command::PageUp),
            (KeyCode::PageDown, Command::PageDown),
            (KeyCode::Home, Command::First),
            (key('g'), Command::First),
            (KeyCode::End, Command::Last),
            (key('G'), Command::Last),
        ],
        keys: "↑ ↓",
        word: "",
        help: "Move; also PgUp, PgDn, Home, End",
        views: &[],
    },
    Binding {
        codes: &[
            (KeyCode::Left, Command::Fold),
            (key('h'), Command::Fold),
            (KeyCode::Right, Command::Unfold),
            (key('l'), Command::Unfold),
        ],
        keys: "← →",
        word: "",
        help: "Hide or show the items of a handler",
        views: &[],
    },
    Binding {
        codes: &[
            (KeyCode::Tab, Command::Next),
            (KeyCode::BackTab, Command::Previous),
            (key('1'), Command::Open(View::Items)),
            (key('2'), Command::Open(View::Now)),
            (key('3'), Command::Open(View::Log)),
            (key('4'), Command::Open(View::Agenda)),
            (key('5'), Command::Open(View::History)),
        ],
        keys: "tab",
        word: "",
        help: "Next list; also 1 to 5",
        views: &[],
    },
    Binding {
        codes: &[(key(' '), Command::Choose)],
        keys: "space",
        word: "choose",
        help: "Choose the item or leave it out; all items of a handler",
        views: &[View::Items],
    },
    Binding {
        codes: &[(KeyCode::Enter, Command::Run), (key('r'), Command::Run)],
        keys: "enter",
        word: "run",
        help: "Run the item, or the chosen items of the handler",
        views: &[View::Items],
    },
    Binding {
        codes: &[(key('R'), Command::RunAll)],
        keys: "R",
        word: "run all",
        help: "Run the chosen items of all handlers",
        views: &[View::Items, View::Now, View::Agenda],
    },
    Binding {
        codes: &[(key('c'), Command::ChooseAndRun)],
        keys: "c",
        word: "",
        help: "Choose items first, then run them and answer questions",
        views: &[],
    },
    Binding {
        codes: &[(key('s'), Command::Skip)],
        keys: "s",
        word: "skip",
        help: "Skip the item; the others go on",
        views: &[View::Items, View::Now],
    },
    Binding {
        codes: &[(key('x'), Command::Stop)],
        keys: "x",
        word: "stop",
        help: "Stop the runs of the handler; the session in Now",
        views: &[View::Items, View::Now],
    },
    Binding {
        codes: &[(key('X'), Command::StopAll)],
        keys: "X",
        word: "stop all",
        help: "Stop all sessions",
        views: &[View::Now],
    },
    Binding {
        codes: &[(key('p'), Command::Pause)],
        keys: "p",
        word: "pause",
        help: "Pause: let no item begin; resume",
        views: &[View::Items, View::Now, View::Agenda],
    },
    Binding {
        codes: &[(key('a'), Command::Answer)],
        keys: "a",
        word: "answer",
        help: "Answer the open question, or the entry's; show more",
        views: &[],
    },
    Binding {
        codes: &[(key('?'), Command::Help), (KeyCode::F(1), Command::Help)],
        keys: "?",
        word: "help",
        help: "Show or hide this help",
        views: ALL,
    },
    Binding {
        codes: &[(key('q'), Command::Quit)],
        keys: "q",
        word: "quit",
        help: "Quit; what runs goes on",
        views: ALL,
    },
];

/// Returns the command of a key.
pub(super) fn command(code: KeyCode) -> Option<Command> {
    BINDINGS.iter().flat_map(|binding| binding.codes).find(|(of, _)| *of == code).map(|(_, command)| *command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_command() {
        let codes: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.codes).map(|(code, _)| *code).collect();
        for (at, code) in codes.iter().enumerate() {
            assert!(!codes[..at].contains(code), "{code:?}");
        }
    }
}
