//! The events of all sessions.

use super::SyncManager;
use crate::session::ManagerEvents;

impl SyncManager {
    /// Returns the stream of the events of all sessions: those that are open now, from their start on, and all later
    /// ones, including those that the manager starts by itself.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mut events = manager.events();
    /// manager.register(Mail)?;
    /// manager.update_all()?.finish().await;
    /// manager.shutdown().await;
    /// let mut ended = Vec::new();
    /// while let Some(ManagerEvent { event, .. }) = events.next().await {
    ///     match event {
    ///         SessionEvent::Ended { handler_name, name, outcome, .. } => {
    ///             ended.push(format!("{handler_name}/{name}: {outcome}"));
    ///         }
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(ended, ["Mail/Inbox: succeeded", "Mail/Sent: succeeded"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn events(&self) -> ManagerEvents {
        ManagerEvents::new(self.owner.sessions.feed())
    }
}
