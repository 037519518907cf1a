//! The report at the end of a run: a table with all errors for users, or a JSON document for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::HumanBytes;
use serde::Serialize;
use syncmgr::prelude::LogEntry;
use syncmgr::{ItemId, Outcome, Report as SessionReport};
use tokio::signal::unix::SignalKind;

use crate::escape::{EscapedPath, escape_json};
use crate::handler::Parts;
use crate::part::{Counts, Diagnostic, Kind, Part};
use crate::scan_scope::ScanScope;

/// The result of a run. `Display` formats it as a table, `Serialize` as the JSON document.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    status: Status,
    /// The state file; `None` if no state is stored.
    state: Option<EscapedPath<PathBuf>>,
    #[serde(flatten)]
    scan_scope: Option<ScanScope>,
    pub(crate) duration_seconds: f64,
    /// The errors of the whole run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
    /// The warnings of the whole run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    items: Vec<Row>,
    #[serde(skip)]
    detail: Detail,
    #[serde(skip)]
    interrupted: Interrupted,
}

/// The items that the table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Those that changed, failed or were not done.
    #[default]
    Changes,
    All,
}

/// An interruption of the run by the signal of this number, such as that of Ctrl-C.
pub(crate) type Interrupted = Option<SignalKind>;

/// The status of the run or of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    #[default]
    Succeeded,
    Failed,
    /// Held, or skipped by the user.
    NotDone,
    Stopped,
}

/// The errors and warnings of the last run of each item.
#[derive(Debug, Default)]
pub(crate) struct Shown(BTreeMap<String, Vec<String>>);

impl Shown {
    /// Replaces the texts of an item.
    fn update(&mut self, item: &str, texts: Vec<String>) -> Update {
        let before = self.0.insert(item.to_owned(), texts.clone()).unwrap_or_default();
        let is_resolved = !before.is_empty() && texts.is_empty();
        Update { new: texts.into_iter().filter(|text| !before.contains(text)).collect(), is_resolved }
    }
}

/// How the texts of an item compare to those of the run before.
struct Update {
    new: Vec<String>,
    /// `true` if there were some, and there are none now.
    is_resolved: bool,
}

/// The result of one item.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    path: EscapedPath<PathBuf>,
    status: Status,
    #[serde(flatten)]
    scan_scope: Option<ScanScope>,
    counts: Counts,
    bytes: u64,
    duration_seconds: f64,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Report {
    /// Creates the report of a session with one handler, whose results are in `parts`.
    pub(crate) fn new(
        session: &SessionReport,
        parts: &Parts,
        interrupted: Interrupted,
        state: Option<PathBuf>,
    ) -> Self {
        let log: Vec<_> = session.runs.iter().flat_map(|run| run.log.iter().cloned()).collect();
        let items = session.items().map(|item| (item.item.id(), item.outcome));
        let items = rows(items, parts, &log);
        let is_done = session.is_success() && items.iter().all(|row| row.status == Status::Succeeded);
        let status = if is_done { Status::Succeeded } else { Status::Failed };
        Self { duration_seconds: session.duration.as_secs_f64(), ..Self::of_rows(items, status, interrupted, state) }
    }

    /// Creates the report of rows.
    pub(crate) fn of_rows(items: Vec<Row>, status: Status, interrupted: Interrupted, state: Option<PathBuf>) -> Self {
        let status = interrupted.map_or(status, |_| Status::Stopped);
        let (state, scan_scope) = (state.map(EscapedPath), scan_scope(&items));
        Self { status, state, scan_scope, items, interrupted, ..Self::default() }
    }

    /// The JSON document.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        Ok(escape_json(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// The JSON document in one line.
    pub(crate) fn to_json_line(&self) -> serde_json::Result<String> {
        Ok(escape_json(&serde_json::to_string(self)?) + "\n")
    }

    /// A line for each item that changed something or has errors or warnings that it had not in the run before, which are in `shown`, or
    /// has none of those any more.
    pub(crate) fn to_lines(&self, shown: &mut Shown) -> String {
        let mut lines = shown.update("", self.of_run().map(|text| text + "\n").collect()).new.concat();
        for row in &self.items {
            let Update { new, is_resolved } = shown.update(&row.path.to_string(), self.of_row(row));
            if row.counts.has_changes() || !new.is_empty() || is_resolved {
                lines += &format!("{}: {}\n", row.path, row.summary());
            }
            lines += &new.concat();
        }
        lines
    }

    /// The warnings and errors of an item, a line each. A refusal that several items have is a line of the first of them.
    fn of_row(&self, row: &Row) -> Vec<String> {
        let warnings = row.warnings.iter().map(|text| format!("warning: {text}\n"));
        let errors = row.errors.iter().filter_map(|error| self.of_error(row, error));
        warnings.chain(errors).collect()
    }

    fn of_error(&self, row: &Row, error: &Diagnostic) -> Option<String> {
        let line = format!("error: {error}");
        if error.kind != Kind::Refusal {
            return Some(line + "\n");
        }
        let refused: Vec<_> = self.items.iter().filter(|other| other.has_refusal(&error.message)).collect();
        match &refused[..] {
            [first, ..] if !std::ptr::eq(*first, row) => None,
            [_, others @ ..] if !others.is_empty() => Some(format!("{line} (also {})\n", items(others.len()))),
            _ => Some(line + "\n"),
        }
    }

    /// The warnings and errors of the whole run, a line each.
    fn of_run(&self) -> impl Iterator<Item = String> {
        let warnings = self.warnings.iter().map(|text| format!("warning: {text}"));
        warnings.chain(self.errors.iter().map(|text| format!("error: {text}")))
    }

    /// Shows the items of this `detail` in the table.
    pub(crate) fn with_detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// The exit code of the program: that of a shell for a program that a signal ended.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match (self.interrupted, self.status) {
            (Some(signal), _) => u8::try_from(128 + signal.as_raw_value()).unwrap_or(1),
            (None, Status::Succeeded) => 0,
            (None, _) => 1,
        })
    }

    /// What was done, in one line.
    fn summary(&self) -> String {
        let counts = self.items.iter().fold(Counts::default(), |total, row| total + row.counts);
        let bytes = self.items.iter().map(|row| row.bytes).sum();
        let what = describe(counts, bytes, &self.items.iter().map(|row| row.status).collect::<Vec<_>>());
        format!("{} in {:.2} s: {what}", items(self.items.len()), self.duration_seconds)
    }
}

/// The rows of items with these outcomes, and with the errors of the log that their work has not recorded.
pub(crate) fn rows(
    outcomes: impl Iterator<Item = (ItemId, Outcome)>,
    parts: &Parts,
    log: &[Arc<LogEntry>],
) -> Vec<Row> {
    let row = |(id, outcome): (ItemId, Outcome)| {
        let part = parts.get(&id)?;
        part.explain(log.iter().filter(|entry| entry.item == Some(id)));
        Some(Row::new(part, outcome))
    };
    let mut rows: Vec<_> = outcomes.filter_map(row).collect();
    rows.sort_by(|one, other| one.path.0.cmp(&other.path.0));
    rows
}

/// What was done, in words.
fn describe(counts: Counts, bytes: u64, statuses: &[Status]) -> String {
    let with_status = |status| statuses.iter().filter(|other| **other == status).count() as u64;
    let parts = [
        (counts.copied, format!("copied ({})", HumanBytes(bytes))),
        (
            counts.directories_made,
            if counts.directories_made == 1 { "directory made" } else { "directories made" }.into(),
        ),
        (counts.permissions_set, "permissions set".into()),
        (counts.deleted, "deleted".into()),
        (counts.moved, "moved".into()),
        (counts.left, "changed during the run".into()),
        (counts.unchanged, "unchanged".into()),
        (with_status(Status::Failed), "failed".into()),
        (with_status(Status::NotDone), "not done".into()),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, text)| format!("{count} {text}")).collect();
    if parts.is_empty() { "nothing to do".into() } else { parts.join(", ") }
}

/// The scope of the whole run: a full scan if every item was scanned in full.
fn scan_scope(rows: &[Row]) -> Option<ScanScope> {
    let scopes = || rows.iter().filter_map(|row| row.scan_scope);
    scopes().find(|scope| *scope == ScanScope::Changes).or_else(|| scopes().next())
}

impl Row {
    /// Creates the row of `part`, and moves the part's result into it.
    pub(crate) fn new(part: &Part, outcome: Outcome) -> Self {
        let result = std::mem::take(&mut *part.result());
        // What has changed meanwhile may be on one side only.
        let is_left = outcome == Outcome::Succeeded && result.counts.left > 0;
        Self {
            path: EscapedPath(part.path().to_owned()),
            status: if is_left { Status::NotDone } else { outcome.into() },
            scan_scope: result.scan_scope,
            counts: result.counts,
            bytes: part.written(),
            duration_seconds: result.duration.as_secs_f64(),
            errors: result.errors,
            warnings: result.warnings,
        }
    }

    /// What was done to the item, without what is as before.
    fn summary(&self) -> String {
        let counts = Counts { unchanged: 0, ..self.counts };
        match (counts.has_changes(), self.status) {
            (false, status) => status.to_string(),
            (true, Status::Succeeded) => describe(counts, self.bytes, &[]),
            (true, status) => format!("{}, {status}", describe(counts, self.bytes, &[])),
        }
    }

    /// The line of the table.
    fn line(&self, columns: Columns) -> String {
        let Self { status, counts, path, duration_seconds, .. } = self;
        let (moved, bytes) = (columns.moved(counts.moved), HumanBytes(self.bytes).to_string());
        let Counts { copied, deleted, unchanged, .. } = counts;
        format!(
            "{status:9} {copied:>9}{moved} {deleted:>9} {unchanged:>9} {bytes:>11} {duration_seconds:>8.2} s  {path}"
        )
    }

    fn has_refusal(&self, message: &str) -> bool {
        self.errors.iter().any(|error| error.kind == Kind::Refusal && error.message == message)
    }

    /// Returns `true` if something was changed, failed or was not done.
    fn is_notable(&self) -> bool {
        self.counts.has_changes() || self.status != Status::Succeeded
    }
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Stopped => Self::Stopped,
            Outcome::NeedsUser | Outcome::Skipped => Self::NotDone,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::NotDone => "not done",
            Self::Stopped => "stopped",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = || self.items.iter().filter(|row| self.detail == Detail::All || row.is_notable());
        let columns = if rows().any(|row| row.counts.moved > 0) { Columns::WithMoved } else { Columns::Usual };
        if rows().next().is_some() {
            let moved = columns.moved("moved");
            writeln!(f, "status       copied{moved}   deleted unchanged       bytes       time  item")?;
        }
        rows().try_for_each(|row| writeln!(f, "{}", row.line(columns)))?;
        self.of_run().try_for_each(|text| writeln!(f, "{text}"))?;
        self.items.iter().flat_map(|row| self.of_row(row)).try_for_each(|line| f.write_str(&line))?;
        writeln!(f, "{}", self.summary())?;
        if self.interrupted.is_some() {
            writeln!(f, "stopped; the same command continues")?;
        }
        Ok(())
    }
}

/// A number of items, in words.
fn items(count: usize) -> String {
    if count == 1 { "1 item".into() } else { format!("{count} items") }
}

/// The columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Columns {
    Usual,
    WithMoved,
}

impl Columns {
    fn moved(self, cell: impl fmt::Display) -> String {
        if self == Self::WithMoved { format!(" {cell:>9}") } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::mirror::{Done, Extent};

    fn failed_row() -> Row {
        let part = Part::new(Extent::Directory("docs".into()));
        part.add_written(2048);
        let mut result = part.result();
        result.scan_scope = Some(ScanScope::Changes);
        result.duration = Duration::from_millis(1500);
        result.counts.count(Done::Copied);
        result.errors.push(Diagnostic::new(Path::new("docs/a\u{7}"), "cannot be read in FROM: no"));
        result.warnings.push(Diagnostic::new(Path::new("docs/pipe"), "a FIFO"));
        drop(result);
        Row::new(&part, Outcome::Failed)
    }

    fn held_row() -> Row {
        Row::new(&Part::new(Extent::TopLevel), Outcome::NeedsUser)
    }

    fn report(items: Vec<Row>) -> Report {
        let (state, scan_scope) = (Some(EscapedPath("/state/x.db".into())), scan_scope(&items));
        let (status, detail) = (Status::Failed, Detail::default());
        Report { status, state, scan_scope, duration_seconds: 2.0, items, detail, ..Report::default() }
    }

    #[test]
    fn the_table_has_a_line_for_each_item_and_each_error() {
        let text = report(vec![held_row(), failed_row()]).to_string();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "status       copied   deleted unchanged       bytes       time  item",
                "not done          0         0         0         0 B     0.00 s  .",
                "failed            1         0         0    2.00 KiB     1.50 s  docs",
                "warning: docs/pipe: a FIFO",
                "error: docs/a\\u{7}: cannot be read in FROM: no",
                "2 items in 2.00 s: 1 copied (2.00 KiB), 1 failed, 1 not done",
            ]
        );
    }

    #[test]
    fn a_refusal_of_several_items_is_told_once_and_moves_have_a_column() {
        let row = |name: &str| {
            let part = Part::new(Extent::Directory(name.into()));
            part.result().counts.count(Done::Moved);
            part.result().errors.push(Diagnostic::new(Path::new(name), "no").with_kind(Kind::Refusal));
            Row::new(&part, Outcome::NeedsUser)
        };
        let text = report(["a", "b", "c"].map(row).into()).to_string();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "status       copied     moved   deleted unchanged       bytes       time  item",
                "not done          0         1         0         0         0 B     0.00 s  a",
                "not done          0         1         0         0         0 B     0.00 s  b",
                "not done          0         1         0         0         0 B     0.00 s  c",
                "error: a: no (also 2 items)",
                "3 items in 2.00 s: 3 moved, 3 not done",
            ]
        );
    }

    #[test]
    fn an_item_in_which_something_changed_during_the_run_is_not_done() {
        let part = Part::new(Extent::TopLevel);
        part.result().counts.count(Done::Left);
        let row = Row::new(&part, Outcome::Succeeded);
        assert_eq!(row.status, Status::NotDone);
        let text = report(vec![row]).to_string();
        assert!(text.ends_with("1 item in 2.00 s: 1 changed during the run, 1 not done\n"), "{text}");
    }

    #[test]
    fn the_document_contains_every_field() {
        let document = serde_json::to_value(report(vec![failed_row()])).unwrap();
        let counts = json!({
            "copied": 1, "directories_made": 0, "permissions_set": 0, "deleted": 0, "unchanged": 0,
        });
        let item = json!({
            "path": "docs", "status": "failed", "compared": "changes", "counts": counts, "bytes": 2048, "duration_seconds": 1.5,
            "errors": [{"path": "docs/a\u{7}", "message": "cannot be read in FROM: no"}],
            "warnings": [{"path": "docs/pipe", "message": "a FIFO"}],
        });
        let state = json!({"path": "/state/x.db"});
        let expected = json!({
            "status": "failed", "state": state, "compared": "changes", "duration_seconds": 2.0, "items": [item],
        });
        assert_eq!(document, expected);
    }
}
