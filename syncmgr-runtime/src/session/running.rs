//! The items that run now.

use std::sync::Arc;

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::progress::ProgressState;

use super::Session;

/// An item that runs, with its latest progress.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunningItem {
    /// The handler of the item.
    pub handler: HandlerId,
    /// The item.
    pub item: ItemId,
    /// The name of the item.
    pub name: Arc<str>,
    /// The latest progress.
    pub state: ProgressState,
}

impl Session {
    /// Returns the running items with their latest progress, in the order of their handlers.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let session = manager.update_all()?;
    /// # let mut events = session.events();
    /// # while !matches!(events.next().await, Some(SessionEvent::Progress { .. })) {}
    /// let state = session.progress().remove(0).state;
    /// assert_eq!((state.value, state.fraction()), (1, None)); // the total is unknown
    /// # session.stop();
    /// # session.finish().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn progress(&self) -> Vec<RunningItem> {
        let mut running = Vec::new();
        for run in self.shared().runs() {
            let (handler, attempt) = (run.id().handler, run.attempt());
            let of = |(item, state): (&SyncItem, _)| RunningItem {
                handler,
                item: item.id(),
                name: item.shared_name(),
                state,
            };
            running.extend(attempt.progress().into_iter().map(of));
        }
        running
    }

    /// Returns `true` if none of the session's items runs or waits to run, so that the [`report`](Self::report) is complete.
    /// Retries and answers in the same session make it `false` again.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let session = manager.update_all()?;
    /// assert!(!session.is_idle());
    /// session.report().await;
    /// assert!(session.is_idle());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn is_idle(&self) -> bool {
        self.shared().is_finished()
    }
}
