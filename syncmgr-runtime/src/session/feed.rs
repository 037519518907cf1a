//! The sessions that a stream of a manager's events has not begun to read.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use syncmgr_core::foreign;
use syncmgr_core::id::SessionId;
use syncmgr_core::sync::Mutex;

use super::lifecycle::SessionShared;

/// The number of items in ended sessions that wait to be read, from which the oldest of these sessions are left out.
const MAX_WAITING: usize = 1_000_000;

/// The memory of a session without items, as a number of items.
const SESSION_WEIGHT: usize = 100;

/// The admission of new sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Accepting {
    #[default]
    Yes,
    /// The manager is shut down.
    No,
}

/// The sessions that wait to be read by one stream.
#[derive(Default)]
pub(crate) struct Feed(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Waiting,
    /// The ended sessions among them with their weights, in the order in which they ended.
    ended: VecDeque<(SessionId, usize)>,
    weight: usize,
    waker: Option<Waker>,
}

/// The sessions that a stream reads next, in the order of their ids.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) sessions: BTreeMap<SessionId, Arc<SessionShared>>,
    /// The number of sessions that were left out.
    pub(super) missed: u64,
    pub(super) accepting: Accepting,
}

impl Feed {
    /// Takes everything that waits. `waker` is woken once there is more.
    pub(super) fn take(&self, waker: &Waker) -> Waiting {
        let mut waker = Some(waker.clone());
        let mut inner = self.0.lock();
        mem::swap(&mut inner.waker, &mut waker);
        inner.ended.clear();
        inner.weight = 0;
        let accepting = inner.waiting.accepting;
        mem::replace(&mut inner.waiting, Waiting { accepting, ..Waiting::default() })
    }

    pub(super) fn add(&self, session: Arc<SessionShared>) {
        self.change(|inner| drop(inner.waiting.sessions.insert(session.id, session)));
    }

    /// Tells the stream that no more sessions follow.
    pub(super) fn close(&self) {
        self.change(|inner| inner.waiting.accepting = Accepting::No);
    }

    /// Notes the end of a session, and leaves out the oldest ended sessions if too much waits.
    pub(super) fn ended(&self, session: SessionId, items: usize) {
        // Dropped once the lock is released, because a session may be the last owner of its handlers.
        let _left_out = self.0.lock().ended(session, SESSION_WEIGHT + items);
    }

    /// Changes what waits and wakes the stream.
    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let waker = {
            let mut inner = self.0.lock();
            change(&mut inner);
            inner.waker.take()
        };
        waker.into_iter().for_each(foreign::wake);
    }
}

impl Inner {
    fn ended(&mut self, session: SessionId, weight: usize) -> Vec<Arc<SessionShared>> {
        let mut left_out = Vec::new();
        if self.waiting.sessions.contains_key(&session) {
            self.ended.push_back((session, weight));
            self.weight += weight;
        }
        while self.weight > MAX_WAITING
            && let Some((oldest, weight)) = self.ended.pop_front()
        {
            self.weight -= weight;
            self.waiting.missed += 1;
            left_out.extend(self.waiting.sessions.remove(&oldest));
        }
        left_out
    }
}
