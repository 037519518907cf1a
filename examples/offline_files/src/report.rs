//! What is said at the end: a table and every error for people, one JSON document for programs.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::HumanBytes;
use serde::Serialize;
use syncmgr::{Outcome, Report as SessionReport};

use crate::compared::Compared;
use crate::handler::Parts;
use crate::part::{Counts, Part, Remark};
use crate::shown::{Shown, escape_json};

/// The end of a run. Displayed, it is a table; serialized, it is the JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    status: Status,
    /// The file of the state, if one is kept.
    state: Option<Shown<PathBuf>>,
    #[serde(flatten)]
    compared: Option<Compared>,
    duration_seconds: f64,
    items: Vec<Row>,
}

/// Whether somebody stopped the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    No,
    Yes,
}

/// How the run or an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Succeeded,
    Failed,
    /// Left undone on purpose.
    NotDone,
    Stopped,
}

/// The end of one item.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    path: Shown<PathBuf>,
    status: Status,
    #[serde(flatten)]
    compared: Option<Compared>,
    counts: Counts,
    bytes: u64,
    duration_seconds: f64,
    errors: Vec<Remark>,
    warnings: Vec<Remark>,
}

impl Report {
    /// The report of a session with one handler, which noted in `parts` what became of its items.
    pub(crate) fn new(
        session: &SessionReport,
        parts: &Parts,
        interrupted: Interrupted,
        state: Option<PathBuf>,
    ) -> Self {
        let items: Vec<_> = session
            .items()
            .filter_map(|item| {
                let part = parts.get(&item.item.id())?;
                let log = session.runs.iter().flat_map(|run| &run.log);
                part.explain(log.filter(|entry| entry.item == Some(item.item.id())));
                Some(Row::new(part, item.outcome))
            })
            .collect();
        let status = match interrupted {
            Interrupted::Yes => Status::Stopped,
            Interrupted::No if session.is_success() => Status::Succeeded,
            Interrupted::No => Status::Failed,
        };
        let (state, compared) = (state.map(Shown), compared(&items));
        Self { status, state, compared, duration_seconds: session.duration.as_secs_f64(), items }
    }

    /// The JSON document.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        Ok(escape_json(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// What the program ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.status {
            Status::Succeeded => 0,
            Status::Failed | Status::NotDone => 1,
            Status::Stopped => 130,
        })
    }
}

/// How much of the two sides was compared: everything if that goes for each item.
fn compared(rows: &[Row]) -> Option<Compared> {
    let of_rows = || rows.iter().filter_map(|row| row.compared);
    of_rows().find(|compared| *compared == Compared::Changes).or_else(|| of_rows().next())
}

impl Row {
    /// The row of `part`. What was noted about it is taken out.
    pub(crate) fn new(part: &Part, outcome: Outcome) -> Self {
        let tally = std::mem::take(&mut *part.tally());
        Self {
            path: Shown(part.path().to_owned()),
            status: outcome.into(),
            compared: tally.compared,
            counts: tally.counts,
            bytes: part.written(),
            duration_seconds: tally.duration.as_secs_f64(),
            errors: tally.errors,
            warnings: tally.warnings,
        }
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
        writeln!(f, "status       copied   deleted unchanged       bytes       time  item")?;
        self.items.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        for row in &self.items {
            row.warnings.iter().try_for_each(|remark| writeln!(f, "warning: {remark}"))?;
            row.errors.iter().try_for_each(|remark| writeln!(f, "error: {remark}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, counts, path, duration_seconds, .. } = self;
        let bytes = HumanBytes(self.bytes).to_string();
        write!(f, "{status:9} {:>9} {:>9} {:>9} {bytes:>11}", counts.copied, counts.deleted, counts.unchanged)?;
        write!(f, " {duration_seconds:>8.2} s  {path}")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::mirror::{Done, Extent};

    fn failed() -> Row {
        let part = Part::new(Extent::Directory("docs".into()));
        part.wrote(2048);
        let mut tally = part.tally();
        tally.compared = Some(Compared::Changes);
        tally.duration = Duration::from_millis(1500);
        tally.counts.add(Done::Copied);
        tally.errors.push(Remark::new(Path::new("docs/a\u{7}"), "cannot read in FROM: no"));
        tally.warnings.push(Remark::new(Path::new("docs/pipe"), "a FIFO"));
        drop(tally);
        Row::new(&part, Outcome::Failed)
    }

    fn held_back() -> Row {
        Row::new(&Part::new(Extent::TopLevel), Outcome::NeedsUser)
    }

    fn report(items: Vec<Row>) -> Report {
        let (state, compared) = (Some(Shown("/state/x.db".into())), compared(&items));
        Report { status: Status::Failed, state, compared, duration_seconds: 2.0, items }
    }

    #[test]
    fn the_table_has_a_line_for_each_item_and_each_error() {
        let text = report(vec![held_back(), failed()]).to_string();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "status       copied   deleted unchanged       bytes       time  item",
                "not done          0         0         0         0 B     0.00 s  .",
                "failed            1         0         0    2.00 KiB     1.50 s  docs",
                "warning: docs/pipe: a FIFO",
                "error: docs/a\\u{7}: cannot read in FROM: no",
            ]
        );
    }

    #[test]
    fn the_document_says_all_of_it() {
        let document = serde_json::to_value(report(vec![failed()])).unwrap();
        let counts = json!({
            "copied": 1, "directories_made": 0, "permissions_set": 0, "deleted": 0, "unchanged": 0,
        });
        let item = json!({
            "path": "docs", "status": "failed", "compared": "changes", "counts": counts, "bytes": 2048, "duration_seconds": 1.5,
            "errors": [{"path": "docs/a\u{7}", "message": "cannot read in FROM: no"}],
            "warnings": [{"path": "docs/pipe", "message": "a FIFO"}],
        });
        let state = json!({"path": "/state/x.db"});
        let whole = json!({
            "status": "failed", "state": state, "compared": "changes", "duration_seconds": 2.0, "items": [item],
        });
        assert_eq!(document, whole);
    }
}
