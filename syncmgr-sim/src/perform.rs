//! Execution of steps.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{Connectivity, Environment, Network, Presence};
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::session::{Session, SessionRequest};
use tokio::time::sleep;

use crate::disable::subject;
use crate::model::{MergeTerms, ModelSession, millis};
use crate::peer::Key;
use crate::process::Process;
use crate::provider::{item_id, path};
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
            Step::Pause => self.pause(),
            Step::Resume => self.resume(),
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
            Step::Sleep(time) => self.sleep_machine(*time).await,
            Step::Battery(battery) => self.set_environment(|environment| environment.with_battery(*battery)),
            Step::Connectivity(reach) => self.set_environment(|environment| environment.with_connectivity(*reach)),
            Step::GoIdle => {
                let now = self.sim.with(|state| state.wall());
                self.set_environment(|environment| environment.with_idle_since(now));
            }
            Step::BecomeActive => {
                self.set_environment(|environment| environment.with_idle_since(None).with_user(Presence::Present))
            }
            Step::Change(index) => self.change(*index),
            Step::ChangeAny(handler) => self.change_any(self.handler(*handler)),
            Step::Announce(kind, time) => self.announce(*kind, *time),
            Step::Withdraw => self.withdraw(),
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
            state.model.has_connected |= model_session.terms.trigger == Trigger::Connect.event();
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
        self.begin_cancel(|_, of| of.is_none_or(|of| of == session.id()));
    }

    /// Records the cancellation of the matching items in the model. The session of an item that may be in any of them is `None`.
    pub(crate) fn begin_cancel(&self, wanted: impl Fn(&Key, Option<SessionId>) -> bool) {
        self.sim.try_with(|state| {
            let now = state.elapsed();
            state.model.begin_cancel(now, |key, session| wanted(key, Some(session)));
            // Any of these items and runs may now be cancelled, and what is cancelled need not run.
            state.model.drop_all_promises(|key| wanted(key, None));
        });
    }

    fn pause(&self) {
        self.sim.try_with(|state| {
            state.model.is_paused = true;
            state.model.to_end.clear();
        });
        self.manager.pause();
    }

    pub(crate) fn resume(&self) {
        self.sim.try_with(|state| state.model.is_paused = false);
        self.manager.resume();
    }

    pub(crate) fn set_environment(&self, change: impl Fn(Environment) -> Environment) {
        let registered = self.handlers.keys().copied().filter(|handler| self.manager.registration(*handler).is_some());
        let registered: Vec<_> = registered.collect();
        self.sim.try_with(|state| {
            let (before, now) = (state.environment.clone(), state.moment());
            state.environment = change(before.clone());
            state.model.environment_changed = now.elapsed;
            // What is to run before an announced end may now wait.
            state.model.to_end.clear();
            if state.model.is_user_active(&state.environment, now) == Some(true) {
                state.model.cancel_runs(now.elapsed, |_, _, trigger| trigger == Trigger::Idle);
            }
            if is_down(&state.environment) {
                state.model.to_connect.clear();
            } else if is_down(&before) && state.environment.network.is_up() {
                // A manager that has just started does not know that the network was down.
                let knows = state.process_time() > Duration::ZERO;
                state.model.up_since = Some(now.elapsed).filter(|_| !state.model.has_connected);
                state.model.has_connected = true;
                state.model.reconnect(registered.into_iter().filter(|_| knows));
            }
            self.environment.set(state.environment.clone());
        });
    }

    pub(crate) fn correct(&self, seconds: i64) {
        self.sim.try_with(|state| {
            state.correct(seconds);
            state.model.withdraw();
            // The connect delay counts by the clock.
            state.model.up_since = None;
            // Timers are unaffected by the correction; the manager reads the wall clock every minute.
            state.model.clock_stale_until = state.elapsed() + Duration::from_secs(61);
            state.model.clock_set_back |= seconds < 0;
            state.model.books.values_mut().for_each(|book| book.is_set_back |= seconds < 0);
            state.model.mark_unknown(|_| true);
        });
    }

    fn unregister(&self, handler: HandlerId) {
        self.manager.unregister(handler);
        self.sim.try_with(|state| {
            state.model.to_connect.remove(&handler);
            state.model.to_end.remove(&handler);
            let wall = millis(state.wall());
            state.model.unregistered.insert(handler, wall);
            state.model.drop_promises(|key| key.0 == handler);
        });
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

    /// Changes an item on this machine, if it is watched.
    fn change(&self, index: ItemIndex) {
        let (key, path) = (self.key(index), path(index.handler, index.item));
        if self.changes.watched(key.0).iter().any(|watched| watched.as_os_str() == path.as_str()) {
            self.sim.try_with(|state| {
                let now = state.elapsed();
                state.model.observe_local_change(key, now);
            });
            self.changes.changed(path);
        }
    }

    /// Reports that any item of a handler may have changed.
    fn change_any(&self, handler: HandlerId) {
        let watched = self.changes.watched(handler);
        self.sim.try_with(|state| {
            let now = state.elapsed();
            let of_handler = state.sides.peer.keys().filter(|key| key.0 == handler).copied();
            let keys: Vec<_> = of_handler.filter(|_| !watched.is_empty()).collect();
            keys.into_iter().for_each(|key| state.model.observe_local_change(key, now));
        });
        self.changes.report(handler, LocalChange::Unknown);
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

/// Returns `true` if the network is known to be unusable: offline, or behind a captive portal.
fn is_down(environment: &Environment) -> bool {
    environment.network == Network::Offline || environment.connectivity == Connectivity::Portal
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
