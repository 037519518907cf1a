//! The registered handlers of a manager.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use syncmgr_core::decision::needs::Needs;
use syncmgr_core::error::one_line;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::handler::{ItemObject, SyncHandler};
use syncmgr_core::id::{HandlerId, SessionId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::log::LogEntry;
use syncmgr_core::overrides::{Settings, StoredOverrides, read_stored};
use syncmgr_core::register::{RegisterFlags, Registration, RequestError, check_registration, check_requirements};
use syncmgr_core::store::{HandlerRecord, StateChange};
use uuid::Uuid;

use super::SyncManager;
use crate::host::{Registered, schedules_set};
use crate::scheduler::NoLog;

impl SyncManager {
    /// Registers a handler, for sessions that are started explicitly, and for the retries of its items.
    ///
    /// Every manual, invoked and scheduled session includes the handler, unless the session names other handlers. On Windows
    /// this is `RegisterSyncMgrHandler` with flags 0.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// assert_eq!(manager.register(Mail), Err(RequestError::AlreadyRegistered { handler: mail }));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R1.
    ///
    /// # Errors
    /// Returns an error, and registers nothing, if the id is nil or taken, if a limit or a settle time of the handler is zero, if
    /// its requirements exclude each other, or if the store cannot be read.
    pub fn register(&self, handler: impl SyncHandler) -> Result<HandlerId, RequestError> {
        self.register_for(Arc::new(handler), RegisterFlags::empty())
    }

    /// Registers a handler that also runs at these events, in addition to the sessions of [`register`](Self::register).
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Calendar)?;
    /// let mail = manager.register_for(Arc::new(Mail), RegisterFlags::CONNECT)?;
    /// let report = manager.session(Trigger::Connect).start()?.finish().await; // the network came up
    /// assert_eq!(report.runs.iter().map(|run| run.handler).collect::<Vec<_>>(), [mail]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R3.
    ///
    /// # Errors
    /// Returns the errors of [`register`](Self::register), and an error for unknown flag bits.
    pub fn register_for(&self, handler: Arc<dyn SyncHandler>, flags: RegisterFlags) -> Result<HandlerId, RequestError> {
        let handler = Foreign::new(handler);
        let info = call_info(&**handler)?;
        let (id, declared) = (info.id(), Settings::from(&info));
        if info.limits().items() == 0 {
            return Err(RequestError::NoItemsAllowed { handler: id });
        }
        if info.limits().any_is_zero() {
            return Err(RequestError::NoTimeAllowed { handler: id });
        }
        if info.settle().any_is_zero() {
            return Err(RequestError::NoTimeToSettle { handler: id });
        }
        let settle = info.settle();
        let now = self.host().now().wall;
        check_requirements(id, info.requirements(), now)?;
        let registration = Registration::new(flags).with_description(info.name().to_owned());
        let forgotten_before = {
            // Before the reads: a handler that is unregistered while they are in progress stores more.
            let state = self.host().manager_state();
            if state.handlers.contains_key(&id) {
                return Err(RequestError::AlreadyRegistered { handler: id });
            }
            state.forgotten(id)
        };
        let stored = self.host().ports.store.handler(id);
        let unreadable = |error| RequestError::Store { reason: one_line(&error) };
        let stored = stored.map_err(unreadable)?.unwrap_or_default();
        let retry_states = self.host().ports.store.retry_states(id).map_err(unreadable)?;
        let disabled = self.host().ports.store.disabled(id).map_err(unreadable)?;
        let firings = self.host().ports.store.firings(id).map_err(unreadable)?;
        let overrides = self.host().ports.store.overrides(id).map_err(unreadable)?;
        let written = {
            let mut state = self.host().manager_state();
            if state.handlers.contains_key(&id) {
                return Err(RequestError::AlreadyRegistered { handler: id });
            }
            check_registration(id, flags)?;
            // A handler that was forgotten meanwhile has no stored data.
            let is_known = state.forgotten(id) == forgotten_before;
            let retry_states = if is_known { retry_states } else { BTreeMap::new() };
            let mut effective = registration.clone();
            let stored = if is_known { stored } else { HandlerRecord::default() };
            let events = stored.flags.unwrap_or(flags);
            effective.flags = events;
            state.registry.register(id, effective)?;
            let generation = state.next_generation();
            let (overrides, unreadable) = read_stored(&if is_known { overrides } else { StoredOverrides::new() });
            let of_handler = overrides.get(&Subject::Handler).cloned().unwrap_or_default();
            let info = info.with_settings(declared.clone().with(&of_handler));
            let (schedule, needs) = (info.schedule().cloned(), Needs::from(&info));
            let (before, of_items) =
                (state.take_unregistered(id), schedules_set(&overrides).cloned().collect::<Vec<_>>());
            let (turns, overrides, listing) = (Arc::default(), Arc::new(overrides), None);
            let registered = Registered { handler, info, declared, overrides, generation, turns, listing };
            state.handlers.insert(id, registered);
            let effects = {
                let mut ledger = self.host().ledger();
                ledger.load_disabled(id, if is_known { disabled } else { BTreeMap::new() });
                let mut effects = ledger.register(id, generation, needs, retry_states, now);
                ledger.set_settle(id, settle);
                effects.extend(ledger.restore_waiting(id, stored.waiting));
                effects.extend(ledger.set_events(id, events));
                let firings = if is_known { firings } else { BTreeMap::new() };
                // The items are not listed yet: their schedules are those that the store knows.
                let schedules = firings.keys().chain(&schedule).chain(&of_items).cloned();
                effects.extend(ledger.set_schedules(id, generation, schedules, &firings, now));
                effects.extend(ledger.set_own_schedule(id, before, |_| true, now));
                effects.extend(ledger.set_own_schedule(id, schedule, |before| of_items.contains(before), now));
                effects
            };
            let mut changes = vec![StateChange::Registered { handler: id, registration }];
            changes.extend(self.host().perform(effects, &NoLog));
            changes.extend(self.logged(id, unreadable, now));
            // Queued under the lock, like the deletion of the handler's data: the order of both decides what is stored.
            self.host().queue_write(changes)
        };
        self.host().finish_write(Some(written));
        self.host().admission.add_handler();
        Ok(id)
    }

    /// Returns the change that logs these entries of a handler. They belong to no session, and have the number of the last one.
    fn logged(&self, handler: HandlerId, entries: Vec<LogEntry>, time: SystemTime) -> Option<StateChange> {
        let session = SessionId(self.host().last_session.load(Ordering::Relaxed));
        let entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
        let any = !entries.is_empty();
        any.then(|| StateChange::Logged { handler, manager: Uuid::nil(), session, time, entries })
    }

    /// Sets the events at which a registered handler runs. The setting is stored and overrides the flags of later
    /// registrations.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// manager.set_flags(mail, RegisterFlags::IDLE)?; // the user has ticked the box
    /// assert_eq!(manager.registration(mail).map(|stored| stored.flags), Some(RegisterFlags::IDLE));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the handler is not registered, and for unknown flag bits.
    pub fn set_flags(&self, handler: HandlerId, flags: RegisterFlags) -> Result<(), RequestError> {
        let (written, effects) = {
            let mut state = self.host().manager_state();
            let registered = state.registry.registration(handler).cloned();
            let mut registered = registered.ok_or(RequestError::NotRegistered { handler })?;
            registered.flags = flags;
            state.registry.register(handler, registered)?;
            let effects = self.host().ledger().set_events(handler, flags);
            (self.host().queue_write(vec![StateChange::Flags { handler, flags }]), effects)
        };
        self.host().finish_write(Some(written));
        self.host().apply(effects.into_iter().collect());
        Ok(())
    }

    /// Unregisters a handler: `UnregisterSyncMgrHandler`. Later sessions do not include the handler. Its active runs
    /// continue, and its stored data is kept; see [`forget`](Self::forget). Returns `false` if the handler was not
    /// registered.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// assert!(manager.unregister(mail));
    /// assert!(!manager.unregister(mail)); // changes nothing
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R5, R6.
    pub fn unregister(&self, handler: HandlerId) -> bool {
        // Dropped after the lock is released: a drop is foreign code.
        let (_runs, removed) = {
            let mut state = self.host().manager_state();
            let removed = state.remove(handler);
            let runs: Vec<_> = self.runs_of(handler).collect();
            let mut ledger = self.host().ledger();
            match runs.iter().any(|run| !run.has_ended()) {
                true => ledger.retire(handler),
                false => ledger.unregister(handler),
            }
            drop(ledger);
            (runs, removed)
        };
        if let Some(removed) = &removed {
            self.host().unwatch(handler, removed.generation);
            self.host().admission.remove_handler();
        }
        removed.is_some()
    }

    /// Returns the registration of a handler: `GetHandlerRegistrationInfo`. `None`, the `S_FALSE` of Windows, if the
    /// handler is not registered.
    ///
    /// See also: R8.
    pub fn registration(&self, handler: HandlerId) -> Option<Registration> {
        self.host().manager_state().registry.registration(handler).cloned()
    }

    /// Returns the registered handlers, ordered by id, as they were registered. What a person has set is in
    /// [`settings`](Self::settings).
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// manager.register(Calendar)?;
    /// let names: Vec<_> = manager.handlers().iter().map(|info| info.name().to_string()).collect();
    /// assert_eq!(names, ["Mail", "Calendar"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn handlers(&self) -> Vec<HandlerInfo> {
        self.host().manager_state().handlers.values().map(Registered::described).collect()
    }

    /// Returns an object of a handler or one of its items, for callers that know the handler's interfaces:
    /// `GetItemObject`. `None`, the `E_NOTIMPL` of Windows, if there is no object or the handler is not registered.
    pub fn item_object(&self, handler: HandlerId, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        let Registered { handler, .. } = self.host().manager_state().handlers.get(&handler).cloned()?;
        foreign::call(|| handler.item_object(subject, interface)).ok().flatten()
    }
}

/// Calls the handler's `info` and catches a panic.
pub(crate) fn call_info(handler: &dyn SyncHandler) -> Result<HandlerInfo, RequestError> {
    foreign::call(|| handler.info()).map_err(|reason| RequestError::InfoPanicked { reason })
}
