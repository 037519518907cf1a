//! Steps, performed.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::facts::{Facts, Network};
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::log::{Action, LogEntry, Question, Remedy};
use syncmgr_core::store::StateStore;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::session::{Session, SessionRequest};
use tokio::time::sleep;

use super::books::{Asked, Item, Terms};
use super::peer::Key;
use super::process::Process;
use super::provider::item_id;
use super::recovery::Ended;
use super::step::{Bother, Place, Scope, Start, Step};

/// How a process ends, and what it leaves behind.
pub(super) type Left = (Ended, MemoryStore);

impl Process<'_> {
    /// Performs a step. Some end the process.
    pub(super) async fn act(&mut self, step: &Step) -> Option<Left> {
        match step {
            Step::Pass(time) => sleep(*time).await,
            Step::Start(start) => self.start(start),
            Step::Skip(place) => self.skip(self.key(*place)),
            Step::StopHandler(handler) => self.stop_handler(self.handler(*handler)),
            Step::StopSession(session) => self.stop_session(*session),
            Step::Pause => self.manager.pause(),
            Step::Resume => self.manager.resume(),
            Step::Answer { handler, choice } => self.answer(self.handler(*handler), Some(*choice)),
            Step::Network(network) => self.set_facts(|facts| facts.with_network(*network)),
            Step::Power(power) => self.set_facts(|facts| facts.with_power(*power)),
            Step::User(user) => self.set_facts(|facts| facts.with_user(*user)),
            Step::Wall(seconds) => self.correct(*seconds),
            Step::Unregister(handler) => self.unregister(self.handler(*handler)),
            Step::Register(handler) => self.register_again(self.handler(*handler)),
            Step::ForgetItem(place) => self.forget_item(self.key(*place)),
            Step::Forget(handler) => self.forget(self.handler(*handler)),
            Step::Crash(writes) => return Some((Ended::Somehow, self.disk.store.left_behind_with(*writes))),
            Step::ShutDown => return Some(self.shut_down_for_good().await),
            step => self.trouble(step),
        }
        None
    }

    /// What the peer and the store do.
    fn trouble(&self, step: &Step) {
        let store = &self.disk.store;
        match step {
            Step::SlowStore(time) => store.slow_down(*time),
            Step::FailWrite(after) => store.fail_write(store.writes() + after + 1),
            Step::HealStore => self.heal_store(),
            Step::Lie => {
                store.lie();
                self.world.reach(|state| state.books.lies = true);
            }
            step => self.peer(step),
        }
    }

    fn peer(&self, step: &Step) {
        let at = |place: &Place| self.key(*place);
        self.world.reach(|state| {
            let theirs = &mut state.sides.theirs;
            match step {
                Step::Update(place) => theirs.get_mut(&at(place)).into_iter().for_each(|theirs| theirs.version += 1),
                Step::Delete(place, entries) => {
                    theirs.get_mut(&at(place)).into_iter().for_each(|theirs| theirs.deletes = *entries)
                }
                Step::Toggle(place) => {
                    if let Some(theirs) = theirs.get_mut(&at(place)) {
                        theirs.is_there = !theirs.is_there;
                        state.books.item(at(place)).was_absent = true;
                    }
                }
                Step::Fault { item, fault, times } => {
                    if let Some(theirs) = theirs.get_mut(&at(item)) {
                        theirs.faults.extend((0..*times).map(|_| *fault));
                    }
                }
                Step::FailListing(handler, times) => {
                    state.sides.unlisted.insert(self.handler(*handler), *times);
                }
                _ => {}
            }
        });
    }

    pub(super) fn heal_store(&self) {
        self.disk.store.flush();
        self.disk.store.heal();
        self.world.reach(|state| state.books.lies = false);
    }

    /// An item by its place in the script.
    fn key(&self, place: Place) -> Key {
        (self.handler(place.handler), item_id(place.handler, place.item))
    }

    fn start(&mut self, start: &Start) {
        let request = self.manager.session(start.trigger);
        let mut request = match &start.scope {
            Scope::All => request,
            Scope::Handler(handler) => request.handlers([self.handler(*handler)]),
            Scope::Items(handler, items) => {
                let wanted = (0..8).filter(|item| items & (1 << item) != 0);
                request.items(self.handler(*handler), wanted.map(|item| item_id(*handler, item)))
            }
        };
        if start.bother == Bother::Yes {
            request = request.may_bother_user();
        }
        if start.insists {
            request = request.force();
        }
        self.begin_session(request, asked(start));
    }

    /// Starts a session, and follows it.
    pub(super) fn begin_session(&mut self, request: SessionRequest, asked: Asked) -> Option<Session> {
        let session = match request.start() {
            Ok(session) => session,
            Err(error) => {
                self.world.note(format!("not started: {error}"));
                return None;
            }
        };
        self.keep(&session, asked);
        Some(session)
    }

    fn keep(&mut self, session: &Session, mut asked: Asked) {
        self.world.reach(|state| {
            state.note(&format!("session {} is asked for: {:?}", session.id(), asked.ask));
            asked.after = state.books.attempts.len();
            if asked.ask > Ask::Automatic {
                let needs =
                    |info: &syncmgr_core::info::HandlerInfo| info.capabilities().contains(Capabilities::NEEDS_NETWORK);
                let lifted = state.books.rules.handlers.iter().filter(|(_, info)| needs(info)).map(|(id, _)| *id);
                let lifted: Vec<HandlerId> = lifted.collect();
                state.books.lifted.extend(lifted);
            }
            state.books.sessions.insert(session.id(), asked);
        });
        self.follow(session);
    }

    fn skip(&self, key: Key) {
        for session in self.manager.sessions() {
            // Some do not have it.
            let _ = session.skip(key.0, key.1);
        }
        self.asked_to_end(|running, _| *running == key);
    }

    fn stop_handler(&self, handler: HandlerId) {
        for session in self.manager.sessions() {
            // Some do not have it.
            let _ = session.stop_handler(handler);
        }
        self.asked_to_end(|running, _| running.0 == handler);
    }

    fn stop_session(&self, number: usize) {
        let sessions = self.manager.sessions();
        let Some(session) = sessions.get(number % sessions.len().max(1)) else { return };
        session.stop();
        self.asked_to_end(|_, running| running == session.id());
    }

    fn asked_to_end(&self, wanted: impl Fn(&Key, SessionId) -> bool) {
        self.world.reach(|state| {
            let now = state.elapsed();
            state.books.ask_to_end(now, wanted);
            // What somebody called off has not to go on.
            state.books.owed.clear();
        });
    }

    pub(super) fn set_facts(&self, change: impl Fn(Facts) -> Facts) {
        self.world.reach(|state| {
            let before = state.facts;
            state.facts = change(before);
            if before.network == Network::Offline && state.facts.network.is_up() {
                state.books.reconnect();
            }
            self.facts.set(state.facts);
        });
    }

    fn correct(&self, seconds: i64) {
        self.world.reach(|state| {
            state.correct(seconds);
            // A timer does not hear of it; the time of day is looked at every minute.
            state.books.unseen_until = state.elapsed() + Duration::from_secs(61);
            state.books.loose |= seconds < 0;
            state.books.doubt(|_| true);
        });
    }

    fn unregister(&self, handler: HandlerId) {
        self.manager.unregister(handler);
    }

    fn register_again(&self, handler: HandlerId) {
        let Some(made) = self.made.get(&handler) else { return };
        self.register(made.clone());
        self.world.reach(|state| state.books.doubt(|key| key.0 == handler));
    }

    /// Answers the open question of a handler that was asked last, by this choice or the one that goes on.
    pub(super) fn answer(&mut self, handler: HandlerId, choice: Option<usize>) {
        let log = self.disk.store.log(handler).unwrap_or_default();
        let open = log.iter().rev().find_map(|said| question(&said.entry));
        if let Some((item, question)) = open {
            self.answer_to(handler, item, &question, choice);
        }
    }

    pub(super) fn answer_to(&mut self, handler: HandlerId, item: ItemId, question: &Question, choice: Option<usize>) {
        let goes_on = |remedy: &Remedy| matches!(remedy, Remedy::Allow | Remedy::Reset | Remedy::TryAgain);
        let wanted = choice.or_else(|| question.remedies.iter().position(goes_on)).unwrap_or(0);
        let choice = wanted % question.choices.len().max(1);
        let error = syncmgr_core::id::ErrorId::of_question(item, &question.key);
        let remedy = question.remedies.get(choice);
        self.world.reach(|state| {
            let item = state.books.item((handler, item));
            match remedy {
                Some(Remedy::Refuse) => return,
                Some(Remedy::Allow) => drop(item.allowed.insert(item.objected)),
                Some(Remedy::Reset) => item.forget(),
                _ => {}
            }
            item.doubt();
        });
        match self.manager.answer(handler, error, choice) {
            Ok(session) => self.keep(&session, by_hand(RunFlags::MAY_BOTHER_USER)),
            Err(error) => self.world.note(format!("not answered: {error}")),
        }
    }

    fn forget_item(&mut self, key: Key) {
        let (manager, world, disk) = (self.manager.clone(), self.world.clone(), self.disk.clone());
        let last = self.last_session();
        let after = world.left(|state| {
            forgets(state.books.item(key), last);
            state.books.attempts.len()
        });
        self.asked_to_end(|running, _| *running == key);
        self.chores.spawn(async move {
            let forgotten = manager.forget_item(key.0, key.1).await;
            let last = manager.sessions().last().map(|session| session.id());
            world.reach(|state| {
                // What begins meanwhile begins anew, and may save something.
                let begun = state.books.attempts.iter().skip(after).any(|attempt| attempt.key == key);
                let item = state.books.item(key);
                (item.forgetting, item.forgotten_in) = (item.forgetting.saturating_sub(1), item.forgotten_in.max(last));
                let left = disk.store.record(key.0, key.1).ok().flatten().filter(|record| record.checkpoint.is_some());
                if forgotten.is_ok() && !begun && item.running.is_none() && left.is_some() && item.forgetting == 0 {
                    state.breaks("what is forgotten leaves nothing", format!("{key:?} has a record: {left:?}"));
                }
            });
        });
    }

    fn forget(&mut self, handler: HandlerId) {
        let (manager, world, disk) = (self.manager.clone(), self.world.clone(), self.disk.clone());
        let last = self.last_session();
        let of_handler = move |key: &Key| key.0 == handler;
        world.reach(|state| {
            let items = state.books.items.iter_mut().filter(|(key, _)| of_handler(key));
            items.for_each(|(_, item)| forgets(item, last));
        });
        self.asked_to_end(|running, _| running.0 == handler);
        self.chores.spawn(async move {
            let forgotten = manager.forget(handler).await;
            let last = manager.sessions().last().map(|session| session.id());
            world.reach(|state| {
                for (_, item) in state.books.items.iter_mut().filter(|(key, _)| of_handler(key)) {
                    let left = item.forgetting.saturating_sub(1);
                    (item.forgetting, item.forgotten_in) = (left, item.forgotten_in.max(last));
                }
                let left = disk.store.known(handler).unwrap_or_default();
                if forgotten.is_ok() && manager.registration(handler).is_none() && !left.is_empty() {
                    state.breaks("what is forgotten leaves nothing", format!("{left:?} of {handler}"));
                }
            });
        });
    }

    fn last_session(&self) -> Option<SessionId> {
        self.manager.sessions().last().map(Session::id)
    }

    async fn shut_down_for_good(&mut self) -> Left {
        self.shut_down().await;
        let trouble = self.world.left(|state| state.books.store_trouble || state.books.lies);
        let ended = if trouble { Ended::Somehow } else { Ended::InOrder };
        (ended, self.disk.store.left_behind())
    }

    /// A while in which whatever is to happen by itself does.
    pub(super) async fn pass(&self, time: Duration) {
        sleep(time).await;
        self.settle().await;
    }
}

fn forgets(item: &mut Item, last: Option<SessionId>) {
    item.forget();
    item.forgetting += 1;
    item.forgotten_in = item.forgotten_in.max(last);
}

/// What an entry of the log asks, and of which item.
pub(super) fn question(entry: &LogEntry) -> Option<(ItemId, Question)> {
    match &entry.action {
        Some(Action::Decide(question)) => Some((entry.item?, question.clone())),
        _ => None,
    }
}

fn asked(start: &Start) -> Asked {
    let by_hand = matches!(start.trigger, Trigger::Manual | Trigger::Invoke);
    let ask = match by_hand {
        _ if start.insists => Ask::Forced,
        true => Ask::ByHand,
        false => Ask::Automatic,
    };
    let flags = if start.bother == Bother::Yes { RunFlags::MAY_BOTHER_USER } else { RunFlags::empty() };
    let chooses = !matches!(start.scope, Scope::Items(..));
    Asked { ask, terms: Terms { trigger: start.trigger.event(), flags, chooses }, after: 0 }
}

/// Somebody asks.
pub(super) fn by_hand(flags: RunFlags) -> Asked {
    let terms = Terms { trigger: Trigger::Manual.event(), flags, chooses: false };
    Asked { ask: Ask::ByHand, terms, after: 0 }
}
