//! Plain lines.

use std::io::{BufWriter, Write};

use super::board::Frame;

/// Writes plain lines.
pub(super) struct Lines(BufWriter<Box<dyn Write + Send>>);

impl Lines {
    pub(super) fn new(output: impl Write + Send + 'static) -> Self {
        Self(BufWriter::new(Box::new(output)))
    }

    /// Writes what is new. A session goes on although its output is closed.
    pub(super) fn write(&mut self, frame: &Frame) {
        for line in &frame.lines {
            let _ = writeln!(self.0, "{line}");
        }
        let _ = self.0.flush();
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}
