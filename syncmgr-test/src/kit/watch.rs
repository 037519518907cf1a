//! What every part of a program under judgement shares: the account, the cut that is to come, and whether the program is
//! still alive.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use syncmgr_core::cell::ItemCell;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::port::Kept;
use syncmgr_core::sync::Mutex;
use syncmgr_runtime::session::Session;
use tokio::sync::Notify;

use super::account::{Account, Event};
use super::place::{Call, Cut, How, Moment, Named};
use super::rig::Remains;
use super::watched::wall;

/// Watches one program.
pub(super) struct Watch {
    pub(super) account: Account,
    handler: HandlerId,
    remains: Remains,
    dead: AtomicBool,
    died: Notify,
    state: Mutex<State>,
}

/// What the store answers the commit a call has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    Refused,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    cut: Option<Cut>,
    /// A call that does not wake again.
    asleep: Option<Call>,
    /// How often each call of this session has waited, and committed.
    waits: BTreeMap<Call, u32>,
    commits: BTreeMap<Call, u32>,
    tasks: u32,
    over: BTreeSet<SessionId>,
    kept: BTreeMap<SessionId, Arc<Kept>>,
    /// By their addresses, which stay theirs while they are here.
    cells: BTreeMap<usize, (Named, Arc<ItemCell>)>,
    /// When the cut was, and how long blocking work went on after it, in real time.
    cut_at: Option<Duration>,
    blocked: Duration,
    /// How much blocking work is under way.
    blocking: usize,
    /// How long each wait was led up to, in real time.
    polls: BTreeMap<(Call, u32), Duration>,
}

impl Watch {
    pub(super) fn new(account: Account, handler: HandlerId, remains: Remains) -> Arc<Self> {
        let (dead, died, state) = (AtomicBool::new(false), Notify::new(), Mutex::default());
        Arc::new(Self { account, handler, remains, dead, died, state })
    }

    /// A session begins, in which this is to happen.
    pub(super) fn session_begins(&self, session: &Session, cut: Option<Cut>) {
        let mut state = self.state.lock();
        (state.session, state.cut, state.asleep) = (Some(session.clone()), cut, None);
        (state.tasks, state.waits, state.commits) = (0, BTreeMap::new(), BTreeMap::new());
    }

    /// The results of the session are closed, or nobody is there any more to close them.
    pub(super) fn session_ends(&self) {
        let mut state = self.state.lock();
        let session = state.session.take();
        state.cut = None;
        state.over.extend(session.as_ref().map(Session::id));
        drop(state);
        drop(session);
    }

    /// The program was killed: nothing of it goes on.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// Whether what is left of the program is to run no destructor.
    pub(super) fn forgets(&self) -> bool {
        self.is_dead() && self.remains == Remains::Forgotten
    }

    /// Something happened in the program. After a kill nothing does.
    pub(super) fn note(&self, event: Event) {
        if !self.is_dead() {
            self.account.note(event);
        }
    }

    /// Whether a call goes on: its program was not killed, and it is not asleep until it is dropped.
    pub(super) fn goes_on(&self, call: &Call) -> bool {
        !self.is_dead() && self.state.lock().asleep.as_ref() != Some(call)
    }

    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    /// How often each call of the session has waited, and has committed.
    pub(super) fn counts(&self) -> (BTreeMap<Call, u32>, BTreeMap<Call, u32>) {
        let state = self.state.lock();
        (state.waits.clone(), state.commits.clone())
    }

    /// The call waits for something once more. Returns the number of the wait.
    pub(super) fn waits(&self, call: &Call) -> u32 {
        let number = count(&mut self.state.lock().waits, call);
        _ = self.arrive(call, Moment::Await(number));
        number
    }

    /// The number of the next wait of a call.
    pub(super) fn next_wait(&self, call: &Call) -> u32 {
        self.state.lock().waits.get(call).map_or(1, |waits| waits + 1)
    }

    /// The call is about to commit. Returns the number of the commit.
    pub(super) fn commits(&self, call: &Call) -> u32 {
        count(&mut self.state.lock().commits, call)
    }

    pub(super) fn begins_task(&self) -> Call {
        let mut state = self.state.lock();
        state.tasks += 1;
        Call::Task(state.tasks)
    }

    pub(super) fn is_over(&self, session: SessionId) -> bool {
        self.state.lock().over.contains(&session)
    }

    /// What a run keeps: in our hands, because a killed program drops nothing.
    pub(super) fn kept(&self, session: SessionId) -> Arc<Kept> {
        self.state.lock().kept.entry(session).or_default().clone()
    }

    pub(super) fn remember(&self, item: Named, cell: Arc<ItemCell>) {
        self.state.lock().cells.insert(Arc::as_ptr(&cell) as usize, (item, cell));
    }

    /// What is kept, without keeping it.
    pub(super) fn kept_values(&self) -> Vec<Weak<dyn Any + Send + Sync>> {
        let kept: Vec<_> = self.state.lock().kept.values().cloned().collect();
        kept.iter().flat_map(|kept| kept.values()).map(|value| Arc::downgrade(&value)).collect()
    }

    /// The items somebody reported on when they were over.
    pub(super) fn reported_late(&self) -> Vec<Named> {
        let state = self.state.lock();
        let late = state.cells.values().filter(|(_, cell)| cell.was_reported_late());
        late.map(|(item, _)| item.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Blocking work begins.
    pub(super) fn blocking_begins(&self) {
        self.state.lock().blocking += 1;
    }

    /// Blocking work has ended. Its item may know before.
    pub(super) fn blocking_ends(&self) {
        let mut state = self.state.lock();
        state.blocking -= 1;
        if let Some(cut) = state.cut_at {
            state.blocked = wall().saturating_sub(cut);
        }
    }

    /// How long after the cut the last blocking work ended, in real time: virtual time stands still for it.
    pub(super) fn blocked_after_cut(&self) -> Duration {
        let state = self.state.lock();
        match state.cut_at {
            Some(cut) if state.blocking > 0 => wall().saturating_sub(cut),
            _ => state.blocked,
        }
    }

    /// A poll took so long, in real time, before the call waited for this time.
    pub(super) fn polled(&self, call: &Call, wait: u32, took: Duration) {
        let mut state = self.state.lock();
        let longest = state.polls.entry((call.clone(), wait)).or_default();
        *longest = took.max(*longest);
    }

    /// The polls that took longer than this.
    pub(super) fn longer_than(&self, limit: Duration) -> BTreeMap<(Call, u32), Duration> {
        let state = self.state.lock();
        state.polls.iter().filter(|(_, took)| **took > limit).map(|(poll, took)| (poll.clone(), *took)).collect()
    }

    /// A call has come to a moment: where the script cuts in there, it does now.
    ///
    /// # Panics
    /// When the script says so.
    pub(super) fn arrive(&self, call: &Call, moment: Moment) -> Answer {
        let mut state = self.state.lock();
        let here = |cut: &mut Cut| cut.place.moment == moment && cut.place.call == *call;
        let Some(cut) = state.cut.take_if(here) else { return Answer::Stored };
        let session = state.session.clone();
        state.asleep = Some(cut.place.call.clone()).filter(|_| cut.how == How::Drop);
        state.cut_at = Some(wall());
        drop(state);
        self.account.note(Event::Cut(cut.clone()));
        match (cut.how, session) {
            (How::Refuse, _) => return Answer::Refused,
            (How::Kill, _) => self.kill(),
            (How::Panic, _) => std::panic::resume_unwind(Box::new("the kit has the call panic here")),
            (How::Stop | How::Drop, session) => session.iter().for_each(Session::stop),
            (How::Skip(item), session) => self.skip(&item, session),
        }
        Answer::Stored
    }

    fn skip(&self, item: &Named, session: Option<Session>) {
        // An item that has ended meanwhile needs no skip.
        session.iter().for_each(|session| _ = session.skip(self.handler, item.id));
    }

    fn kill(&self) {
        self.dead.store(true, Ordering::Release);
        self.died.notify_one();
    }
}

fn count(counts: &mut BTreeMap<Call, u32>, call: &Call) -> u32 {
    let number = counts.entry(call.clone()).or_default();
    *number += 1;
    *number
}
