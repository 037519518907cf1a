//! Reports as errors.

use std::fmt;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::log::LogLevel;
use syncmgr_core::text::Escaped;

use super::{ItemReport, Report, RunReport};

/// The report of a session in which not everything succeeded, as an error. `{}` formats what did not succeed, and the reasons.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotSuccessful {
    /// The complete report.
    pub report: Report,
}

impl Report {
    /// Returns the report if every run was a success, and an error otherwise. With `?` in `main`, the process prints what did not
    /// succeed and ends with a failure.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let failed = SyncManager::new().run(Calendar).await?.into_result().expect_err("one of its items fails");
    /// assert!(failed.to_string().contains("failed: Work"), "{failed}");
    /// assert_eq!(failed.report.items().count(), 2);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotSuccessful`] if an item or a run did not succeed.
    pub fn into_result(self) -> Result<Self, NotSuccessful> {
        if self.is_success() { Ok(self) } else { Err(NotSuccessful { report: self }) }
    }
}

impl fmt::Display for NotSuccessful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.report.runs.iter().filter(|run| !run.is_success());
        for (index, run) in failed.enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {}", Escaped(&run.name), run.summary())?;
            let of_run = run.log.iter().filter(|entry| entry.item.is_none() && entry.level > LogLevel::Information);
            for entry in of_run {
                write!(f, "\n  {}", Escaped(&entry.text))?;
            }
            for item in run.items().filter(|item| item.outcome != Outcome::Succeeded) {
                write!(f, "\n  {}: {}", item.outcome, Escaped(item.item.name()))?;
                write_reason(f, run, &item)?;
            }
        }
        Ok(())
    }
}

/// Writes the reason of an item, unless it is that of the run, which is already written.
fn write_reason(f: &mut fmt::Formatter<'_>, run: &RunReport, item: &ItemReport<'_>) -> fmt::Result {
    let reason = run.why(item.item.id()).filter(|entry| entry.item.is_some());
    match (reason, &item.hold) {
        (Some(entry), _) => write!(f, ": {}", Escaped(&entry.text)),
        (None, Some(hold)) => write!(f, ": {hold}"),
        (None, None) => Ok(()),
    }
}

impl std::error::Error for NotSuccessful {}
