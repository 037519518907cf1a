//! Steps, performed.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::facts::{Facts, Network};
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::session::{Session, SessionRequest};
use tokio::time::sleep;

use crate::books::{Asked, Terms};
use crate::peer::Key;
use crate::process::Process;
use crate::provider::item_id;
use crate::recovery::Ended;
use crate::step::{Bother, Place, Scope, Start, Step};

/// How a process ends, and what it leaves behind.
pub(crate) type Left = (Ended, MemoryStore);

impl Process<'_> {
    /// Performs a step. Some end the process.
    pub(crate) async fn act(&mut self, step: &Step) -> Option<Left> {
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
            Step::Unregister(handler) => _ = self.manager.unregister(self.handler(*handler)),
            Step::Register(handler) => self.register_again(self.handler(*handler)),
            Step::ForgetItem(place) => self.forget_item(self.key(*place)),
            Step::Forget(handler) => self.forget(self.handler(*handler)),
            Step::Crash(writes) => return Some((Ended::Somehow, self.disk.store.left_behind_with(*writes))),
            Step::ShutDown => return Some(self.shut_down_for_good().await),
            step => self.trouble(step),
        }
        None
    }

    /// An item by its place in the script.
    pub(crate) fn key(&self, place: Place) -> Key {
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
    pub(crate) fn begin_session(&mut self, request: SessionRequest, asked: Asked) -> Option<Session> {
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

    pub(crate) fn keep(&mut self, session: &Session, mut asked: Asked) {
        self.world.reach(|state| {
            state.note(&format!("session {} is asked for: {:?}", session.id(), asked.ask));
            asked.after = state.books.attempts.len();
            if asked.ask > Ask::Automatic {
                let needs = |info: &HandlerInfo| info.capabilities().contains(Capabilities::NEEDS_NETWORK);
                let books = &mut state.books;
                let lifted = books.rules.handlers.iter().filter(|(_, info)| needs(info)).map(|(id, _)| *id);
                books.lifted.extend(lifted);
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

    pub(crate) fn asked_to_end(&self, wanted: impl Fn(&Key, SessionId) -> bool) {
        self.world.reach(|state| {
            let now = state.elapsed();
            state.books.ask_to_end(now, wanted);
            // What somebody called off has not to go on.
            state.books.owed.clear();
        });
    }

    pub(crate) fn set_facts(&self, change: impl Fn(Facts) -> Facts) {
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

    fn register_again(&self, handler: HandlerId) {
        let Some(made) = self.made.get(&handler) else { return };
        self.register(made.clone());
        self.world.reach(|state| state.books.doubt(|key| key.0 == handler));
    }

    async fn shut_down_for_good(&mut self) -> Left {
        self.shut_down().await;
        let trouble = self.world.left(|state| state.books.store_trouble || state.books.lies);
        let ended = if trouble { Ended::Somehow } else { Ended::InOrder };
        (ended, self.disk.store.left_behind())
    }

    /// A while in which whatever is to happen by itself does.
    pub(crate) async fn pass(&self, time: Duration) {
        sleep(time).await;
        self.settle().await;
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
pub(crate) fn by_hand(flags: RunFlags) -> Asked {
    let terms = Terms { trigger: Trigger::Manual.event(), flags, chooses: false };
    Asked { ask: Ask::ByHand, terms, after: 0 }
}
