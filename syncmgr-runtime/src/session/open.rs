//! The open sessions of a manager.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use syncmgr_core::id::SessionId;
use syncmgr_core::sync::Mutex;

use super::feed::{Accepting, Feed};
use super::lifecycle::SessionShared;
use crate::watchdog::{RunSource, WatchedRun};

/// The sessions that have started but not ended.
#[derive(Default)]
pub(crate) struct OpenSessions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionId, Weak<SessionShared>>,
    accepting: Accepting,
    /// The streams of the manager's events.
    feeds: Vec<Weak<Feed>>,
}

impl OpenSessions {
    /// Adds a session. Returns `false` once the manager is shut down.
    pub(super) fn add(&self, session: &Arc<SessionShared>) -> bool {
        let feeds = {
            let mut inner = self.0.lock();
            if inner.accepting == Accepting::No {
                return false;
            }
            inner.sessions.insert(session.id, Arc::downgrade(session));
            inner.feeds()
        };
        feeds.iter().for_each(|feed| feed.add(session.clone()));
        true
    }

    /// Removes a session that has ended.
    pub(super) fn remove(&self, session: &SessionShared) {
        let feeds = {
            let mut inner = self.0.lock();
            inner.sessions.remove(&session.id);
            inner.feeds()
        };
        if !feeds.is_empty() {
            let items = session.runs().iter().map(|run| run.listing().items().len()).sum();
            feeds.iter().for_each(|feed| feed.ended(session.id, items));
        }
    }

    /// Returns a feed of the sessions that are open now and of all later ones.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        let feed = Arc::<Feed>::default();
        let (open, accepting) = {
            let mut inner = self.0.lock();
            inner.feeds.push(Arc::downgrade(&feed));
            (inner.all(), inner.accepting)
        };
        open.into_iter().for_each(|session| feed.add(session));
        if accepting == Accepting::No {
            feed.close();
        }
        feed
    }

    /// Refuses new sessions from now on.
    pub(crate) fn close(&self) {
        let feeds = {
            let mut inner = self.0.lock();
            inner.accepting = Accepting::No;
            inner.feeds()
        };
        feeds.iter().for_each(|feed| feed.close());
    }

    /// Returns the sessions in order of id.
    pub(crate) fn all(&self) -> Vec<Arc<SessionShared>> {
        self.0.lock().all()
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<Arc<SessionShared>> {
        self.0.lock().sessions.get(&session)?.upgrade()
    }
}

impl Inner {
    fn all(&self) -> Vec<Arc<SessionShared>> {
        self.sessions.values().filter_map(Weak::upgrade).collect()
    }

    /// Returns the feeds that a stream reads, and removes the others.
    fn feeds(&mut self) -> Vec<Arc<Feed>> {
        self.feeds.retain(|feed| feed.strong_count() > 0);
        self.feeds.iter().filter_map(Weak::upgrade).collect()
    }
}

impl RunSource for OpenSessions {
    fn runs(&self) -> Vec<Arc<dyn WatchedRun>> {
        let runs = self.all().into_iter().flat_map(|session| session.runs().to_vec());
        runs.map(|run| run as Arc<dyn WatchedRun>).collect()
    }
}
