//! Bars on a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use syncmgr::progress::{ProgressState, ProgressUnit};
use syncmgr::text::Escaped;

use super::board::{Frame, Key, Row, Totals};

// The names and texts of items get the width that the terminal has left, so that no line is longer than the terminal.
const WAITING: &str = "{spinner} waiting";
const TOTAL: &str = "[{bar:20}] {human_pos}/{human_len} items{msg}  {elapsed}";
const COUNT: &str = "{wide_msg} {human_pos}/{human_len} [{bar:14}]";
const BYTES: &str = "{wide_msg} {bytes}/{total_bytes} {bytes_per_sec} [{bar:14}]";
const UNKNOWN: &str = "{wide_msg} {spinner}";
const UNKNOWN_COUNT: &str = "{wide_msg} {human_pos} {spinner}";
const UNKNOWN_BYTES: &str = "{wide_msg} {bytes} {bytes_per_sec} {spinner}";

/// The bars of a session, which disappear when this is dropped.
#[derive(Debug)]
pub(super) struct Drawing {
    all: MultiProgress,
    items: Vec<(Key, Bar)>,
    /// Below the others. Created with the first frame, so that a program may create bars before.
    total: Option<Bar>,
}

/// A bar on the terminal, which disappears when this is dropped.
#[derive(Debug)]
struct Bar {
    all: MultiProgress,
    bar: ProgressBar,
    template: &'static str,
    text: String,
}

impl Drawing {
    pub(super) fn new(all: &MultiProgress) -> Self {
        Self { all: all.clone(), items: Vec::new(), total: None }
    }

    pub(super) fn draw(&mut self, frame: &Frame) {
        // One call, because each draws all bars. Fails only if the terminal does.
        if !frame.lines.is_empty() {
            let _ = self.all.println(frame.lines.join("\n"));
        }
        let total = self.total.get_or_insert_with(|| Bar::new(&self.all, bar_from(0), None, WAITING));
        total.show_total(frame.totals);
        self.items.retain(|(key, _)| frame.rows.iter().any(|(shown, _)| shown == key));
        for (key, row) in &frame.rows {
            self.draw_item(*key, row);
        }
    }

    fn draw_item(&mut self, key: Key, row: &Row) {
        let at = self.items.iter().position(|(shown, _)| *shown == key).unwrap_or_else(|| {
            self.items.push((key, Bar::new(&self.all, bar_from(row.state.value), self.total.as_ref(), UNKNOWN)));
            self.items.len() - 1
        });
        self.items[at].1.show_item(row);
    }
}

impl Bar {
    /// Adds a bar, above another one or at the end.
    fn new(all: &MultiProgress, bar: ProgressBar, above: Option<&Self>, template: &'static str) -> Self {
        let bar = bar.with_style(style(template));
        let bar = match above {
            Some(below) => all.insert_before(&below.bar, bar),
            None => all.add(bar),
        };
        Self { all: all.clone(), bar, template, text: String::new() }
    }

    fn show_item(&mut self, Row { name, state, .. }: &Row) {
        let text = match state.text.as_deref() {
            Some(text) if !text.is_empty() => format!("{name}  {}", Escaped(text)),
            _ => name.to_string(),
        };
        self.show(template(state), (state.value, state.max), text);
    }

    fn show_total(&mut self, totals: Totals) {
        let template = if totals.selected > 0 { TOTAL } else { WAITING };
        let failed = if totals.failed > 0 { format!(", {} failed", totals.failed) } else { String::new() };
        // Items that run again are counted again.
        let amounts = (totals.ended as u64, totals.selected.max(totals.ended) as u64);
        self.show(template, amounts, failed);
    }

    /// Shows amounts, of which the second is the total or 0, and a text. Each call of `self.bar` draws, so there are as few as possible.
    fn show(&mut self, template: &'static str, (value, max): (u64, u64), text: String) {
        self.set_template(template);
        if self.text != text {
            self.bar.set_message(text.clone());
            self.text = text;
        }
        // This also turns a spinner.
        self.bar.update(|bar| {
            if max > 0 {
                bar.set_len(max);
            }
            bar.set_pos(value);
        });
    }

    /// Changes the appearance. A template is parsed only if it is another one.
    fn set_template(&mut self, template: &'static str) {
        if std::mem::replace(&mut self.template, template) != template {
            self.bar.set_style(style(template));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.all.remove(&self.bar);
    }
}

/// Creates a bar that is not drawn yet and counts its rate from this amount on.
fn bar_from(value: u64) -> ProgressBar {
    let bar = ProgressBar::hidden();
    // A decrease is how indicatif begins a rate anew.
    bar.update(|bar| bar.set_pos(value.saturating_add(1)));
    bar.update(|bar| bar.set_pos(value));
    bar
}

/// Returns the appearance of an item.
fn template(state: &ProgressState) -> &'static str {
    match (state.unit, state.max, state.value) {
        (ProgressUnit::Bytes, 1.., _) => BYTES,
        (_, 1.., _) => COUNT,
        (_, 0, 0) => UNKNOWN,
        (ProgressUnit::Bytes, 0, _) => UNKNOWN_BYTES,
        (_, 0, _) => UNKNOWN_COUNT,
    }
}

/// Characters that every terminal and font has.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    style.progress_chars("=> ").tick_chars("-\\|/ ")
}
