//! The saved state of an item: checkpoints and plans.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{ItemContext, RunContext};
use crate::error::{Classify, SyncResult};
use crate::id::ItemId;
use crate::plan::{Plan, PlanError};
use crate::record::MAX_CHECKPOINT;

/// The checkpoint of an item: load it with [`ItemContext::saved`], change it, [`commit`](Self::commit) it.
///
/// Changes are lost unless they are committed.
///
/// ```
/// # use syncmgr_core::{context::{TestContext, ItemContext}, error::SyncResult};
/// async fn synchronize_item(item: &ItemContext) -> SyncResult {
///     let mut newest = item.saved::<u64>()?; // 0 on the first run
///     // .. fetch what is newer than `*newest`
///     *newest += 17;
///     newest.commit().await // after the work that it covers
/// }
/// # let host = TestContext::new();
/// # let item = host.item("Inbox");
/// # futures::executor::block_on(async {
/// synchronize_item(&item).await?;
/// synchronize_item(&item).await?;
/// assert_eq!(host.committed(&item).as_deref(), Some("34"));
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "a checkpoint does nothing unless it is read or committed"]
pub struct Saved<T> {
    item: ItemContext,
    value: T,
    origin: Origin,
}

/// The origin of a loaded checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// No state was saved before; the value is the default.
    Fresh,
    /// This run or an earlier one committed the value.
    Committed,
}

impl RunContext {
    /// Loads the state that an item of the handler committed last, for work that concerns several items, such as a move from one to
    /// another. The item need not be selected. `None` if there is none. Only the item itself can [commit](ItemContext::saved).
    ///
    /// ```
    /// # use syncmgr_core::{context::{RunContext, TestContext}, error::SyncResult, item::SyncItem};
    /// /// The number of messages of all selected folders.
    /// fn known_messages(run: &RunContext) -> SyncResult<u64> {
    ///     run.selection().iter().map(|item| Ok(run.saved_of::<u64>(item.id())?.unwrap_or(0))).sum()
    /// }
    /// # let host = TestContext::new();
    /// # host.save(&host.item("Inbox"), "17");
    /// # assert_eq!(known_messages(&host.prepare([SyncItem::named("Inbox"), SyncItem::named("Sent")]))?, 17);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`ItemContext::saved`].
    pub fn saved_of<T: DeserializeOwned>(&self, item: ItemId) -> SyncResult<Option<T>> {
        let decode = |state: std::sync::Arc<str>| {
            serde_json::from_str(&state).context("the saved state of the item does not decode").unreadable_state()
        };
        self.port().saved(item)?.map(decode).transpose()
    }
}

impl ItemContext {
    /// Loads the state that this item committed last. Returns the default if there is none.
    ///
    /// The state is stored as JSON, with the version of the handler's state. [`SyncHandler::migrate`] migrates older
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
    /// let item = ItemContext::for_test("https://example.org/");
    /// assert!(item.saved::<Seen>()?.etag.is_none());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Unreadable state if the stored state has a later version or does not decode: return the error with `?`. The stored
    /// state remains, and the log entry offers to set it aside. Transient if the store cannot be read.
    pub fn saved<T: Serialize + DeserializeOwned + Default>(&self) -> SyncResult<Saved<T>> {
        let (value, origin) = match self.run().saved_of(self.id())? {
            None => (T::default(), Origin::Fresh),
            Some(value) => (value, Origin::Committed),
        };
        Ok(Saved { item: self.clone(), value, origin })
    }

    /// Proposes a plan to the host before carrying it out. Carry it out only after `Ok`; return the error with `?`.
    ///
    /// The host holds a plan that violates a guard and asks the user through the log. The default guards hold a plan that
    /// deletes more than 10 entries and more than half of the existing ones. They also hold a plan if one of its sides had
    /// more than 10 entries and is now empty, if the identity of a side has changed, or if the clock went back by more than
    /// 1 hour. An answer applies only to the plan that the question describes, until the item's next commit or success.
    ///
    /// ```
    /// # use syncmgr_core::{context::{TestContext, ItemContext}, error::SyncResult, plan::Plan};
    /// async fn synchronize_item(item: &ItemContext) -> SyncResult {
    ///     let plan = Plan::new().with_creates(12).with_deletes(2, 340);
    ///     item.propose(&plan)?; // ends *needs user* if the host holds the plan
    ///     // .. carry out the plan
    ///     Ok(())
    /// }
    /// # futures::executor::block_on(synchronize_item(&TestContext::new().item("Photos")))?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError`]: the plan is held, or the user chose a remedy that the plan offers.
    pub fn propose(&self, plan: &Plan) -> Result<(), PlanError> {
        let decision = self.run().port().propose(self.id(), plan);
        if matches!(decision, Err(PlanError::Held(_))) {
            self.cell().mark_undecided();
        }
        decision
    }

    /// Makes these files and directories as durable as a commit. Call this method before the commit that covers them.
    ///
    /// If the store survives a power loss, this method syncs all paths to the disk. Otherwise it does nothing.
    /// Not cancel safe: if the future is dropped, some of the paths may be synced.
    ///
    /// ```
    /// # use syncmgr_core::{context::ItemContext, error::SyncResult};
    /// # async fn write(item: &ItemContext) -> SyncResult {
    /// std::fs::write("copy/photo.jpg", b"..")?;
    /// item.sync_paths(["copy/photo.jpg", "copy"]).await?; // the directory holds the file's name
    /// item.saved::<u64>()?.commit().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// If one of the paths cannot be opened or synced.
    pub async fn sync_paths(&self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> SyncResult {
        self.run().port().sync_paths(paths.into_iter().map(Into::into).collect()).await
    }
}

impl<T: Serialize> Saved<T> {
    /// Saves the current value. Once this returns, the value survives the end of the process if the store is durable.
    ///
    /// Commit after the work that the value covers, never before. A cancelled item may commit within its grace. Cancel
    /// safe: if the future is dropped, the value is saved completely or not at all.
    ///
    /// ```
    /// # use syncmgr_core::context::{TestContext, Origin};
    /// # let host = TestContext::new();
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
    /// [`Cancelled`](crate::cancel::Cancelled) once the item has ended. Permanent if the value does not serialize to JSON
    /// or is too long. Transient if it cannot be stored.
    pub async fn commit(&mut self) -> SyncResult {
        let state = serde_json::to_string(&self.value).context("the state does not serialize to JSON").permanent()?;
        if state.len() > MAX_CHECKPOINT {
            let length = state.len();
            return Err(anyhow!("the checkpoint has {length} bytes, more than {MAX_CHECKPOINT}; save less"))
                .permanent();
        }
        self.item.cell().check_not_ended()?;
        self.item.run().port().commit(self.item.id(), state.into()).await?;
        self.item.cell().record_commit();
        self.origin = Origin::Committed;
        Ok(())
    }
}

impl<T> Saved<T> {
    /// Returns the origin of the value.
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
