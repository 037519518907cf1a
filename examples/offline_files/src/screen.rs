//! Progress on standard error: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use syncmgr::ItemId;
use syncmgr::prelude::*;
use syncmgr::text::Escaped;

/// Shows the items that are running.
pub(crate) trait Screen: Send {
    fn began(&mut self, item: ItemId, name: &str);

    /// Shows the bytes written; `planned` is 0 while the total is unknown.
    fn progressed(&mut self, item: ItemId, written: u64, planned: u64);

    fn ended(&mut self, item: ItemId, outcome: Outcome);

    /// Shows an event of the session. Ignores events without a display.
    fn show(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Began { item, name, .. } => self.began(item, &name),
            SessionEvent::Progress { item, state, .. } => self.progressed(item, state.value, state.max),
            SessionEvent::Ended { item, outcome, .. } => self.ended(item, outcome),
            _ => {}
        }
    }
}

/// Returns bars if standard error is a terminal, and plain lines otherwise.
pub(crate) fn screen() -> Box<dyn Screen> {
    if io::stderr().is_terminal() {
        Box::new(Bars::default())
    } else {
        Box::new(Lines { output: io::stderr(), items: BTreeMap::new() })
    }
}

/// A bar for each item that is running.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    running: BTreeMap<ItemId, ProgressBar>,
}

impl Screen for Bars {
    fn began(&mut self, item: ItemId, name: &str) {
        let bar = ProgressBar::no_length().with_prefix(Escaped(name).to_string());
        self.running.insert(item, self.all.add(bar.with_style(style("{prefix:24!} {spinner} comparing"))));
    }

    fn progressed(&mut self, item: ItemId, written: u64, planned: u64) {
        let Some(bar) = self.running.get(&item) else { return };
        if planned > 0 && bar.length().is_none() {
            bar.set_style(style("{prefix:24!} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}"));
            bar.set_length(planned);
        }
        bar.set_position(written);
    }

    fn ended(&mut self, item: ItemId, _: Outcome) {
        if let Some(bar) = self.running.remove(&item) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> ")
}

/// Prints a line when an item starts, after each tenth of its bytes, and when it ends.
struct Lines<W> {
    output: W,
    items: BTreeMap<ItemId, Line>,
}

/// A running item.
struct Line {
    name: String,
    /// The number of tenths of its bytes that the last printed line showed.
    tenths: Option<u64>,
}

impl<W: Write + Send> Screen for Lines<W> {
    fn began(&mut self, item: ItemId, name: &str) {
        let name = Escaped(name).to_string();
        self.write_line(&name, "started");
        self.items.insert(item, Line { name, tenths: None });
    }

    fn progressed(&mut self, item: ItemId, written: u64, planned: u64) {
        let Some(line) = self.items.get_mut(&item) else { return };
        let tenths = (written > 0 && planned > 0).then(|| written.min(planned) * 10 / planned);
        if tenths > line.tenths {
            line.tenths = tenths;
            let text = format!("{}% of {}", tenths.unwrap_or(0) * 10, HumanBytes(planned));
            let name = line.name.clone();
            self.write_line(&name, &text);
        }
    }

    fn ended(&mut self, item: ItemId, outcome: Outcome) {
        if let Some(line) = self.items.remove(&item) {
            self.write_line(&line.name, &outcome.to_string());
        }
    }
}

impl<W: Write> Lines<W> {
    /// Writes one line. Ignores a closed standard error.
    fn write_line(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.output, "{name}: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_show_start_tenths_and_end() {
        let mut lines = Lines { output: Vec::new(), items: BTreeMap::new() };
        let item = ItemId::from_name("docs");
        lines.began(item, "do\u{1b}cs");
        for (written, planned) in [(0, 0), (0, 4096), (1024, 4096), (1100, 4096), (4096, 4096)] {
            lines.progressed(item, written, planned);
        }
        lines.ended(item, Outcome::Succeeded);
        let text = String::from_utf8(lines.output).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "do\\u{1b}cs: started",
                "do\\u{1b}cs: 20% of 4.00 KiB",
                "do\\u{1b}cs: 100% of 4.00 KiB",
                "do\\u{1b}cs: succeeded"
            ]
        );
    }

    #[test]
    fn only_running_items_have_bars() {
        let mut bars = Bars::default();
        let item = ItemId::from_name("docs");
        bars.began(item, "docs");
        bars.progressed(item, 1024, 4096);
        assert_eq!(bars.running[&item].length(), Some(4096));
        bars.ended(item, Outcome::Succeeded);
        assert!(bars.running.is_empty());
    }
}
