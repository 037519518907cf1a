//! Waiting for the store.

use super::{StoreAccessError, SyncManager};

impl SyncManager {
    /// Waits until the store has stored all that this manager has changed so far: started sessions, choices, settings, answers. From
    /// then on these changes survive a kill of the process, if the store is on disk.
    ///
    /// The methods that change something do not wait for the store, except those that are `async`. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// manager.register(Mail)?;
    /// let session = manager.update_all()?;
    /// manager.flush().await?; // a kill from here on interrupts the session, which is resumed later
    /// # drop(session);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store takes no more changes. A change that the store refused before is not reported again.
    pub async fn flush(&self) -> Result<(), StoreAccessError> {
        self.host().write(Vec::new()).await.map_err(StoreAccessError::Refused)
    }
}
