//! Handlers with faults in checkpoints and repeated work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::correct::Copied;
use super::super::peer::{FakePeer, assert_caught, kit, violation};

/// Commits its progress before it writes the data.
struct CommitsBeforeWriting(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d01", name = "Commits before writing")]
impl SyncHandler for CommitsBeforeWriting {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        while saved.pages < self.0.pages(item.name()) {
            let page = saved.pages;
            let text = self.0.fetch(item.name(), page).await?;
            saved.pages += 1;
            saved.commit().await?;
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

pub(crate) fn commits_before_writing(peer: Arc<FakePeer>) -> impl SyncHandler {
    CommitsBeforeWriting(peer)
}

#[test]
fn a_commit_before_the_data_are_written_is_found_by_a_kill() {
    let found = violation(&kit(CommitsBeforeWriting), Check::Kill);
    assert_eq!(found.headline(), "after a kill, the data differ from those of a run without faults");
    assert_eq!(
        found.script(),
        "kill after commit 1 of synchronize_item of `atlas`, this item only",
        "the shortest script that shows the violation"
    );
}

/// Creates a lock file and relies on a destructor to remove it.
struct LockFileRemovedOnDrop(Arc<FakePeer>);

/// Removes the lock file on drop.
struct LockFile<'a>(&'a FakePeer, String);

impl Drop for LockFile<'_> {
    fn drop(&mut self) {
        self.0.copies().remove(&self.1);
    }
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d0a", name = "Lock file removed on drop")]
impl SyncHandler for LockFileRemovedOnDrop {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let lock = format!("{}.lock", item.name());
        if self.0.copies().insert(lock.clone(), String::new()).is_some() {
            return Err(syncmgr::anyhow::anyhow!("the item is locked"));
        }
        let _lock_file = LockFile(&self.0, lock);
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_lock_file_removed_by_a_destructor_is_found_by_a_kill_only() {
    assert!(matches!(kit(LockFileRemovedOnDrop).check(Check::Resume), syncmgr_test::CheckResult::Passed(_)));
    assert_caught(LockFileRemovedOnDrop, Check::Kill, "in a run after a kill, `atlas` ends: failed");
}

#[test]
fn drop_on_kill_drops_the_handler_of_a_killed_process() {
    assert!(matches!(
        kit(LockFileRemovedOnDrop).drop_on_kill().check(Check::Kill),
        syncmgr_test::CheckResult::Passed(_)
    ));
}

/// Appends everything to the copy again after an interruption.
struct AppendsAgain(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d02", name = "Appends again")]
impl SyncHandler for AppendsAgain {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        if saved.pages == self.0.pages(item.name()) {
            return Ok(());
        }
        for page in 0..self.0.pages(item.name()) {
            let text = self.0.fetch(item.name(), page).await?;
            self.0.copies().entry(item.name().to_owned()).or_default().push_str(&text);
        }
        saved.pages = self.0.pages(item.name());
        saved.commit().await
    }
}

#[test]
fn data_appended_twice_are_found_by_a_stop() {
    assert_caught(AppendsAgain, Check::Resume, "after a stop, the data differ from those of a run without faults");
}

/// Records its progress only in memory until it commits at the end.
struct ProgressOnlyInMemory {
    peer: Arc<FakePeer>,
    written: Mutex<BTreeMap<String, u32>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d03", name = "Progress only in memory")]
impl SyncHandler for ProgressOnlyInMemory {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.peer.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let begin = self.written.lock().unwrap().get(item.name()).copied().unwrap_or_default();
        let mut saved = item.saved::<Copied>()?;
        for page in begin.max(saved.pages)..self.peer.pages(item.name()) {
            let text = self.peer.fetch(item.name(), page).await?;
            self.peer.copies().entry(item.name().to_owned()).or_default().push_str(&text);
            self.written.lock().unwrap().insert(item.name().to_owned(), page + 1);
        }
        saved.pages = self.peer.pages(item.name());
        saved.commit().await
    }
}

#[test]
fn progress_only_in_memory_is_found_by_a_kill_but_not_by_a_stop() {
    let progress_only_in_memory = |peer| ProgressOnlyInMemory { peer, written: Mutex::default() };
    assert!(matches!(kit(progress_only_in_memory).check(Check::Resume), syncmgr_test::CheckResult::Passed(_)));
    assert_caught(
        progress_only_in_memory,
        Check::Kill,
        "after a kill, the data differ from those of a run without faults",
    );
}

/// Appends a line in every run.
struct AppendsEveryRun(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d04", name = "Appends every run")]
impl SyncHandler for AppendsEveryRun {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.copies().entry(item.name().to_owned()).or_default().push_str("synchronized\n");
        Ok(())
    }
}

#[test]
fn a_second_run_that_changes_data_is_found() {
    assert_caught(AppendsEveryRun, Check::SecondRun, "after a complete run, the data differ");
}

/// Declares `IDEMPOTENT`, but avoids repeated work only with its checkpoint.
struct NotIdempotent(Arc<FakePeer>);

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d05",
    name = "Not idempotent",
    capabilities(cancellable, idempotent)
)]
impl SyncHandler for NotIdempotent {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        if saved.pages == 0 {
            self.0.copies().entry(item.name().to_owned()).or_default().push('!');
            saved.pages = 1;
            saved.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn a_wrong_declaration_of_idempotent_is_found() {
    assert_caught(NotIdempotent, Check::Idempotent, "after starting over without the store, the data differ");
}

/// Declares `RESUMABLE`, but never commits.
struct NeverCommits(Arc<FakePeer>);

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d06",
    name = "Never commits",
    capabilities(cancellable, resumable)
)]
impl SyncHandler for NeverCommits {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for page in 0..self.0.pages(item.name()) {
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn a_declaration_of_resumable_without_commits_is_found() {
    assert_caught(NeverCommits, Check::Resumable, "declares RESUMABLE but commits nothing");
}

/// Commits correctly, but starts every run at the first page.
struct NeverReadsCheckpoint(Arc<FakePeer>);

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d09",
    name = "Never reads checkpoint",
    capabilities(cancellable, resumable)
)]
impl SyncHandler for NeverReadsCheckpoint {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for page in 0..self.0.pages(item.name()) {
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
            let mut saved = item.saved::<Copied>()?;
            saved.pages = page + 1;
            saved.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn an_item_that_ignores_its_checkpoint_is_found() {
    assert_caught(
        NeverReadsCheckpoint,
        Check::Resumable,
        "`atlas` had committed before it was killed, but starts over",
    );
}

/// Ignores the errors of commits.
struct IgnoresCommitError(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d07", name = "Ignores commit error")]
impl SyncHandler for IgnoresCommitError {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        while saved.pages < self.0.pages(item.name()) {
            let text = self.0.fetch(item.name(), saved.pages).await?;
            self.0.put(item.name(), saved.pages, text);
            saved.pages += 1;
            _ = saved.commit().await;
        }
        Ok(())
    }
}

#[test]
fn an_ignored_commit_error_is_found() {
    assert_caught(IgnoresCommitError, Check::Commits, "a commit of `atlas` failed, but the item ends: succeeded");
}

/// Adds a field that the state of the earlier release lacks, and defines no default for the field.
struct AddsFieldWithoutDefault(Arc<FakePeer>);

#[derive(Default, Serialize, Deserialize)]
struct WithTitle {
    pages: u32,
    title: String,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d08", name = "Adds field without default")]
impl SyncHandler for AddsFieldWithoutDefault {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<WithTitle>()?;
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        (saved.pages, saved.title) = (1, item.name().to_owned());
        saved.commit().await
    }
}

#[test]
fn state_of_an_earlier_release_that_does_not_load_is_found() {
    let kit = kit(AddsFieldWithoutDefault).states(states("a_release_ago"));
    assert_eq!(violation(&kit, Check::Upgrade).headline(), "`atlas` cannot read its state of version 1");
}

#[test]
fn state_of_an_earlier_release_that_loads_passes() {
    let kit = kit(CommitsBeforeWriting).states(states("a_release_ago"));
    assert!(matches!(kit.check(Check::Upgrade), syncmgr_test::CheckResult::Passed(passed) if passed.scripts == 1));
}

/// Returns a transient error if it cannot read its state.
struct MisclassifiesUnreadableState(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d0b", name = "Misclassifies unreadable state")]
impl SyncHandler for MisclassifiesUnreadableState {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let saved = item.saved::<WithTitle>();
        let mut saved = saved.map_err(|error| syncmgr::anyhow::anyhow!("cannot begin: {error}"))?;
        saved.pages = 1;
        saved.commit().await
    }
}

#[test]
fn unreadable_state_reported_as_another_failure_is_found() {
    let kit = kit(MisclassifiesUnreadableState).states(states("a_release_ago"));
    assert_eq!(violation(&kit, Check::Upgrade).headline(), "with its state of version 1, `atlas` ends: failed");
}

#[test]
fn states_of_items_whose_ids_have_changed_are_found() {
    let kit = kit(CommitsBeforeWriting).states(states("other_ids"));
    assert_eq!(violation(&kit, Check::Upgrade).headline(), "no item has an id from the states of version 1");
}

#[test]
fn a_version_without_stored_states_is_a_violation() {
    let kit = kit(CommitsBeforeWriting).states(states("nowhere"));
    assert!(violation(&kit, Check::Upgrade).headline().starts_with("the states of version 1 are not stored"));
}

fn states(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "kit", "states", name].iter().collect()
}
