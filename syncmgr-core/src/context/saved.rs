//! What an item saved in earlier runs, and saves for later ones.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::ItemContext;
use crate::error::{Classify, SyncResult};
use crate::plan::{Clearance, Plan};
use crate::record::MAX_CHECKPOINT;

/// The checkpoint of an item: load it with [`ItemContext::saved`], change it, [`commit`](Self::commit) it.
///
/// What is not committed is not saved.
///
/// ```
/// # use syncmgr_core::{context::{Detached, ItemContext}, error::SyncResult};
/// async fn synchronize_item(item: &ItemContext) -> SyncResult {
///     let mut newest = item.saved::<u64>()?; // 0 on the first run
///     // .. fetch what is newer than `*newest`
///     *newest += 17;
///     newest.commit().await // after the work it speaks of
/// }
/// # let host = Detached::new();
/// # let item = host.item("Inbox");
/// # futures::executor::block_on(async {
/// synchronize_item(&item).await?;
/// synchronize_item(&item).await?;
/// assert_eq!(host.committed(&item).as_deref(), Some("34"));
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "what was saved is read from this, and committed through it"]
pub struct Saved<T> {
    item: ItemContext,
    value: T,
    origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nothing was saved before; the value is the default.
    Fresh,
    /// An earlier run, or this one, committed it.
    Committed,
}

impl ItemContext {
    /// What was last committed of this item, or the default where nothing was.
    ///
    /// It is kept as JSON, with the version of the handler's state; see [`SyncHandler::migrate`] for steps between
    /// versions.
    ///
    /// [`SyncHandler::migrate`]: crate::handler::SyncHandler::migrate
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use syncmgr_core::context::ItemContext;
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Seen {
    ///     etag: Option<String>,
    ///     #[serde(default)] // added later: older checkpoints still decode
    ///     pages: u32,
    /// }
    ///
    /// let item = ItemContext::detached("https://example.org/");
    /// assert!(item.saved::<Seen>()?.etag.is_none());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Marked as unreadable state where what was saved is of a later version or no longer decodes: pass it on with `?`.
    /// Nothing of it is lost; the log has an entry to put it aside. Transient where the store cannot be read.
    pub fn saved<T: Serialize + DeserializeOwned + Default>(&self) -> SyncResult<Saved<T>> {
        let (value, origin) = match self.run().port().saved(self.id())? {
            None => (T::default(), Origin::Fresh),
            Some(state) => {
                let decoded = serde_json::from_str(&state);
                let value = decoded.context("what was saved of the item no longer decodes").unreadable_state()?;
                (value, Origin::Committed)
            }
        };
        Ok(Saved { item: self.clone(), value, origin })
    }

    /// Says what this item is about to do, before it does it. Where the host objects it asks, through the log: leave out
    /// what it objects to, or leave with `?` on [`Clearance::or_leave`].
    ///
    /// The host objects to deletions of more than 10 entries that are more than half of what there is, to a side that has
    /// become empty or another one, and to a clock that went back, unless it was built with other rules. An answer holds for
    /// the plan it was given to; it is used up by the commit or the success that follows it.
    ///
    /// ```
    /// # use syncmgr_core::{context::{Detached, ItemContext}, error::SyncResult, plan::Plan};
    /// async fn synchronize_item(item: &ItemContext) -> SyncResult {
    ///     let plan = Plan::new().with_creates(12).with_deletes(2, 340);
    ///     item.clear(&plan).or_leave()?; // ends *needs user* where the host objects
    ///     // .. carry it out
    ///     Ok(())
    /// }
    /// # futures::executor::block_on(synchronize_item(&Detached::new().item("Photos")))?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn clear(&self, plan: &Plan) -> Clearance {
        let clearance = self.run().port().clear(self.id(), plan);
        if matches!(clearance, Clearance::Held(_)) {
            self.cell().leave_undecided();
        }
        clearance
    }

    /// Makes sure that these files and directories survive what a commit survives: call it before the commit that speaks of
    /// them.
    ///
    /// Where the store survives the loss of power it waits for the disk, once for all of them; elsewhere it does nothing. Not
    /// cancel safe: dropped, it may have done a part.
    ///
    /// ```
    /// # use syncmgr_core::{context::ItemContext, error::SyncResult};
    /// # async fn write(item: &ItemContext) -> SyncResult {
    /// std::fs::write("copy/photo.jpg", b"..")?;
    /// item.sync_paths(["copy/photo.jpg", "copy"]).await?; // the directory holds the name
    /// item.saved::<u64>()?.commit().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// When one of them cannot be opened or written out.
    pub async fn sync_paths(&self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> SyncResult {
        self.run().port().sync_paths(paths.into_iter().map(Into::into).collect()).await
    }
}

impl<T: Serialize> Saved<T> {
    /// Saves the value as it is now. When this returns it survives the process, if the manager has a store that does.
    ///
    /// It covers what was awaited before it: commit after the work, never before. A cancelled item may commit within its
    /// grace. Cancel safe: dropped, the value is saved or not, and never in part.
    ///
    /// ```
    /// # use syncmgr_core::context::{Detached, Origin};
    /// # let host = Detached::new();
    /// # let item = host.item("Inbox");
    /// # futures::executor::block_on(async {
    /// let mut saved = item.saved::<Vec<String>>()?;
    /// assert_eq!(saved.origin(), Origin::Fresh);
    /// saved.push("uid 7".into());
    /// saved.commit().await?;
    /// assert_eq!(saved.origin(), Origin::Committed);
    /// # Ok::<(), anyhow::Error>(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`](crate::cancel::Cancelled) once the item is over: what comes too late is refused. Permanent where the
    /// value is no JSON or too long. Transient where it cannot be stored.
    pub async fn commit(&mut self) -> SyncResult {
        let state = serde_json::to_string(&self.value).context("what is to be saved is no JSON").permanent()?;
        if state.len() > MAX_CHECKPOINT {
            let length = state.len();
            return Err(anyhow!("the checkpoint has {length} bytes, more than {MAX_CHECKPOINT}; save less"))
                .permanent();
        }
        self.item.cell().check_not_over()?;
        self.item.run().port().commit(self.item.id(), state.into()).await?;
        self.item.cell().note_commit();
        self.origin = Origin::Committed;
        Ok(())
    }
}

impl<T> Saved<T> {
    /// Where the value came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }
}

impl<T> Deref for Saved<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Saved<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Saved<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved").field("value", &self.value).field("origin", &self.origin).finish_non_exhaustive()
    }
}
