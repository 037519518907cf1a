//! Which handlers there are, and which of them a trigger creates: `ISyncMgrRegister` and
//! `ISyncMgrSynchronizeInvoke` as plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitflags::bitflags;

use crate::hresult::HResult;
use crate::id::HandlerId;
use crate::text::MAX_COOKIE;
use crate::trigger::Trigger;

bitflags! {
    /// `SYNCMGRREGISTERFLAGS`: the events a handler wants to be created for.
    ///
    /// Manual, invoked and scheduled sessions have no flag: they reach every registered handler (R12).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RegisterFlags: u32 {
        /// When the network comes up: `SYNCMGRREGISTERFLAG_CONNECT`.
        const CONNECT = 0x1;
        /// When the network is about to go: `SYNCMGRREGISTERFLAG_PENDINGDISCONNECT`.
        const PENDING_DISCONNECT = 0x2;
        /// When nobody uses the machine: `SYNCMGRREGISTERFLAG_IDLE`.
        const IDLE = 0x4;
    }
}

bitflags! {
    /// `SYNCMGRINVOKEFLAGS`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct InvokeFlags: u32 {
        /// Start without a choice (R17): `SYNCMGRINVOKE_STARTSYNC`.
        const START_SYNC = 0x02;
        /// Show little (R19): `SYNCMGRINVOKE_MINIMIZED`.
        const MINIMIZED = 0x04;
    }
}

/// A request for one handler: `UpdateItems`. `UpdateAll` is a manual session over every handler, without a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "an invocation starts nothing until it is handed to `invoke`"]
pub struct Invocation {
    /// The handler to run, alone (R14).
    pub handler: HandlerId,
    /// How to go about it.
    pub flags: InvokeFlags,
    /// Bytes for the handler, handed on unchanged (R15).
    pub cookie: Option<Arc<[u8]>>,
}

impl Invocation {
    /// Of this handler: the user chooses first, and there is no cookie.
    pub const fn new(handler: HandlerId) -> Self {
        Self { handler, flags: InvokeFlags::empty(), cookie: None }
    }

    /// To be gone about like this.
    pub const fn with_flags(mut self, flags: InvokeFlags) -> Self {
        self.flags = flags;
        self
    }

    /// With bytes for the handler, or without.
    pub fn with_cookie(self, cookie: impl Into<Option<Arc<[u8]>>>) -> Self {
        Self { cookie: cookie.into(), ..self }
    }
}

/// What is stored of a registered handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// Shown where the handler cannot say its name (R45).
    pub description: Option<String>,
    /// The events it wants to be created for.
    pub flags: RegisterFlags,
}

impl Registration {
    /// For these events, without a description.
    pub const fn new(flags: RegisterFlags) -> Self {
        Self { description: None, flags }
    }

    /// With what is shown where the handler cannot say its name, or without.
    pub fn with_description(self, description: impl Into<Option<String>>) -> Self {
        Self { description: description.into(), ..self }
    }
}

/// The registered handlers: `ISyncMgrRegister` without the registry.
///
/// In order of id, so that sessions list handlers the same way every time.
///
/// ```
/// # use syncmgr_core::{id::HandlerId, register::{RegisterFlags, Registration, Registry}, trigger::Trigger};
/// # let (mail, backup) = (HandlerId::from_u128(1), HandlerId::from_u128(2));
/// let mut registry = Registry::default();
/// registry.register(mail, Registration::new(RegisterFlags::CONNECT))?;
/// registry.register(backup, Registration::new(RegisterFlags::IDLE))?;
/// assert_eq!(registry.created_by(Trigger::Idle), [backup]);
/// assert_eq!(registry.created_by(Trigger::Manual), [mail, backup]); // reaches all (R12)
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    handlers: BTreeMap<HandlerId, Registration>,
}

impl Registry {
    /// `RegisterSyncMgrHandler`: adds the handler or replaces what is stored of it (R4).
    ///
    /// # Errors
    /// Flag bits outside the three, or a nil id; nothing is stored (R3).
    pub fn register(&mut self, id: HandlerId, registration: Registration) -> Result<(), RequestError> {
        check_registration(id, registration.flags)?;
        self.handlers.insert(id, registration);
        Ok(())
    }

    /// `UnregisterSyncMgrHandler`: forgets the handler (R5). An unknown id changes nothing (R6).
    pub fn unregister(&mut self, id: HandlerId) -> Option<Registration> {
        self.handlers.remove(&id)
    }

    /// `GetHandlerRegistrationInfo`: `None` is `S_FALSE` (R7, R8).
    pub fn registration(&self, id: HandlerId) -> Option<&Registration> {
        self.handlers.get(&id)
    }

    /// The handlers a trigger creates (R9 to R12).
    pub fn created_by(&self, trigger: Trigger) -> Vec<HandlerId> {
        let wanted = match trigger {
            Trigger::Connect => RegisterFlags::CONNECT,
            Trigger::PendingDisconnect => RegisterFlags::PENDING_DISCONNECT,
            Trigger::Idle => RegisterFlags::IDLE,
            Trigger::Manual | Trigger::Invoke | Trigger::Scheduled => RegisterFlags::empty(),
        };
        self.handlers.iter().filter(|(_, registered)| registered.flags.contains(wanted)).map(|(id, _)| *id).collect()
    }

    /// Whether an invocation can be accepted.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, register::{Invocation, InvokeFlags, Registry, RequestError}};
    /// let stranger = HandlerId::from_u128(9);
    /// let invocation = Invocation::new(stranger).with_flags(InvokeFlags::START_SYNC);
    /// let refused = Registry::default().accept(&invocation);
    /// assert_eq!(refused, Err(RequestError::NotRegistered { handler: stranger }));
    /// ```
    ///
    /// # Errors
    /// Flag bits outside 0x06 (R23), a handler that is not registered (R24), or a cookie that is too long.
    pub fn accept(&self, invocation: &Invocation) -> Result<(), RequestError> {
        let unknown = invocation.flags.difference(InvokeFlags::all());
        if !unknown.is_empty() {
            return Err(RequestError::UnknownFlags { bits: unknown.bits() });
        }
        if !self.handlers.contains_key(&invocation.handler) {
            return Err(RequestError::NotRegistered { handler: invocation.handler });
        }
        check_cookie(invocation.cookie.as_deref())
    }
}

/// Refuses what cannot be registered.
///
/// # Errors
/// Flag bits outside the three, or a nil id (R3).
pub fn check_registration(id: HandlerId, flags: RegisterFlags) -> Result<(), RequestError> {
    let unknown = flags.difference(RegisterFlags::all());
    match id.is_nil() {
        true => Err(RequestError::NilHandler),
        false if unknown.is_empty() => Ok(()),
        false => Err(RequestError::UnknownFlags { bits: unknown.bits() }),
    }
}

/// Refuses a cookie that is too long to be carried.
///
/// ```
/// # use syncmgr_core::{register::check_cookie, text::MAX_COOKIE};
/// assert!(check_cookie(Some(b"folder=17")).is_ok());
/// assert!(check_cookie(Some(&vec![0; MAX_COOKIE + 1])).is_err());
/// ```
///
/// # Errors
/// When it has more than [`MAX_COOKIE`] bytes.
pub fn check_cookie(cookie: Option<&[u8]>) -> Result<(), RequestError> {
    match cookie.map_or(0, <[u8]>::len) {
        length if length > MAX_COOKIE => Err(RequestError::CookieTooLong { length }),
        _ => Ok(()),
    }
}

/// A request that was refused before anything was done. The caller's mistake: change the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The handler's id is nil.
    #[error("the handler's id is nil; give it an id of its own")]
    NilHandler,
    /// Flag bits the contract does not have.
    #[error("the flag bits {bits:#x} mean nothing here; leave them out")]
    UnknownFlags {
        /// The bits in question.
        bits: u32,
    },
    /// No handler with this id is registered.
    #[error("no handler {handler} is registered; register it first")]
    NotRegistered {
        /// The id asked for.
        handler: HandlerId,
    },
    /// Another handler already has this id.
    #[error("a handler {handler} is already registered; unregister it first, or give one of them an instance key")]
    AlreadyRegistered {
        /// The id both have.
        handler: HandlerId,
    },
    /// The handler panicked when it was asked for its info. The handler's mistake.
    #[error("the handler panicked when asked for its info: {reason}")]
    InfoPanicked {
        /// What the panic said.
        reason: String,
    },
    /// What is stored of the handler cannot be read, so that what somebody set for it would be lost.
    #[error("the store cannot be read: {reason}; mend it, or give the manager another")]
    Store {
        /// What the store said.
        reason: String,
    },
    /// A limit of zero items would never run anything.
    #[error("handler {handler} may run 0 items at once and would never run; allow at least 1")]
    NoItemsAllowed {
        /// The handler with the limit.
        handler: HandlerId,
    },
    /// A deadline or stall time of zero would end everything at once.
    #[error("handler {handler} has a limit of no time for a call or between two reports; allow some")]
    NoTimeAllowed {
        /// The handler with the limit.
        handler: HandlerId,
    },
    /// The cookie is longer than a request may carry.
    #[error("the cookie has {length} bytes, more than {MAX_COOKIE}; pass a reference to the data instead")]
    CookieTooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl RequestError {
    /// The code a COM caller is answered with.
    pub const fn hresult(&self) -> HResult {
        match self {
            Self::NotRegistered { .. } | Self::Store { .. } => HResult::E_FAIL,
            Self::InfoPanicked { .. } => HResult::E_UNEXPECTED,
            _ => HResult::E_INVALIDARG,
        }
    }
}
