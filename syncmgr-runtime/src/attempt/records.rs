//! The records of an attempt's items: checkpoints, used answers, proposed plans.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use syncmgr_core::decision::guard::{UnattendedPolicy, decision, question, violation};
use syncmgr_core::error::{Classify, FailureClass, SyncResult, one_line};
use syncmgr_core::foreign;
use syncmgr_core::id::{ErrorId, ItemId};
use syncmgr_core::log::{LogEntry, Question, Remedy};
use syncmgr_core::plan::{Plan, PlanError, Side};
use syncmgr_core::record::Checkpoint;
use syncmgr_core::store::{Durability, StateChange};

use super::Attempt;
use crate::call::panicked;

/// The answers that an item used and the plan that it proposed, to be recorded with its next commit or its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// The keys of the answers that the item has received.
    pub(crate) answers: BTreeSet<Arc<str>>,
    /// The sides of the accepted plan.
    pub(crate) sides: Option<Vec<Side>>,
    /// `true` if the item has committed state.
    pub(crate) committed: bool,
}

/// The key of the question about unreadable state.
const STATE: &str = "state";

impl Attempt {
    /// Returns the last committed state of an item, migrated to the handler's version.
    pub(super) fn saved_state(&self, item: ItemId) -> SyncResult<Option<Arc<str>>> {
        let record = self.link.record(item).context("the store cannot be read")?;
        let Some(checkpoint) = record.and_then(|record| record.checkpoint) else { return Ok(None) };
        let (stored, known) = (checkpoint.version, self.state_version);
        match stored.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(Some(checkpoint.state)),
            std::cmp::Ordering::Less => self.migrate(item, &checkpoint).unreadable_state().map(Some),
            std::cmp::Ordering::Greater => Err(anyhow!(
                "the saved state of the item has version {stored}, but this program supports only up to version {known}; \
                 update the program, or set the state aside"
            ))
            .unreadable_state(),
        }
    }

    fn migrate(&self, item: ItemId, checkpoint: &Checkpoint) -> SyncResult<Arc<str>> {
        let from = checkpoint.version;
        let state = serde_json::from_str(&checkpoint.state).context("the saved state of the item is not valid JSON")?;
        let migrated = foreign::call(|| self.handler.migrate(item, from, state))
            .unwrap_or_else(|panic| Err(anyhow!(panicked(&panic))));
        // Only the text of the error is kept: the class is always that of unreadable state.
        let unreadable =
            |error| anyhow!("the saved state of the item, of version {from}, was not migrated: {}", one_line(&error));
        Ok(migrated.map_err(unreadable)?.to_string().into())
    }

    pub(super) async fn commit_state(&self, item: ItemId, state: Arc<str>) -> SyncResult {
        let (answers, sides) = {
            let mut state = self.lock();
            let used = state.used.entry(item).or_default();
            used.committed = true;
            (std::mem::take(&mut used.answers), used.sides.clone())
        };
        let checkpoint = Checkpoint::new(self.state_version, state);
        let (handler, fence) = (self.run_info.handler, self.fence());
        let consumed: Vec<_> = answers.iter().cloned().collect();
        // The store accepts the change even if the future is dropped, so the answers count as used from here on.
        let written = self.link.write(StateChange::Committed {
            handler,
            item,
            fence,
            checkpoint,
            sides,
            consumed: consumed.clone(),
        });
        self.link.consume_answers(item, &consumed);
        let stored = written.await;
        if stored.is_err() {
            self.lock().used.entry(item).or_default().answers.extend(answers);
        }
        stored
    }

    /// Checks an item's plan against the guards. Asks the user about a violation that has no answer yet.
    pub(super) fn propose_plan(&self, item: ItemId, plan: &Plan) -> Result<(), PlanError> {
        let record = self.link.record(item).unwrap_or_else(|error| {
            let text = format!("the item's record cannot be read: {}", one_line(&error));
            self.link.log(LogEntry::new(syncmgr_core::log::LogLevel::Warning, text).with_item(item));
            None
        });
        let policy = self.link.guards();
        let decision = match violation(plan, record.as_ref(), &policy, self.link.now()) {
            None => Ok(()),
            Some(violation) => {
                let question = question(&violation, plan);
                let answer = match policy.unattended {
                    // The policy answers for the user.
                    UnattendedPolicy::Allow => None,
                    _ => self.ask(item, &question),
                };
                decision(&violation, &question, answer, &policy)
            }
        };
        if !matches!(decision, Err(PlanError::Held(_))) {
            self.lock().used.entry(item).or_default().sides = Some(plan.sides.clone());
        }
        decision
    }

    /// Returns the answer to a question. The item's next commit, or its success, consumes the answer.
    pub(super) fn ask(&self, item: ItemId, question: &Question) -> Option<usize> {
        let answer = self.link.decide(item, question);
        if answer.is_some() {
            self.lock().used.entry(item).or_default().answers.insert(question.key.clone());
        }
        answer
    }

    /// Flushes files and directories to disk, if commits survive a power loss.
    pub(super) async fn sync(&self, paths: Vec<PathBuf>) -> SyncResult {
        if self.link.durability() < Durability::Power || paths.is_empty() {
            return Ok(());
        }
        let (sender, receiver) = futures::channel::oneshot::channel();
        self.link.blocking(Box::new(move || {
            // The receiver may have been dropped.
            let _ = sender.send(flush_paths(&paths));
        }));
        receiver.await.context("the host shut down before the files were flushed")?
    }
}

/// The maximum number of paths that are flushed one by one. For more paths, whole file systems are flushed, if the
/// operating system supports that.
const MAX_SINGLE_FILES: usize = 4;

fn flush_paths(paths: &[PathBuf]) -> SyncResult {
    let mut done = BTreeSet::new();
    for path in paths {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let whole = if paths.len() > MAX_SINGLE_FILES { file_system(&file) } else { None };
        match whole {
            Some(file_system) if !done.insert(file_system) => {}
            Some(_) => flush_file_system(&file).with_context(|| format!("cannot flush {}", path.display()))?,
            None => file.sync_all().with_context(|| format!("cannot flush {}", path.display()))?,
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn file_system(file: &std::fs::File) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(file.metadata().ok()?.dev())
}

#[cfg(target_os = "linux")]
fn flush_file_system(file: &std::fs::File) -> SyncResult {
    Ok(rustix::fs::syncfs(file)?)
}

#[cfg(not(target_os = "linux"))]
fn file_system(_: &std::fs::File) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn flush_file_system(file: &std::fs::File) -> SyncResult {
    Ok(file.sync_all()?)
}

/// Returns the log entry of a failed item. An entry about unreadable state offers to set the state aside.
pub(super) fn entry_of_failure(entry: LogEntry, class: Option<FailureClass>, item: ItemId) -> LogEntry {
    let entry = entry.with_item(item);
    if class != Some(FailureClass::UnreadableState) {
        return entry;
    }
    let question = Question::of_host(STATE, &entry.text, [Remedy::Reset, Remedy::Refuse], 0);
    entry.with_question(ErrorId::of_question(item, STATE), question)
}
