//! Mistakes around checkpoints and what is done twice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::right::Copied;
use super::super::world::{World, breach, caught, kit};

/// Saves how far it will have come, and then does it.
struct CommitsFirst(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d01", name = "Commits first")]
impl SyncHandler for CommitsFirst {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        while saved.leaves < self.0.leaves(item.name()) {
            let leaf = saved.leaves;
            let text = self.0.fetch(item.name(), leaf).await?;
            saved.leaves += 1;
            saved.commit().await?;
            self.0.put(item.name(), leaf, text);
        }
        Ok(())
    }
}

pub(crate) fn commits_first(world: Arc<World>) -> impl SyncHandler {
    CommitsFirst(world)
}

#[test]
fn a_checkpoint_that_is_saved_before_the_data_is_found_by_a_kill_and_told_what_is_missing() {
    let found = breach(&kit(CommitsFirst), Check::Kill);
    assert_eq!(found.headline(), "after a kill the data are not what an undisturbed run leaves");
    assert_eq!(
        found.script(),
        "kill after commit 1 of synchronize_item of `atlas`, alone",
        "the shortest that shows it"
    );
}

/// Has a copy in two places while it works, and relies on a destructor for taking the second away.
struct Tidies(Arc<World>);

/// Takes the mark away.
struct Mark<'a>(&'a World, String);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.shelf().remove(&self.1);
    }
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d0a", name = "Tidies")]
impl SyncHandler for Tidies {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let lock = format!("{}.lock", item.name());
        if self.0.shelf().insert(lock.clone(), String::new()).is_some() {
            return Err(syncmgr::anyhow::anyhow!("somebody else is at it"));
        }
        let _mark = Mark(&self.0, lock);
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_lock_file_that_only_a_destructor_removes_survives_a_stop_and_not_a_kill() {
    assert!(matches!(kit(Tidies).check(Check::Resume), syncmgr_test::Ruling::Kept(_)));
    caught(Tidies, Check::Kill, "in a run after a kill, `atlas` ends: failed");
}

#[test]
fn what_is_killed_is_dropped_where_that_is_asked_for() {
    assert!(matches!(kit(Tidies).dropping_what_is_killed().check(Check::Kill), syncmgr_test::Ruling::Kept(_)));
}

/// Appends to what is on the shelf, wherever it was cut short.
struct Appends(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d02", name = "Appends")]
impl SyncHandler for Appends {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        if saved.leaves == self.0.leaves(item.name()) {
            return Ok(());
        }
        for leaf in 0..self.0.leaves(item.name()) {
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.shelf().entry(item.name().to_owned()).or_default().push_str(&text);
        }
        saved.leaves = self.0.leaves(item.name());
        saved.commit().await
    }
}

#[test]
fn what_is_appended_once_more_after_a_stop_is_noticed() {
    caught(Appends, Check::Resume, "after a stop the data are not what an undisturbed run leaves");
}

/// Remembers in memory what it has written, and commits that at the end.
struct Forgetful {
    world: Arc<World>,
    written: Mutex<BTreeMap<String, u32>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d03", name = "Forgetful")]
impl SyncHandler for Forgetful {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.world.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let begin = self.written.lock().unwrap().get(item.name()).copied().unwrap_or_default();
        let mut saved = item.saved::<Copied>()?;
        for leaf in begin.max(saved.leaves)..self.world.leaves(item.name()) {
            let text = self.world.fetch(item.name(), leaf).await?;
            self.world.shelf().entry(item.name().to_owned()).or_default().push_str(&text);
            self.written.lock().unwrap().insert(item.name().to_owned(), leaf + 1);
        }
        saved.leaves = self.world.leaves(item.name());
        saved.commit().await
    }
}

#[test]
fn state_that_lives_in_memory_alone_survives_a_stop_and_is_missed_after_a_kill() {
    let forgetful = |world| Forgetful { world, written: Mutex::default() };
    assert!(matches!(kit(forgetful).check(Check::Resume), syncmgr_test::Ruling::Kept(_)));
    caught(forgetful, Check::Kill, "after a kill the data are not what an undisturbed run leaves");
}

/// Writes a line to its diary in every run.
struct Diary(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d04", name = "Diary")]
impl SyncHandler for Diary {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.shelf().entry(item.name().to_owned()).or_default().push_str("synchronized\n");
        Ok(())
    }
}

#[test]
fn a_second_run_that_changes_something_is_noticed() {
    caught(Diary, Check::Again, "after a run that was whole the data are not");
}

/// Says that its work may be repeated, and relies on its checkpoint for that.
struct OnlyOnce(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d05", name = "Only once", capabilities(cancellable, idempotent))]
impl SyncHandler for OnlyOnce {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        if saved.leaves == 0 {
            self.0.shelf().entry(item.name().to_owned()).or_default().push('!');
            saved.leaves = 1;
            saved.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn a_promise_that_work_may_be_repeated_is_tried() {
    caught(OnlyOnce, Check::Repeat, "after everything was done again from nothing the data are not");
}

/// Says that it goes on where it was, and does not look where that is.
struct NeverSaves(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d06", name = "Never saves", capabilities(cancellable, resumable))]
impl SyncHandler for NeverSaves {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for leaf in 0..self.0.leaves(item.name()) {
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.put(item.name(), leaf, text);
        }
        Ok(())
    }
}

#[test]
fn a_promise_to_go_on_is_tried() {
    caught(NeverSaves, Check::Resumable, "promises RESUMABLE and commits nothing");
}

/// Commits as it should, and begins every run at the first leaf.
struct NeverLooks(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d09", name = "Never looks", capabilities(cancellable, resumable))]
impl SyncHandler for NeverLooks {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for leaf in 0..self.0.leaves(item.name()) {
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.put(item.name(), leaf, text);
            let mut saved = item.saved::<Copied>()?;
            saved.leaves = leaf + 1;
            saved.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn an_item_that_commits_and_begins_from_nothing_is_noticed() {
    caught(NeverLooks, Check::Resumable, "`atlas` had committed when it was killed, and does everything again");
}

/// Goes on whether or not its state was saved.
struct Careless(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d07", name = "Careless")]
impl SyncHandler for Careless {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<Copied>()?;
        while saved.leaves < self.0.leaves(item.name()) {
            let text = self.0.fetch(item.name(), saved.leaves).await?;
            self.0.put(item.name(), saved.leaves, text);
            saved.leaves += 1;
            _ = saved.commit().await;
        }
        Ok(())
    }
}

#[test]
fn a_commit_whose_failure_nobody_looks_at_is_noticed() {
    caught(Careless, Check::Commits, "a commit of `atlas` failed, and it ends: succeeded");
}

/// Its state has a field more than in the release before, and no default for it.
struct Upgraded(Arc<World>);

#[derive(Default, Serialize, Deserialize)]
struct WithTitle {
    leaves: u32,
    title: String,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d08", name = "Upgraded")]
impl SyncHandler for Upgraded {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut saved = item.saved::<WithTitle>()?;
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        (saved.leaves, saved.title) = (1, item.name().to_owned());
        saved.commit().await
    }
}

#[test]
fn state_of_the_release_before_that_no_longer_loads_is_noticed() {
    let kit = kit(Upgraded).states(states("a_release_ago"));
    assert_eq!(breach(&kit, Check::Upgrade).headline(), "`atlas` cannot read its state of version 1");
}

#[test]
fn state_of_the_release_before_that_still_loads_is_read_by_the_next() {
    let kit = kit(CommitsFirst).states(states("a_release_ago"));
    assert!(matches!(kit.check(Check::Upgrade), syncmgr_test::Ruling::Kept(kept) if kept.scripts == 1));
}

/// Takes state it cannot read for a failure of the peer.
struct Confused(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0d0b", name = "Confused")]
impl SyncHandler for Confused {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let saved = item.saved::<WithTitle>();
        let mut saved = saved.map_err(|error| syncmgr::anyhow::anyhow!("cannot begin: {error}"))?;
        saved.leaves = 1;
        saved.commit().await
    }
}

#[test]
fn state_that_no_longer_loads_and_is_called_something_else_is_noticed() {
    let kit = kit(Confused).states(states("a_release_ago"));
    assert_eq!(breach(&kit, Check::Upgrade).headline(), "with its state of version 1, `atlas` ends: failed");
}

#[test]
fn states_of_items_that_no_longer_have_their_ids_are_noticed() {
    let kit = kit(CommitsFirst).states(states("other_ids"));
    assert_eq!(breach(&kit, Check::Upgrade).headline(), "no item has an id that the states of version 1 have");
}

#[test]
fn a_version_whose_states_are_not_kept_is_asked_for() {
    let kit = kit(CommitsFirst).states(states("nowhere"));
    assert!(breach(&kit, Check::Upgrade).headline().starts_with("the states of version 1 are not kept"));
}

fn states(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "kit", "states", name].iter().collect()
}
