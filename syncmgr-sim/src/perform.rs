//! Execution of steps.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{Environment, Network};
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::session::{Session, SessionRequest};
use tokio::time::sleep;

use crate::disable::subject;
use crate::model::{MergeTerms, ModelSession};
use crate::peer::Key;
use crate::process::Process;
use crate::provider::item_id;
use crate::recovery::ProcessEnd;
use crate::step::{ItemIndex, Scope, Start, Step, UserInteraction};

/// The way a process ended and the contents of its store.
pub(crate) type Exit = (ProcessEnd, MemoryStore);

impl Process<'_> {
    /// Performs a step. Returns `Some` if the step ended the process.
    pub(crate) async fn perform_step(&mut self, step: &Step) -> Option<Exit> {
        match step {
            Step::AdvanceTime(time) => sleep(*time).await,
            Step::Start(start) => self.start(start),
            Step::Skip(index) => self.skip(self.key(*index)),
            Step::StopHandler(handler) => self.stop_handler(self.handler(*handler)),
            Step::StopSession(session) => self.stop_session(*session),
            Step::Pause => self.manager.pause(),
            Step::Resume => self.manager.resume(),
            Step::Answer { handler, choice } => self.answer(self.handler(*handler), Some(*choice)),
            Step::Network(network) => self.set_environment(|environment| environment.with_network(*network)),
            Step::Power(power) => self.set_environment(|environment| environment.with_power(*power)),
            Step::User(user) => self.set_environment(|environment| environment.with_user(*user)),
            Step::CorrectClock(seconds) => self.correct(*seconds),
            Step::Unregister(handler) => self.unregister(self.handler(*handler)),
            Step::Register(handler) => self.reregister(self.handler(*handler)),
            Step::Disable(handler, item) => self.disable(self.handler(*handler), subject(*handler, *item)),
            Step::Enable(handler, item) => self.enable(self.handler(*handler), subject(*handler, *item)),
            Step::ForgetItem(index) => self.forget_item(self.key(*index)),
            Step::ForgetHandler(handler) => self.forget(self.handler(*handler)),
            Step::Crash(writes) => return Some((ProcessEnd::Unclean, self.disk.store.after_crash_with(*writes))),
            Step::ShutDown => return Some(self.exit_by_shutdown().await),
            step => self.perform_fault_step(step),
        }
        None
    }

    /// Returns the key of an item.
    pub(crate) fn key(&self, index: ItemIndex) -> Key {
        (self.handler(index.handler), item_id(index.handler, index.item))
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
        if start.interaction == UserInteraction::Allowed {
            request = request.may_bother_user();
        }
        if start.force {
            request = request.force();
        }
        self.begin_session(request, model_session(start));
    }

    /// Starts a session and tracks it.
    pub(crate) fn begin_session(&mut self, request: SessionRequest, model_session: ModelSession) -> Option<Session> {
        let session = match request.start() {
            Ok(session) => session,
            Err(error) => {
                self.sim.note(format!("the session was not started: {error}"));
                return None;
            }
        };
        self.track(&session, model_session);
        Some(session)
    }

    /// Records a session in the model and checks its report.
    pub(crate) fn track(&mut self, session: &Session, mut model_session: ModelSession) {
        self.sim.try_with(|state| {
            state.note(&format!("session {} is requested: {:?}", session.id(), model_session.requested_by));
            model_session.attempts_before = state.model.attempts.len();
            if model_session.requested_by > RequestedBy::Automatic {
                let needs_network = |info: &HandlerInfo| info.capabilities().contains(Capabilities::NEEDS_NETWORK);
                let model = &mut state.model;
                let deferred =
                    model.settings.handlers.iter().filter(|(_, info)| needs_network(info)).map(|(id, _)| *id);
                model.deferred.extend(deferred);
            }
            state.model.sessions.insert(session.id(), model_session);
        });
        self.follow(session);
    }

    fn skip(&self, key: Key) {
        for session in self.manager.sessions() {
            // Not every session contains the item.
            let _ = session.skip(key.0, key.1);
        }
        self.begin_cancel(|running, _| *running == key);
    }

    fn stop_handler(&self, handler: HandlerId) {
        for session in self.manager.sessions() {
            // Not every session contains the handler.
            let _ = session.stop_handler(handler);
        }
        self.begin_cancel(|running, _| running.0 == handler);
    }

    fn stop_session(&self, number: usize) {
        let sessions = self.manager.sessions();
        let Some(session) = sessions.get(number % sessions.len().max(1)) else { return };
        session.stop();
        self.begin_cancel(|_, running| running == session.id());
    }

    /// Records the cancellation of the matching running items in the model.
    pub(crate) fn begin_cancel(&self, wanted: impl Fn(&Key, SessionId) -> bool) {
        self.sim.try_with(|state| {
            let now = state.elapsed();
            state.model.begin_cancel(now, wanted);
            // Any of these items and runs may now be cancelled, and what is cancelled need not run.
            state.model.to_resume.clear();
            state.model.to_connect.clear();
        });
    }

    pub(crate) fn set_environment(&self, change: impl Fn(Environment) -> Environment) {
        let registered = self.handlers.keys().copied().filter(|handler| self.manager.registration(*handler).is_some());
        let registered: Vec<_> = registered.collect();
        self.sim.try_with(|state| {
            let before = state.environment.clone();
            state.environment = change(before.clone());
            match (before.network, state.environment.network) {
                (_, Network::Offline) => state.model.to_connect.clear(),
                (Network::Offline, network) if network.is_up() => {
                    // A manager that has just started does not know that the network was down.
                    let knows = state.process_time() > Duration::ZERO;
                    state.model.reconnect(registered.into_iter().filter(|_| knows));
                }
                _ => {}
            }
            self.environment.set(state.environment.clone());
        });
    }

    fn correct(&self, seconds: i64) {
        self.sim.try_with(|state| {
            state.correct(seconds);
            // Timers are unaffected by the correction; the manager reads the wall clock every minute.
            state.model.clock_stale_until = state.elapsed() + Duration::from_secs(61);
            state.model.clock_set_back |= seconds < 0;
            state.model.mark_unknown(|_| true);
        });
    }

    fn unregister(&self, handler: HandlerId) {
        self.manager.unregister(handler);
        self.sim.try_with(|state| state.model.to_connect.remove(&handler));
    }

    /// Registers a handler, unless it is registered. Waits that could not be stored are lost with the earlier registration.
    pub(crate) fn reregister(&self, handler: HandlerId) {
        let Some(instance) = self.handlers.get(&handler) else { return };
        if self.register(instance.clone()) {
            self.sim.try_with(|state| {
                state.model.mark_unknown(|key| key.0 == handler);
                state.model.forget_listings(handler);
                let last = state.model.sessions.keys().next_back();
                state.model.registered_after.extend(last.map(|last| (handler, *last)));
            });
        }
    }

    async fn exit_by_shutdown(&mut self) -> Exit {
        self.shut_down().await;
        let is_unclean = self.sim.with(|state| state.model.store_failed || state.model.writes_lost);
        let end = if is_unclean { ProcessEnd::Unclean } else { ProcessEnd::Clean };
        (end, self.disk.store.after_crash())
    }

    /// Advances time, then runs until idle.
    pub(crate) async fn advance(&self, time: Duration) {
        sleep(time).await;
        self.run_until_idle().await;
    }
}

fn model_session(start: &Start) -> ModelSession {
    let is_manual = matches!(start.trigger, Trigger::Manual | Trigger::Invoke);
    let requested_by = match is_manual {
        _ if start.force => RequestedBy::UserForced,
        true => RequestedBy::User,
        false => RequestedBy::Automatic,
    };
    let flags =
        if start.interaction == UserInteraction::Allowed { RunFlags::MAY_BOTHER_USER } else { RunFlags::empty() };
    let uses_preferences = !matches!(start.scope, Scope::Items(..));
    ModelSession {
        requested_by,
        terms: MergeTerms { trigger: start.trigger.event(), flags, uses_preferences },
        attempts_before: 0,
    }
}

/// The model of a session that the user requests for individual items.
pub(crate) fn manual_request(flags: RunFlags) -> ModelSession {
    let terms = MergeTerms { trigger: Trigger::Manual.event(), flags, uses_preferences: false };
    ModelSession { requested_by: RequestedBy::User, terms, attempts_before: 0 }
}
