//! The echo of the terminal.

use std::io::{self, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The terminal does not show what is typed, until this is dropped. Ctrl-C and the keys that edit a line work as before.
pub(crate) struct Hidden {
    /// The settings before. `None` if the standard input is no terminal.
    before: Option<Termios>,
}

impl Hidden {
    /// Hides what is typed.
    ///
    /// # Errors
    /// If the terminal refuses it. A secret must not be typed then.
    pub(crate) fn new() -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // The end of the line is still shown.
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self { before: Some(before) })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // Fails only if the terminal is gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
