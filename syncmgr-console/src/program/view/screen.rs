//! The terminal while the view is open.

use std::io;
use std::thread;

use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::MoveTo;
use ratatui::crossterm::event::{Event, KeyEventKind, read};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType};
use tokio::sync::mpsc::Sender;

use super::draw::{self, Theme};
use super::model::{Message, Model};

/// The terminal in full-screen mode. It is restored on drop, and on panics before their message is printed.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    theme: Theme,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        let theme = Theme::of(std::env::var_os("NO_COLOR"));
        Ok(Self { terminal: ratatui::try_init()?, theme })
    }

    pub(super) fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        self.terminal.draw(|frame| draw::draw(frame, model, self.theme)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Some versions of tmux show lines of this screen again after it was resized, unless it is empty.
        let _ = execute!(std::io::stdout(), Clear(ClearType::All), MoveTo(0, 0));
        ratatui::restore();
    }
}

/// Passes on the keys, on a thread that waits for them. The thread ends with the process.
pub(super) fn read_keys(messages: Sender<Message>) {
    thread::spawn(move || {
        loop {
            let message = match read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Message::Key(key),
                Ok(Event::Resize(..)) => Message::Resized,
                Ok(_) => continue,
                Err(_) => Message::Closed,
            };
            let closed = matches!(message, Message::Closed);
            if messages.blocking_send(message).is_err() || closed {
                return;
            }
        }
    });
}
