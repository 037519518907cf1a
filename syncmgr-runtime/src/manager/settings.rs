//! What a person sets for a handler or an item, in place of what its code declares.

use std::time::SystemTime;

use syncmgr_core::decision::ledger::Effect;
use syncmgr_core::decision::needs::Needs;
use syncmgr_core::foreign;
use syncmgr_core::id::{ErrorScope, HandlerId, ItemId, Subject};
use syncmgr_core::overrides::{KnownSettings, Override, OverrideError, OverrideKind, Settings, unreadable_id};
use syncmgr_core::register::{RequestError, check_requirements};
use syncmgr_core::requirements::Requirements;
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::StateChange;

use super::{StoreAccessError, SyncManager};
use crate::host::{Host, Registered};
use crate::outbox::Written;
use crate::persistence::store_panicked;
use crate::scheduler::NoLog;

impl SyncManager {
    /// Sets the schedule, the requirements or the window of a handler or one of its items, in place of what the code declares in
    /// [`HandlerInfo`](syncmgr_core::info::HandlerInfo) or [`SyncItem`](syncmgr_core::item::SyncItem).
    ///
    /// The value is stored, and applies until [`reset_override`](Self::reset_override): also after a restart, whatever the code
    /// declares then. That of an item ends when a complete listing lacks the item, like its choice. A run in progress
    /// continues with what applied when it began.
    ///
    /// A schedule that replaces another one begins anew. Requirements and windows of an item add to those of its handler.
    ///
    /// Takes effect when the future is first polled and resolves once it is stored. Cancel safe: a value that has taken effect is
    /// stored.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// use syncmgr_core::overrides::{Override, OverrideKind};
    /// use syncmgr_core::schedule::Schedule;
    ///
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// let often = OverrideKind::Schedule.parse("every 15m")?; // a person has written this
    /// manager.set_override(mail, Subject::Handler, often).await?;
    /// assert_eq!(manager.agenda().len(), 1);
    /// manager.set_override(mail, Subject::Handler, Override::Schedule(Schedule::NEVER)).await?; // "only when I ask"
    /// assert!(manager.agenda().is_empty());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error, and changes nothing, if the handler is not registered, if the item is not known, or if the requirements
    /// exclude each other, with those of the handler for an item. Returns an error if the store refuses the change; the value then
    /// applies until the handler is registered again.
    pub async fn set_override(
        &self,
        handler: HandlerId,
        subject: Subject,
        value: Override,
    ) -> Result<(), SettingsError> {
        self.change_override((handler, subject), value.kind(), Some(value))?.await.map_err(refused)
    }

    /// Lets the schedule, the requirements or the window that the code of a handler or an item declares apply again.
    ///
    /// An item that its handler has not listed since it was registered has no schedule of its own until the next listing.
    ///
    /// Takes effect when the future is first polled and resolves once it is stored. Cancel safe like
    /// [`set_override`](Self::set_override).
    ///
    /// # Errors
    /// Returns the errors of [`set_override`](Self::set_override): what the code declares may contradict what is set otherwise.
    pub async fn reset_override(
        &self,
        handler: HandlerId,
        subject: Subject,
        kind: OverrideKind,
    ) -> Result<(), SettingsError> {
        self.change_override((handler, subject), kind, None)?.await.map_err(refused)
    }

    /// Returns the settings of a handler or an item: what the code declares, and what a person has set.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// # use syncmgr_core::overrides::OverrideKind;
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// manager.set_override(mail, Subject::Handler, OverrideKind::Requirements.parse("mains")?).await?;
    /// let settings = manager.settings(mail, Subject::Handler)?;
    /// assert!(settings.declared.is_some_and(|declared| declared.requirements.is_empty()));
    /// assert_eq!(settings.overrides.get(OverrideKind::Requirements).map(ToString::to_string).as_deref(), Some("mains"));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the handler is not registered, if the item is not known, or if the store cannot be read.
    pub fn settings(&self, handler: HandlerId, subject: Subject) -> Result<KnownSettings, SettingsError> {
        self.check_known(handler, subject)?;
        let state = self.host().manager_state();
        let registered = state.handlers.get(&handler).ok_or(RequestError::NotRegistered { handler })?;
        let declared = match subject {
            Subject::Handler => Some(registered.declared.clone()),
            Subject::Item(item) => {
                let listed = registered.listing.as_ref().and_then(|known| known.listing.declared(item));
                listed.map(Settings::from)
            }
        };
        Ok(KnownSettings::new(declared, registered.overrides_of(subject)))
    }

    fn change_override(
        &self,
        (handler, subject): (HandlerId, Subject),
        kind: OverrideKind,
        value: Option<Override>,
    ) -> Result<Written, SettingsError> {
        self.check_known(handler, subject)?;
        let host = self.host();
        // The clock is foreign code, and must not be called under the lock.
        let now = host.now().wall;
        let mut state = host.manager_state();
        let registered = state.handlers.get_mut(&handler).ok_or(RequestError::NotRegistered { handler })?;
        let before = registered.overrides_of(subject);
        let mut set = before.clone();
        set.set(kind, value.clone());
        registered.set_overrides(subject, set);
        if let Err(error) = check_requirements(handler, &requirements(registered, subject), now) {
            registered.set_overrides(subject, before);
            return Err(error.into());
        }
        let replaced = before.firing_schedule().filter(|_| subject != Subject::Handler);
        let effects = host.follow_settings(registered, replaced, now);
        // The value before may have been one that cannot be read.
        let scope = ErrorScope::One(unreadable_id(subject, kind));
        let repaired = StateChange::LogDeleted { handler, scope };
        let mut changes = vec![StateChange::Override { handler, subject, kind, value }, repaired];
        changes.extend(host.perform(effects, &NoLog));
        // Queued under the lock, like the deletion of the handler's data: the order of both decides what is stored.
        let written = host.queue_write(changes);
        drop(state);
        host.pass_writes();
        Ok(written)
    }

    /// Fails if the item is neither listed nor stored.
    fn check_known(&self, handler: HandlerId, subject: Subject) -> Result<(), SettingsError> {
        let Subject::Item(item) = subject else { return Ok(()) };
        let is_listed = {
            let state = self.host().manager_state();
            let registered = state.handlers.get(&handler).ok_or(RequestError::NotRegistered { handler })?;
            registered.listing.as_ref().is_some_and(|known| known.item(item).is_some())
        };
        let store = &self.host().ports.store;
        let stored =
            || foreign::call(|| Ok(store.name(handler, item)?.is_some() || store.record(handler, item)?.is_some()));
        let is_stored = || stored().unwrap_or_else(store_panicked).map_err(StoreAccessError::Unreadable);
        if !item.is_nil() && (is_listed || is_stored()?) {
            return Ok(());
        }
        Err(SettingsError::UnknownItem { handler, item })
    }
}

/// Returns what automatic runs of the handler or the item require, as far as that is known.
fn requirements(registered: &Registered, subject: Subject) -> Requirements {
    let of_item = subject.item().and_then(|item| registered.requirements_of(item));
    of_item.unwrap_or_else(|| registered.info.requirements().clone())
}

fn refused(error: anyhow::Error) -> SettingsError {
    StoreAccessError::Refused(error).into()
}

impl Host {
    /// Tells the ledger about the settings of a handler and its items, of which a schedule of an item was `replaced`.
    pub(crate) fn follow_settings(
        &self,
        registered: &Registered,
        replaced: Option<&Schedule>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let (info, generation) = (&registered.info, registered.generation);
        let schedules = registered.item_schedules();
        let mut ledger = self.ledger();
        let of_item = |item: ItemId| registered.requirements_of(item);
        let mut effects = ledger.set_needs(info.id(), Needs::from(info), of_item, now);
        // An item that is not listed may have the schedule that the handler had before.
        let may_be_of_item = |before: &Schedule| schedules.0.contains(before) || registered.lacks_items();
        effects.extend(ledger.set_own_schedule(info.id(), info.schedule().cloned(), may_be_of_item, now));
        effects.extend(ledger.set_listed_schedules((info.id(), generation), schedules, replaced, now));
        effects
    }
}

/// The error of [`SyncManager::set_override`] and the other methods for settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The handler is not registered, or the requirements exclude each other.
    #[error(transparent)]
    Refused(#[from] RequestError),
    /// The handler has not listed the item, and nothing is stored about it.
    #[error("handler {handler} has no item {item}; use the id of an item that it lists")]
    UnknownItem {
        /// The handler.
        handler: HandlerId,
        /// The requested id.
        item: ItemId,
    },
    /// The text of the value cannot be read.
    #[error(transparent)]
    Value(#[from] OverrideError),
    /// The store cannot be read, or refused the change.
    #[error(transparent)]
    Store(#[from] StoreAccessError),
}
