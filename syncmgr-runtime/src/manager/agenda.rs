//! The agenda of a manager.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{FutureExt, Stream};
use syncmgr_core::agenda::AgendaEntry;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::SyncManager;
use crate::changes::NextChange;
use crate::scheduler::AgendaObservers;

impl SyncManager {
    /// Returns what the manager will run without a request, in the order of the starts: firings of schedules, retries, local
    /// changes, runs that something holds, and interrupted sessions that are resumed.
    ///
    /// Each schedule has one entry, for its next firing, and so has each handler with items that wait for a retry. The
    /// scheduler has to [run](Self::start_scheduler).
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// use syncmgr_core::schedule::Schedule;
    ///
    /// struct Nightly;
    ///
    /// #[async_trait]
    /// impl SyncHandler for Nightly {
    ///     fn info(&self) -> HandlerInfo {
    ///         let night = Schedule::cron("30 2 * * *", "Europe/Berlin").expect("the expression is valid");
    ///         HandlerInfo::new(HandlerId::from_u128(7), "Backup").with_schedule(night)
    ///     }
    /// #   async fn items(&self) -> SyncResult<Items> { Ok([SyncItem::named("Home")].into_iter().collect()) }
    /// #   async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
    /// }
    ///
    /// let manager = SyncManager::new();
    /// manager.register(Nightly)?;
    /// manager.start_scheduler()?;
    /// for entry in manager.agenda() {
    ///     println!("{entry}"); // 2026-11-02 01:30:00Z: items with the schedule "cron 30 2 * * * in Europe/Berlin"
    /// }
    /// # assert_eq!(manager.agenda().len(), 1);
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn agenda(&self) -> Vec<AgendaEntry> {
        let environment = self.host().ports.environment.now();
        self.host().decide(|ledger, now| ledger.agenda(&environment, now))
    }

    /// Returns a stream that yields when an entry of the [agenda](Self::agenda) has come or gone, or the environment has changed,
    /// which may hold entries. Several changes may become one. The scheduler has to [run](Self::start_scheduler). The stream
    /// does not keep the manager alive, and ends once the manager is shut down or dropped.
    pub fn agenda_changes(&self) -> AgendaChanges {
        AgendaChanges::new(self.host().agenda_observers().clone(), self.host().closing.clone())
    }
}

/// The changes of a manager's agenda.
#[must_use = "the stream yields nothing unless it is polled"]
pub struct AgendaChanges {
    observers: Arc<AgendaObservers>,
    next: NextChange,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl AgendaChanges {
    fn new(observers: Arc<AgendaObservers>, closing: CancellationToken) -> Self {
        observers.add();
        Self { next: observers.changes.next(), observers, closing: Box::pin(closing.cancelled_owned()) }
    }

    /// Resolves at the next change; `false` once the manager is shut down. Cancel safe.
    pub async fn next(&mut self) -> bool {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await.is_some()
    }
}

impl Stream for AgendaChanges {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        if self.next.poll_unpin(cx).is_ready() {
            self.next = self.observers.changes.next();
            return Poll::Ready(Some(()));
        }
        self.closing.as_mut().poll(cx).map(|()| None)
    }
}

impl Drop for AgendaChanges {
    fn drop(&mut self) {
        self.observers.remove();
    }
}

impl std::fmt::Debug for AgendaChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgendaChanges")
    }
}
