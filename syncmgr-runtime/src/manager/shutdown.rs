//! The end of a manager.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::Limits;
use syncmgr_core::text::Escaped;

use super::SyncManager;
use crate::session::life::SessionShared;

impl SyncManager {
    /// Stops every session and waits until all of them are over. No session can be started afterwards.
    ///
    /// What cannot be stopped is returned, handler by handler: blocking work that outlived its hard grace, and handlers
    /// that block their thread. It is not waited for longer than the hard grace of its handler, and a little; and as long once
    /// more for a store that has not answered, which is not named. Cancel safe;
    /// the sessions stop all the same.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let session = manager.update_all()?;
    /// for handler in manager.shutdown().await {
    ///     eprintln!("{handler}"); // blocking work that went on past its grace
    /// }
    /// assert!(manager.update_all().is_err()); // no session can be started any more
    /// # drop(session);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub async fn shutdown(&self) -> Vec<Unstopped> {
        let sessions = self.owner.wind_up();
        let over = async {
            for session in &sessions {
                session.until(|| session.is_over()).await;
            }
        };
        let patience = patience(&sessions);
        let late = tokio::time::timeout(patience, over).await.is_err();
        let unstopped = self.unstopped(&sessions);
        if late {
            sessions.iter().for_each(|session| session.abort());
        }
        if late || unstopped.is_empty() {
            // What is left waits for the store, which may never answer.
            let _ = tokio::time::timeout(patience, self.host().tracker.wait()).await;
        }
        if let Some(watchdog) = &self.host().ports.watchdog {
            watchdog.stop();
        }
        unstopped
    }

    /// What goes on although everything was stopped.
    fn unstopped(&self, sessions: &[Arc<SessionShared>]) -> Vec<Unstopped> {
        let mut unstopped: BTreeMap<HandlerId, BTreeSet<ItemId>> = BTreeMap::new();
        for (handler, item) in self.host().admission.quarantined() {
            unstopped.entry(handler).or_default().insert(item);
        }
        let mut names = BTreeMap::new();
        for run in sessions.iter().flat_map(|session| session.runs()) {
            names.insert(run.id().handler, run.info().name().to_owned());
            if !run.is_at_rest() {
                let polled = run.attempt().polling().into_iter().filter_map(|(_, _, item)| item);
                unstopped.entry(run.id().handler).or_default().extend(polled);
            }
        }
        let registered = |handler| self.host().known().handlers.get(&handler).map(|(_, info)| info.name().to_owned());
        let name = |handler| names.get(&handler).cloned().or_else(|| registered(handler)).unwrap_or_default();
        let named = |(handler, items)| Unstopped { handler, name: name(handler), items };
        unstopped.into_iter().map(named).collect()
    }
}

/// How long a shutdown waits: a little longer than the handlers may take.
fn patience(sessions: &[Arc<SessionShared>]) -> Duration {
    let runs = sessions.iter().flat_map(|session| session.runs());
    let limits = runs.map(|run| run.info().limits());
    let graces = limits.map(|limits| limits.hard_grace().saturating_add(limits.soft_grace().saturating_mul(4)));
    // Where no handler sets the pace, the store may.
    graces.max().unwrap_or(Limits::DEFAULT.hard_grace()).saturating_add(Duration::from_secs(1))
}

/// A handler of which something goes on although everything was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unstopped {
    /// The handler.
    pub handler: HandlerId,
    /// Its name; empty when it was unregistered meanwhile.
    pub name: String,
    /// The items whose work goes on; empty where the handler blocks its thread outside of any item.
    pub items: BTreeSet<ItemId>,
}

impl fmt::Display for Unstopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be stopped", Escaped(&self.name))?;
        match self.items.len() {
            0 => Ok(()),
            items => write!(f, ": {items} abandoned"),
        }
    }
}
