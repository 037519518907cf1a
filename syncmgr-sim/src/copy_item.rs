//! Copying of an item by the simulated provider.

use std::time::Duration;

use syncmgr_core::context::{ItemContext, Saved};
use syncmgr_core::error::{Classify, NeedsUser, SyncResult};
use syncmgr_core::plan::Plan;

use crate::error::{PanicsOnDrop, Scripted};
use crate::peer::{ENTRIES, Key};
use crate::provider::{CHUNK, Copier};
use crate::script::{Commits, Kind};
use crate::sim::Sim;
use crate::step::Fault;

/// The saved state: the version and the number of its copied chunks.
type Progress = (u64, u64);

impl Copier {
    /// Returns the peer's version and the number of its chunks.
    pub(crate) fn peer_progress(&self, key: Key) -> SyncResult<Progress> {
        let peer_item = self.sim.try_with(|state| {
            let peer_item = state.sides.peer.get(&key).filter(|peer_item| peer_item.exists);
            peer_item.map(|peer_item| (peer_item.version, peer_item.chunks))
        });
        peer_item.flatten().ok_or(Scripted).gone()
    }

    /// Fails if the script has a fault for this attempt.
    async fn fail_as_scripted(&self, item: &ItemContext) -> SyncResult {
        let key = self.key(item.id());
        let fault = self.sim.try_with(|state| state.sides.peer.get_mut(&key)?.faults.pop_front()).flatten();
        let failed = Err::<(), _>(Scripted);
        match fault {
            None => Ok(()),
            Some(Fault::Transient) => failed.transient(),
            Some(Fault::NotBefore(seconds)) => failed.retry_after(Duration::from_secs(seconds)),
            Some(Fault::Permanent) => failed.permanent(),
            Some(Fault::Gone) => failed.gone(),
            Some(Fault::Unreadable) => failed.unreadable_state(),
            Some(Fault::NeedsUser) => Err(NeedsUser::new("scripted failure").into()),
            Some(Fault::Tolerated) => item.tolerate("a part", failed).map(|_| ()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("scripted failure")),
            Some(Fault::PanicOnDrop) => PanicsOnDrop::result(),
            Some(Fault::Kill) => {
                self.sim.kill_process(key);
                std::future::pending().await
            }
        }
    }

    /// Performs the scripted deletions, if the host accepts the plan.
    fn delete(&self, item: &ItemContext) -> SyncResult {
        let key = self.key(item.id());
        let deletes = self.sim.try_with(|state| state.sides.peer.get(&key).map(|peer_item| peer_item.deletes));
        let deletes = deletes.flatten().unwrap_or(0);
        if deletes == 0 {
            return Ok(());
        }
        self.sim.try_with(|state| state.model.item(key).proposed_deletes = deletes);
        item.propose(&Plan::new().with_deletes(deletes, ENTRIES))?;
        self.sim.try_with(|state| {
            let too_many = deletes > 10 && deletes * 2 > ENTRIES;
            if too_many && !state.model.item(key).allowed_deletes.contains(&deletes) {
                state.report_violation(
                    "a plan beyond the guard limits needs permission",
                    format!("{deletes} of {ENTRIES} entries are deleted without permission"),
                );
            }
            if let Some(peer_item) = state.sides.peer.get_mut(&key) {
                peer_item.deletes = 0;
            }
        });
        Ok(())
    }

    /// Writes a chunk, in the way that the kind of the item prescribes.
    async fn write(&self, item: &ItemContext, kind: Kind, version: u64, chunk: u64) -> SyncResult {
        let (key, sim) = (self.key(item.id()), self.sim.clone());
        let target = sim.clone();
        let put = async move {
            target.yield_or_sleep("chunk", key.1.guid().as_u128(), CHUNK).await;
            target.try_with(|state| state.sides.write(key, version, chunk));
            SyncResult::Ok(())
        };
        match kind {
            Kind::Spawns => item.spawn(put).await,
            Kind::Uninterrupted => {
                let section = UninterruptedSection::begin(&sim, key, item);
                put.await?;
                section.finish();
                Ok(())
            }
            _ => put.await,
        }
    }

    /// Commits the progress and records it in the model.
    async fn commit(&self, key: Key, saved: &mut Saved<Progress>) -> SyncResult {
        let encoded = serde_json::to_string(&**saved)?;
        self.sim.try_with(|state| state.model.item(key).begin_save(&encoded));
        saved.commit().await?;
        self.sim.try_with(|state| {
            if !state.model.writes_lost {
                state.model.item(key).acknowledge(&encoded);
            }
            state.note(&format!("{key:?} saved {encoded}"));
        });
        Ok(())
    }

    /// Checks that the loaded state matches the model, and that its chunks were written.
    fn check(&self, key: Key, saved: Progress) {
        let encoded = (saved != Progress::default()).then(|| serde_json::to_string(&saved)).and_then(Result::ok);
        self.sim.try_with(|state| {
            if let Some(details) = state.model.item(key).contradicts(encoded.as_deref()) {
                state.report_violation("committed state is stored", format!("{key:?}: {details}"));
            }
            if !state.sides.has(key, saved.0, saved.1) {
                state.report_violation(
                    "a checkpoint covers only written chunks",
                    format!("{key:?}: chunks of {saved:?} are missing"),
                );
            }
        });
    }

    pub(crate) async fn copy(&self, item: &ItemContext) -> SyncResult {
        let (key, plan) = (self.key(item.id()), self.item_plan(item.id()));
        let mut saved = item.saved::<Progress>()?;
        self.check(key, *saved);
        self.sim.yield_or_sleep("look", key.1.guid().as_u128(), CHUNK).await;
        let (version, chunks) = self.peer_progress(key)?;
        self.fail_as_scripted(item).await?;
        self.delete(item)?;
        let up_to_date = *saved == (version, chunks);
        let decided = plan.kind != Kind::Decides
            || up_to_date
            || item.decide("how", "which method?", &["the first", "the second"]).is_some();
        if saved.0 != version {
            *saved = (version, 0);
        }
        if plan.kind == Kind::Concurrent {
            let write = |chunk| self.write(item, plan.kind, version, chunk);
            item.concurrently(2, saved.1..chunks, write).await?;
            saved.1 = chunks;
        }
        while saved.1 < chunks && decided {
            self.write(item, plan.kind, version, saved.1).await?;
            saved.1 += 1;
            item.progress(saved.1, chunks)?;
            if self.plan.commits == Commits::EachChunk {
                self.commit(key, &mut saved).await?;
            }
        }
        let is_committed = self.plan.commits == Commits::EachChunk && plan.kind != Kind::Concurrent && saved.1 > 0;
        if !is_committed {
            self.commit(key, &mut saved).await?;
        }
        Ok(())
    }
}

/// A section that must not be interrupted before the hard grace ends.
struct UninterruptedSection {
    sim: Sim,
    key: Key,
    done: bool,
    _guard: syncmgr_core::cell::Uninterrupted,
}

impl UninterruptedSection {
    fn begin(sim: &Sim, key: Key, item: &ItemContext) -> Self {
        sim.try_with(|state| {
            let item = state.model.item(key);
            (item.uninterrupted, item.was_uninterrupted) = (item.uninterrupted + 1, true);
        });
        Self { sim: sim.clone(), key, done: false, _guard: item.uninterrupted() }
    }

    fn finish(mut self) {
        self.done = true;
    }
}

impl Drop for UninterruptedSection {
    fn drop(&mut self) {
        self.sim.try_with(|state| {
            let now = state.elapsed();
            let item = state.model.item(self.key);
            item.uninterrupted = item.uninterrupted.saturating_sub(1);
            let is_early = item.cancel_deadlines.is_some_and(|(_, hard)| now < hard);
            if is_early && !self.done {
                state.report_violation(
                    "an uninterrupted section is not interrupted before the hard grace ends",
                    format!("{:?} was interrupted", self.key),
                );
            }
        });
    }
}
