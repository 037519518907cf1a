//! Shutdown of a manager.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::Limits;
use syncmgr_core::text::Escaped;
use tokio::time::Instant;

use super::SyncManager;
use crate::clock::later;
use crate::session::lifecycle::SessionShared;

impl SyncManager {
    /// Stops every session and waits until all of them have ended. No session can be started afterwards.
    ///
    /// Returns the handlers that are still running: those with blocking work that outlived its hard grace, and those
    /// that block their thread. Waits for handlers and for the store together at most the longest hard grace plus a short
    /// margin. The result does not include a store that does not answer.
    ///
    /// Inside a call of a handler, returns without waiting: the call would wait for itself. The result then includes the
    /// calling handler. Call this method again from outside to wait.
    ///
    /// Cancel safe; the sessions stop even if the future is dropped.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let session = manager.update_all()?;
    /// for handler in manager.shutdown().await {
    ///     eprintln!("{handler}"); // blocking work that outlived its grace
    /// }
    /// assert!(manager.update_all().is_err()); // no session can be started now
    /// # drop(session);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub async fn shutdown(&self) -> Vec<StillRunning> {
        // Read first: the shutdown may end the calling run.
        let is_nested = !self.owner.callers().is_empty();
        let sessions = self.owner.begin_shutdown();
        if is_nested {
            return self.still_running(&sessions);
        }
        let all_ended = async {
            for session in &sessions {
                session.until(|| session.has_ended()).await;
            }
        };
        let deadline = later(Instant::now(), shutdown_timeout(&sessions));
        let timed_out = tokio::time::timeout_at(deadline, all_ended).await.is_err();
        let still_running = self.still_running(&sessions);
        if timed_out {
            sessions.iter().for_each(|session| session.abort());
        }
        if timed_out || still_running.is_empty() {
            // The remaining tasks were aborted, or wait for a store that may never answer.
            let _ = tokio::time::timeout_at(later(deadline, MARGIN), self.host().tracker.wait()).await;
        }
        if let Some(watchdog) = &self.host().ports.watchdog {
            watchdog.stop();
        }
        self.host().release_store();
        still_running
    }

    /// Returns the handlers that did not stop.
    fn still_running(&self, sessions: &[Arc<SessionShared>]) -> Vec<StillRunning> {
        let mut still_running: BTreeMap<HandlerId, BTreeSet<ItemId>> = BTreeMap::new();
        for (handler, item) in self.host().admission.quarantined() {
            still_running.entry(handler).or_default().insert(item);
        }
        let mut names = BTreeMap::new();
        for run in sessions.iter().flat_map(|session| session.runs()) {
            names.insert(run.id().handler, run.info().name().to_owned());
            if !run.is_idle() {
                let polled = run.attempt().polls_in_progress().into_iter().filter_map(|(_, _, item)| item);
                still_running.entry(run.id().handler).or_default().extend(polled);
            }
        }
        let registered =
            |handler| self.host().manager_state().handlers.get(&handler).map(|known| known.info.name().to_owned());
        let name = |handler| names.get(&handler).cloned().or_else(|| registered(handler)).unwrap_or_default();
        let named = |(handler, items)| StillRunning { handler, name: name(handler), items };
        still_running.into_iter().map(named).collect()
    }
}

/// The time for handlers and tasks that end in time to be noticed.
const MARGIN: Duration = Duration::from_secs(1);

/// Returns the timeout of a shutdown: a little more than the handlers' longest grace.
fn shutdown_timeout(sessions: &[Arc<SessionShared>]) -> Duration {
    let runs = sessions.iter().flat_map(|session| session.runs());
    let limits = runs.map(|run| run.info().limits());
    let graces = limits.map(|limits| limits.hard_grace().saturating_add(limits.soft_grace().saturating_mul(4)));
    // Without handlers, the store still needs time.
    graces.max().unwrap_or(Limits::DEFAULT.hard_grace()).saturating_add(MARGIN)
}

/// A handler that is still running after a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillRunning {
    /// The handler.
    pub handler: HandlerId,
    /// The name of the handler; empty if it was unregistered meanwhile.
    pub name: String,
    /// The items that are still running; empty if the handler blocks its thread outside of an item.
    pub items: BTreeSet<ItemId>,
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be stopped", Escaped(&self.name))?;
        match self.items.len() {
            0 => Ok(()),
            items => write!(f, ": {items} abandoned"),
        }
    }
}
