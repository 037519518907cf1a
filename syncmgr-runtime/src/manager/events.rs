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

    /// Returns the stream of what happens in all sessions from now on: [`events`](Self::events) without what was before. For viewers
    /// that read the present state elsewhere.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let open = manager.update_all()?;
    /// open.report().await;
    /// let mut events = manager.events_from_now();
    /// let next = manager.update_all()?;
    /// let event = events.next().await.expect("the manager is not shut down");
    /// assert_eq!(event.session, next.id());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn events_from_now(&self) -> ManagerEvents {
        ManagerEvents::from_now(self.owner.sessions.feed())
    }

    /// Returns the stream of what happens in all sessions: in those that run already from their start on, and in those that are idle but
    /// not closed from now on. For viewers that show what runs.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let idle = manager.update_all()?;
    /// idle.report().await;
    /// let running = manager.update_all()?;
    /// let mut events = manager.events_of_running();
    /// let event = events.next().await.expect("the manager is not shut down");
    /// assert_eq!(event.session, running.id());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn events_of_running(&self) -> ManagerEvents {
        ManagerEvents::of_running(self.owner.sessions.feed())
    }
}
