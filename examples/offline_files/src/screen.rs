//! Progress on standard error: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use syncmgr::ItemId;
use syncmgr::prelude::*;
use syncmgr::text::Escaped;

use crate::handler::Parts;
use crate::report::Status;

/// Shows the items that are running.
pub(crate) trait Screen: Send {
    fn began(&mut self, item: ItemId, name: &str);

    /// Shows that the changes to make are known.
    fn compared(&mut self, _: ItemId) {}

    /// Shows the bytes written; `planned` is 0 while the total is unknown.
    fn progressed(&mut self, item: ItemId, written: u64, planned: u64);

    fn ended(&mut self, item: ItemId, outcome: Outcome);

    /// Writes what is buffered.
    fn flush(&mut self) {}

    /// Shows an event of the session. Ignores events without a display.
    fn show(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Began { item, name, .. } => self.began(item, &name),
            SessionEvent::Progress { item, state, .. } => {
                if state.text.is_some() {
                    self.compared(item);
                }
                self.progressed(item, state.value, state.max);
            }
            SessionEvent::Ended { item, outcome, .. } => self.ended(item, outcome),
            _ => {}
        }
    }
}

/// Returns bars if standard error is a terminal, and otherwise plain lines about the changes in `parts`.
pub(crate) fn screen(parts: Parts) -> Box<dyn Screen> {
    if io::stderr().is_terminal() {
        Box::new(Bars::default())
    } else {
        Box::new(Lines { output: BufWriter::new(io::stderr()), parts, items: BTreeMap::new() })
    }
}

/// Shows nothing.
pub(crate) struct Blank;

impl Screen for Blank {
    fn began(&mut self, _: ItemId, _: &str) {}
    fn progressed(&mut self, _: ItemId, _: u64, _: u64) {}
    fn ended(&mut self, _: ItemId, _: Outcome) {}
}

/// A bar for each item that is running.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    running: BTreeMap<ItemId, Bar>,
}

/// The bar of an item.
struct Bar {
    bar: ProgressBar,
    template: &'static str,
}

// The name gets the width that the terminal has left, so that no line is longer than the terminal.
const COMPARING: &str = "{wide_msg} {spinner} comparing";
const CHANGING: &str = "{wide_msg} {spinner} deleting, setting times, recording";
const COPYING: &str = "{wide_msg} {bytes}/{total_bytes} {bytes_per_sec} [{bar:14}]";
const COPIED: &str = "{wide_msg} {total_bytes} {spinner} deleting, setting times, recording";

impl Screen for Bars {
    fn began(&mut self, item: ItemId, name: &str) {
        let bar = ProgressBar::no_length().with_message(Escaped(name).to_string()).with_style(style(COMPARING));
        self.running.insert(item, Bar { bar: self.all.add(bar), template: COMPARING });
    }

    fn compared(&mut self, item: ItemId) {
        if let Some(bar) = self.running.get_mut(&item).filter(|bar| bar.template == COMPARING) {
            bar.set_template(CHANGING);
        }
    }

    fn progressed(&mut self, item: ItemId, written: u64, planned: u64) {
        let Some(bar) = self.running.get_mut(&item) else { return };
        if planned > 0 {
            bar.bar.set_length(planned);
            bar.set_template(if written < planned { COPYING } else { COPIED });
        }
        bar.bar.set_position(written);
    }

    fn ended(&mut self, item: ItemId, _: Outcome) {
        if let Some(Bar { bar, .. }) = self.running.remove(&item) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

impl Bar {
    /// Changes the appearance. A template is parsed only once, because there are very many events.
    fn set_template(&mut self, template: &'static str) {
        if self.template != template {
            self.template = template;
            self.bar.set_style(style(template));
            self.bar.tick();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> ")
}

/// Prints a line after each tenth of an item's bytes, and when an item ends that has changed something or did not succeed.
struct Lines<W> {
    output: W,
    parts: Parts,
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
        self.items.insert(item, Line { name: Escaped(name).to_string(), tenths: None });
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
        let (line, status) = (self.items.remove(&item), Status::from(outcome));
        let has_changes = || self.parts.get(&item).is_some_and(|part| part.result().counts.has_changes());
        if let Some(line) = line.filter(|_| status != Status::Succeeded || has_changes()) {
            self.write_line(&line.name, &status.to_string());
        }
    }

    fn flush(&mut self) {
        let _ = self.output.flush();
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
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;
    use crate::mirror::{Done, Extent};
    use crate::part::Part;

    #[test]
    fn plain_lines_show_tenths_and_ends_of_items_that_did_something() {
        let item = ItemId::from_name("docs");
        let part = Part::new(Extent::Directory("docs".into()));
        part.result().counts.count(Done::Copied);
        let parts = Arc::new(BTreeMap::from([(item, Arc::new(part))]));
        let mut lines = Lines { output: Vec::new(), parts, items: BTreeMap::new() };
        lines.began(item, "do\u{1b}cs");
        for (written, planned) in [(0, 0), (0, 4096), (1024, 4096), (1100, 4096), (4096, 4096)] {
            lines.progressed(item, written, planned);
        }
        lines.ended(item, Outcome::Succeeded);
        for (name, outcome) in [("quiet", Outcome::Succeeded), ("held", Outcome::NeedsUser)] {
            lines.began(ItemId::from_name(name), name);
            lines.ended(ItemId::from_name(name), outcome);
        }
        let text = String::from_utf8(lines.output).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "do\\u{1b}cs: 20% of 4.00 KiB",
                "do\\u{1b}cs: 100% of 4.00 KiB",
                "do\\u{1b}cs: succeeded",
                "held: not done",
            ]
        );
    }

    #[test]
    fn only_running_items_have_bars() {
        let mut bars = Bars::default();
        let item = ItemId::from_name("docs");
        bars.began(item, "docs");
        bars.progressed(item, 1024, 4096);
        assert_eq!(bars.running[&item].bar.length(), Some(4096));
        bars.ended(item, Outcome::Succeeded);
        assert!(bars.running.is_empty());
    }

    /// A terminal that keeps everything that is written.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_says_what_an_item_does_before_during_and_after_its_copies() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let mut bars = Bars { all: MultiProgress::with_draw_target(target), running: BTreeMap::new() };
        let (copies, deletes) = (ItemId::from_name("copies"), ItemId::from_name("deletes"));
        let mut shows = |show: &mut dyn FnMut(&mut Bars), text: &str| {
            paper.0.lock().unwrap().clear();
            show(&mut bars);
            let shown = paper.0.lock().unwrap().clone();
            assert!(shown.contains(text), "{text}: {shown}");
        };
        for item in [copies, deletes] {
            shows(&mut |bars| bars.began(item, "docs"), "");
            shows(&mut |bars| bars.progressed(item, 0, 0), "comparing");
            shows(&mut |bars| bars.compared(item), "deleting, setting times, recording");
        }
        shows(&mut |bars| bars.progressed(copies, 1024, 4096), "1.00 KiB/4.00 KiB");
        shows(&mut |bars| bars.compared(copies), "");
        shows(&mut |bars| bars.progressed(copies, 4096, 4096), "4.00 KiB ");
        let long = ItemId::from_name("long");
        shows(&mut |bars| bars.began(long, &"long".repeat(99)), "");
        shows(&mut |bars| bars.compared(long), &format!("{}lon ", "long".repeat(20)));
        shows(&mut |bars| bars.progressed(deletes, 0, 0), "deleting, setting times, recording");
    }
}
