//! How the simulated provider brings an item up to date.

use std::time::Duration;

use syncmgr_core::context::{ItemContext, Saved};
use syncmgr_core::error::{Classify, NeedsUser, SyncResult};
use syncmgr_core::plan::Plan;

use crate::peer::{ENTRIES, Key};
use crate::provider::{CHUNK, Copier, Scripted};
use crate::script::{Commits, Kind};
use crate::step::Fault;
use crate::world::World;

/// What is saved: the version, and how many chunks of it there are.
type Progress = (u64, u64);

impl Copier {
    /// What the peer has: its version and how many chunks that has.
    pub(crate) fn look(&self, key: Key) -> SyncResult<Progress> {
        let theirs = self.world.reach(|state| {
            let theirs = state.sides.theirs.get(&key).filter(|theirs| theirs.is_there);
            theirs.map(|theirs| (theirs.version, theirs.chunks))
        });
        theirs.flatten().ok_or(Scripted).gone()
    }

    /// Goes wrong as the script says.
    async fn stumble(&self, item: &ItemContext) -> SyncResult {
        let key = self.key(item.id());
        let fault = self.world.reach(|state| state.sides.theirs.get_mut(&key)?.faults.pop_front()).flatten();
        let failed = Err::<(), _>(Scripted);
        match fault {
            None => Ok(()),
            Some(Fault::Transient) => failed.transient(),
            Some(Fault::NotBefore(seconds)) => failed.retry_after(Duration::from_secs(seconds)),
            Some(Fault::Permanent) => failed.permanent(),
            Some(Fault::Gone) => failed.gone(),
            Some(Fault::Unreadable) => failed.unreadable_state(),
            Some(Fault::NeedsUser) => Err(NeedsUser::new("the script says so").into()),
            Some(Fault::Tolerated) => item.tolerate("a part", failed).map(|_| ()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("the script says so")),
        }
    }

    /// Deletes what is to be deleted, if the host has nothing against it.
    fn delete(&self, item: &ItemContext) -> SyncResult {
        let key = self.key(item.id());
        let deletes = self.world.reach(|state| state.sides.theirs.get(&key).map(|theirs| theirs.deletes));
        let deletes = deletes.flatten().unwrap_or(0);
        if deletes == 0 {
            return Ok(());
        }
        self.world.reach(|state| state.books.item(key).objected = deletes);
        let goes = item.clear(&Plan::new().with_deletes(deletes, ENTRIES)).or_leave()?.is_go();
        self.world.reach(|state| {
            let too_many = deletes > 10 && deletes * 2 > ENTRIES;
            if goes && too_many && !state.books.item(key).allowed.contains(&deletes) {
                state.breaks("guard", format!("{deletes} of {ENTRIES} are deleted, and nobody allowed that"));
            }
            if let Some(theirs) = state.sides.theirs.get_mut(&key) {
                theirs.deletes = 0;
            }
        });
        Ok(())
    }

    /// Writes one chunk, in the way of this item.
    async fn write(&self, item: &ItemContext, kind: Kind, version: u64, chunk: u64) -> SyncResult {
        let (key, world) = (self.key(item.id()), self.world.clone());
        let done = world.clone();
        let put = async move {
            done.shake("chunk", key.1.guid().as_u128(), CHUNK).await;
            done.reach(|state| state.sides.write(key, version, chunk));
            SyncResult::Ok(())
        };
        match kind {
            Kind::Spawns => item.spawn(put).await,
            Kind::Uninterrupted => {
                let whole = Whole::begin(&world, key, item);
                put.await?;
                whole.finish();
                Ok(())
            }
            _ => put.await,
        }
    }

    /// Saves how far it is.
    async fn commit(&self, key: Key, saved: &mut Saved<Progress>) -> SyncResult {
        let state = serde_json::to_string(&**saved)?;
        self.world.reach(|world| world.books.item(key).saves(&state));
        saved.commit().await?;
        self.world.reach(|world| {
            if !world.books.lies {
                world.books.item(key).acknowledge(&state);
            }
            world.note(&format!("{key:?} has saved {state}"));
        });
        Ok(())
    }

    /// What is saved must be what was said to be saved, and must have been written.
    fn check(&self, key: Key, saved: Progress) {
        let state = (saved != Progress::default()).then(|| serde_json::to_string(&saved)).and_then(Result::ok);
        self.world.reach(|world| {
            if let Some(how) = world.books.item(key).refutes(state.as_deref()) {
                world.breaks("what was committed is there", format!("{key:?}: {how}"));
            }
            if !world.sides.has(key, saved.0, saved.1) {
                world.breaks("a checkpoint covers what was written", format!("{key:?}: {saved:?} was not"));
            }
        });
    }

    pub(crate) async fn copy(&self, item: &ItemContext) -> SyncResult {
        let (key, plan) = (self.key(item.id()), self.item_plan(item.id()));
        let mut saved = item.saved::<Progress>()?;
        self.check(key, *saved);
        self.world.shake("look", key.1.guid().as_u128(), CHUNK).await;
        let (version, chunks) = self.look(key)?;
        self.stumble(item).await?;
        self.delete(item)?;
        let up_to_date = *saved == (version, chunks);
        let decided = plan.kind != Kind::Decides
            || up_to_date
            || item.decide("how", "how is it to be done?", &["so", "or so"]).is_some();
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
        let saved_so_far = self.plan.commits == Commits::EachChunk && plan.kind != Kind::Concurrent && saved.1 > 0;
        if !saved_so_far {
            self.commit(key, &mut saved).await?;
        }
        Ok(())
    }
}

/// Something that must not be cut in the middle.
struct Whole {
    world: World,
    key: Key,
    done: bool,
    _guard: syncmgr_core::cell::Uninterrupted,
}

impl Whole {
    fn begin(world: &World, key: Key, item: &ItemContext) -> Self {
        world.reach(|state| {
            let item = state.books.item(key);
            (item.uninterrupted, item.was_whole) = (item.uninterrupted + 1, true);
        });
        Self { world: world.clone(), key, done: false, _guard: item.uninterrupted() }
    }

    fn finish(mut self) {
        self.done = true;
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.world.reach(|state| {
            let now = state.elapsed();
            let item = state.books.item(self.key);
            item.uninterrupted = item.uninterrupted.saturating_sub(1);
            let too_early = item.ends_by.is_some_and(|(_, hard)| now < hard);
            if too_early && !self.done {
                state.breaks("what must not be cut is not", format!("{:?} was", self.key));
            }
        });
    }
}
