//! The streams of events: of one session, and of all sessions of a manager.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::Stream;
use syncmgr_core::id::SessionId;

use super::event::{ManagerEvent, SessionEvent};
use super::feed::{Accepting, Feed};
use super::lifecycle::SessionShared;
use super::reader::{Following, Reader};
use super::woken::Woken;
use crate::owner::Owner;

/// The events of a session, from its start on, until the session is closed.
///
/// A [`Stream`]; [`next`](Self::next) works without importing the trait. The stream yields all events of items and runs,
/// in order for each handler, even if it is read late; progress is sampled ten times a second. A slow reader does not
/// slow down the session: the stream reads the runs' journals at its own pace.
#[must_use = "the stream yields no events unless it is polled"]
pub struct Events {
    reader: Reader,
    /// Keeps the manager alive.
    _manager: Arc<Owner>,
}

impl Events {
    pub(crate) fn new(session: Arc<SessionShared>, manager: Arc<Owner>) -> Self {
        Self { reader: Reader::new(session), _manager: manager }
    }

    /// Returns the next event, or `None` once the session is closed. Cancel safe.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        std::future::poll_fn(|cx| self.reader.poll_event(cx)).await
    }
}

impl Stream for Events {
    type Item = SessionEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        self.reader.poll_event(cx)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Events({})", self.reader.session().id)
    }
}

/// The events of all sessions of a manager, including those that the manager starts by itself.
///
/// A [`Stream`]; [`next`](Self::next) works without importing the trait. It yields every event of the sessions that are
/// open when it is created, from their start on, and of all later sessions. The events of a session are those of its
/// [`Events`]. The events of a handler are in order across its sessions while these run in the order in which they were
/// started. If a later session overtakes an earlier one, or an earlier one runs items again, events that are read at the
/// same time come in the order of the sessions: if the reader is slower than an earlier session, those of later ones wait until
/// it has caught up. The stream does not keep the manager alive, and ends once the manager is shut down or dropped.
///
/// A slow reader slows down no session. Until the reader has read an ended session, the session stays in memory with its
/// items, its log and its handlers. The memory is bounded: if the ended sessions that the reader has not taken up have
/// more than a million items together (each session counts 100 items more), the oldest of them are left out and counted
/// in [`missed`](Self::missed). A session that was open when the stream was last read is never left out.
#[must_use = "the stream yields no events unless it is polled"]
pub struct ManagerEvents {
    feed: Arc<Feed>,
    readers: BTreeMap<SessionId, Part>,
    /// The sessions that have something new.
    woken: Arc<Woken<SessionId>>,
    /// Those of them that the stream has not read yet.
    unread: BTreeSet<SessionId>,
    /// Events that follow those of earlier sessions that are not read yet. The last sessions come first.
    held: Vec<Batch>,
    ready: VecDeque<ManagerEvent>,
    /// `true` once the woken stream has yielded to the workers, so that it reads many entries together.
    yielded: bool,
    missed: u64,
}

/// The next events of a session.
struct Batch {
    session: SessionId,
    events: Vec<SessionEvent>,
    following: Following,
}

/// The part of a manager's stream that reads one session.
struct Part {
    reader: Reader,
    waker: Waker,
}

impl ManagerEvents {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self {
            feed,
            readers: BTreeMap::new(),
            woken: Arc::default(),
            unread: BTreeSet::new(),
            held: Vec::new(),
            ready: VecDeque::new(),
            yielded: false,
            missed: 0,
        }
    }

    /// Creates a stream of what happens from now on.
    pub(crate) fn from_now(feed: Arc<Feed>) -> Self {
        Self::beginning(feed, |_| false)
    }

    /// Creates a stream that begins with the start of the sessions that run.
    pub(crate) fn of_running(feed: Arc<Feed>) -> Self {
        Self::beginning(feed, |session| !session.is_idle())
    }

    /// Creates a stream that reads some of the open sessions from their start on, and the others from now on.
    fn beginning(feed: Arc<Feed>, from_start: impl Fn(&SessionShared) -> bool) -> Self {
        let mut events = Self::new(feed);
        let open = events.feed.take(Waker::noop()).sessions;
        for (id, session) in open {
            let reader = if from_start(&session) { Some(Reader::new(session)) } else { Reader::at_end(session) };
            let part = reader.map(|reader| Part { reader, waker: events.woken.waker(id) });
            events.unread.extend(part.is_some().then_some(id));
            events.readers.extend(part.map(|part| (id, part)));
        }
        events
    }

    /// Returns the next event, or `None` once the manager is shut down and all events are read. Cancel safe.
    pub async fn next(&mut self) -> Option<ManagerEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the number of sessions that were left out because the stream was not read for too long.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ManagerEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            if !std::mem::replace(&mut self.yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // The events that are held follow those of sessions that are known already.
            let accepting = if self.held.is_empty() { self.take_up(cx) } else { Accepting::Yes };
            self.read(cx);
            if self.ready.is_empty() {
                self.yielded = false;
                let over = accepting == Accepting::No && self.readers.is_empty();
                return if over { Poll::Ready(None) } else { Poll::Pending };
            }
        }
    }

    /// Takes up the sessions that have started since the last read.
    fn take_up(&mut self, cx: &mut Context<'_>) -> Accepting {
        let waiting = self.feed.take(cx.waker());
        self.missed += waiting.missed;
        for (id, session) in waiting.sessions {
            self.unread.insert(id);
            self.readers.insert(id, Part { reader: Reader::new(session), waker: self.woken.waker(id) });
        }
        waiting.accepting
    }

    /// Reads the sessions that have something new, up to the first one that has ended, so that few ended sessions at a time are read
    /// into memory.
    ///
    /// Later sessions are read first, and their events come last: a run that ended before one of these events has woken its session
    /// before the next run of its handler began, so its events are read too. They wait until all of these are read.
    fn read(&mut self, cx: &mut Context<'_>) {
        let end = self.held.last().map(|batch| Bound::Excluded(batch.session));
        let end = end.unwrap_or_else(|| self.first_ended(cx));
        let mut next = self.last_unread(end, cx);
        while let Some(session) = next {
            self.read_session(session);
            next = self.last_unread(Bound::Excluded(session), cx);
        }
        while let Some(Batch { session, events, following }) = self.held.pop() {
            self.ready.extend(events.into_iter().map(|event| ManagerEvent { session, event }));
            if following == Following::Unread {
                break;
            }
        }
    }

    fn read_session(&mut self, session: SessionId) {
        let Some(Part { reader, waker }) = self.readers.get_mut(&session) else { return };
        let (events, following) = reader.read_batch(&mut Context::from_waker(waker));
        match following {
            Following::Unread => drop(self.unread.insert(session)),
            Following::Nothing => drop(self.readers.remove(&session)),
            Following::Later => {}
        }
        self.held.push(Batch { session, events, following });
    }

    /// Returns the first session with something new that has ended, as the last one to read.
    fn first_ended(&mut self, cx: &mut Context<'_>) -> Bound<SessionId> {
        self.unread.append(&mut self.woken.take(cx.waker()));
        let has_ended = |id: &&SessionId| self.readers.get(id).is_some_and(|part| part.reader.session().has_ended());
        self.unread.iter().find(has_ended).map_or(Bound::Unbounded, |ended| Bound::Included(*ended))
    }

    /// Removes and returns the last session up to `end` that has something new.
    fn last_unread(&mut self, end: Bound<SessionId>, cx: &mut Context<'_>) -> Option<SessionId> {
        self.unread.append(&mut self.woken.take(cx.waker()));
        let session = *self.unread.range((Bound::Unbounded, end)).next_back()?;
        self.unread.remove(&session);
        Some(session)
    }
}

impl Stream for ManagerEvents {
    type Item = ManagerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ManagerEvent>> {
        self.poll_event(cx)
    }
}

impl std::fmt::Debug for ManagerEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManagerEvents({} sessions)", self.readers.len())
    }
}
