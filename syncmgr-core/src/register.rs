//! The registered handlers, and the selection by trigger: `ISyncMgrRegister` and `ISyncMgrSynchronizeInvoke` as plain
//! data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bitflags::bitflags;

use crate::hresult::HResult;
use crate::id::HandlerId;
use crate::requirements::{Requirement, Requirements};
use crate::schedule::Window;
use crate::text::MAX_COOKIE;
use crate::trigger::Trigger;

bitflags! {
    /// The events at which a handler runs: `SYNCMGRREGISTERFLAGS`.
    ///
    /// Manual, invoked and scheduled sessions have no flag: they include every registered handler.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RegisterFlags: u32 {
        /// The network comes up: `SYNCMGRREGISTERFLAG_CONNECT`.
        const CONNECT = 0x1;
        /// The network is about to go down: `SYNCMGRREGISTERFLAG_PENDINGDISCONNECT`.
        const PENDING_DISCONNECT = 0x2;
        /// The user is idle: `SYNCMGRREGISTERFLAG_IDLE`.
        const IDLE = 0x4;
    }
}

bitflags! {
    /// The options of an invocation: `SYNCMGRINVOKEFLAGS`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct InvokeFlags: u32 {
        /// Starts without offering a choice: `SYNCMGRINVOKE_STARTSYNC`.
        ///
        /// See also: R17.
        const START_SYNC = 0x02;
        /// Keeps the display small; the work is the same: `SYNCMGRINVOKE_MINIMIZED`.
        ///
        /// See also: R19.
        const MINIMIZED = 0x04;
    }
}

/// The number of a registration, in the order of all registrations of a manager. It tells a registration of a handler from an
/// earlier one that has the same id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

impl Generation {
    /// The number of the first registration.
    pub const FIRST: Self = Self(1);

    /// Returns the next number.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A request for one handler: `UpdateItems`. `UpdateAll` is a manual session of all handlers, without a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "an invocation starts nothing until it is passed to `invoke`"]
pub struct Invocation {
    /// The only handler to run.
    pub handler: HandlerId,
    /// The options.
    pub flags: InvokeFlags,
    /// Bytes that the handler receives unchanged.
    pub cookie: Option<Arc<[u8]>>,
}

impl Invocation {
    /// Creates an invocation that offers a choice first and has no cookie.
    pub const fn new(handler: HandlerId) -> Self {
        Self { handler, flags: InvokeFlags::empty(), cookie: None }
    }

    /// Sets the options.
    pub const fn with_flags(mut self, flags: InvokeFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Sets or removes the cookie.
    pub fn with_cookie(self, cookie: impl Into<Option<Arc<[u8]>>>) -> Self {
        Self { cookie: cookie.into(), ..self }
    }
}

/// The stored registration of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// A fallback text, shown if the handler does not provide its name.
    pub description: Option<String>,
    /// The events that create the handler.
    pub flags: RegisterFlags,
}

impl Registration {
    /// Creates a registration for these events, without a description.
    pub const fn new(flags: RegisterFlags) -> Self {
        Self { description: None, flags }
    }

    /// Sets or removes the description.
    pub fn with_description(self, description: impl Into<Option<String>>) -> Self {
        Self { description: description.into(), ..self }
    }
}

/// The registered handlers: `ISyncMgrRegister` without the Windows registry.
///
/// Handlers are ordered by id, so that sessions always list them in the same order.
///
/// ```
/// # use syncmgr_core::{id::HandlerId, register::{RegisterFlags, Registration, Registry}, trigger::Trigger};
/// # let (mail, backup) = (HandlerId::from_u128(1), HandlerId::from_u128(2));
/// let mut registry = Registry::default();
/// registry.register(mail, Registration::new(RegisterFlags::CONNECT))?;
/// registry.register(backup, Registration::new(RegisterFlags::IDLE))?;
/// assert_eq!(registry.created_by(Trigger::Idle), [backup]);
/// assert_eq!(registry.created_by(Trigger::Manual), [mail, backup]); // creates all handlers
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    handlers: BTreeMap<HandlerId, Registration>,
}

impl Registry {
    /// Adds the handler or replaces its registration: `RegisterSyncMgrHandler`.
    ///
    /// See also: R4.
    ///
    /// # Errors
    /// Fails on undefined flag bits or a nil id, and stores nothing.
    pub fn register(&mut self, id: HandlerId, registration: Registration) -> Result<(), RequestError> {
        check_registration(id, registration.flags)?;
        self.handlers.insert(id, registration);
        Ok(())
    }

    /// Removes the handler: `UnregisterSyncMgrHandler`. An unknown id changes nothing.
    ///
    /// See also: R5, R6.
    pub fn unregister(&mut self, id: HandlerId) -> Option<Registration> {
        self.handlers.remove(&id)
    }

    /// Returns the registration: `GetHandlerRegistrationInfo`. `None` if there is none, which is `S_FALSE`.
    ///
    /// See also: R7, R8.
    pub fn registration(&self, id: HandlerId) -> Option<&Registration> {
        self.handlers.get(&id)
    }

    /// Returns the handlers that a trigger creates.
    ///
    /// See also: R9 to R12.
    pub fn created_by(&self, trigger: Trigger) -> Vec<HandlerId> {
        let wanted = match trigger {
            Trigger::Connect => RegisterFlags::CONNECT,
            Trigger::PendingDisconnect => RegisterFlags::PENDING_DISCONNECT,
            Trigger::Idle => RegisterFlags::IDLE,
            Trigger::Manual | Trigger::Invoke | Trigger::Scheduled => RegisterFlags::empty(),
        };
        self.handlers.iter().filter(|(_, registered)| registered.flags.contains(wanted)).map(|(id, _)| *id).collect()
    }

    /// Checks that an invocation can be accepted.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, register::{Invocation, InvokeFlags, Registry, RequestError}};
    /// let unregistered = HandlerId::from_u128(9);
    /// let invocation = Invocation::new(unregistered).with_flags(InvokeFlags::START_SYNC);
    /// let refused = Registry::default().accept(&invocation);
    /// assert_eq!(refused, Err(RequestError::NotRegistered { handler: unregistered }));
    /// ```
    ///
    /// See also: R23, R24.
    ///
    /// # Errors
    /// Fails on flag bits outside 0x06, a handler that is not registered, or a cookie longer than [`MAX_COOKIE`].
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

/// Checks a handler's registration.
///
/// See also: R3.
///
/// # Errors
/// Fails on undefined flag bits or a nil id.
pub fn check_registration(id: HandlerId, flags: RegisterFlags) -> Result<(), RequestError> {
    let unknown = flags.difference(RegisterFlags::all());
    match id.is_nil() {
        true => Err(RequestError::NilHandler),
        false if unknown.is_empty() => Ok(()),
        false => Err(RequestError::UnknownFlags { bits: unknown.bits() }),
    }
}

/// Checks the requirements of a handler.
///
/// # Errors
/// Fails if two requirements exclude each other, or if the windows are never open at the same time.
pub fn check_requirements(
    handler: HandlerId,
    requirements: &Requirements,
    now: SystemTime,
) -> Result<(), RequestError> {
    match requirements.contradiction() {
        Some((first, second)) => Err(RequestError::Contradictory { handler, first, second }),
        None if requirements.never_open(now) => {
            Err(RequestError::NeverOpen { handler, windows: requirements.windows().cloned().collect() })
        }
        None => Ok(()),
    }
}

/// Checks the length of a cookie.
///
/// ```
/// # use syncmgr_core::{register::check_cookie, text::MAX_COOKIE};
/// assert!(check_cookie(Some(b"folder=17")).is_ok());
/// assert!(check_cookie(Some(&vec![0; MAX_COOKIE + 1])).is_err());
/// ```
///
/// # Errors
/// Fails if it has more than [`MAX_COOKIE`] bytes.
pub fn check_cookie(cookie: Option<&[u8]>) -> Result<(), RequestError> {
    match cookie.map_or(0, <[u8]>::len) {
        length if length > MAX_COOKIE => Err(RequestError::CookieTooLong { length }),
        _ => Ok(()),
    }
}

/// A request that was refused before anything ran. This is a bug in the caller unless the variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The handler's id is nil.
    #[error("the handler's id is nil; give it an id of its own")]
    NilHandler,
    /// The flags have undefined bits.
    #[error("the flag bits {bits:#x} are not defined; leave them out")]
    UnknownFlags {
        /// The undefined bits.
        bits: u32,
    },
    /// No handler with this id is registered.
    #[error("no handler {handler} is registered; register it first")]
    NotRegistered {
        /// The requested id.
        handler: HandlerId,
    },
    /// Another handler has the same id.
    #[error("a handler {handler} is already registered; unregister it first, or give one of them an instance key")]
    AlreadyRegistered {
        /// The shared id.
        handler: HandlerId,
    },
    /// The handler panicked in `info`. This is a bug in the handler.
    #[error("the handler panicked when asked for its info: {reason}")]
    InfoPanicked {
        /// The panic message.
        reason: String,
    },
    /// The stored registration cannot be read. Without the registration, the user's settings for this handler would be
    /// lost.
    #[error("the store cannot be read: {reason}; repair it or use another store")]
    Store {
        /// The error of the store.
        reason: String,
    },
    /// The limit is zero items, so no item could run.
    #[error("handler {handler} has a limit of 0 items and would never run; allow at least 1")]
    NoItemsAllowed {
        /// The handler with the limit.
        handler: HandlerId,
    },
    /// A deadline or stall time is zero, so every call would end immediately.
    #[error("handler {handler} has a deadline or stall time of zero; set a longer one")]
    NoTimeAllowed {
        /// The handler with the limit.
        handler: HandlerId,
    },
    /// The quiet time or the maximum wait of local changes is zero, so every event would start a run.
    #[error("handler {handler} has a quiet time or maximum wait of zero for local changes; set a longer one")]
    NoTimeToSettle {
        /// The handler with the times.
        handler: HandlerId,
    },
    /// The handler requires conditions that exclude each other, so no automatic run could start.
    #[error("handler {handler} requires both {first} and {second}, which exclude each other; require one of them")]
    Contradictory {
        /// The handler.
        handler: HandlerId,
        /// A requirement.
        first: Requirement,
        /// A requirement that excludes the first.
        second: Requirement,
    },
    /// The windows that the handler requires are never open at the same time, so no automatic run could start.
    #[error(
        "handler {handler} requires windows that are never open at the same time: {windows:?}; join them with `or`"
    )]
    NeverOpen {
        /// The handler.
        handler: HandlerId,
        /// The windows.
        windows: Vec<Window>,
    },
    /// The cookie is longer than [`MAX_COOKIE`].
    #[error("the cookie has {length} bytes, more than {MAX_COOKIE}; pass a reference to the data instead")]
    CookieTooLong {
        /// The length in bytes.
        length: usize,
    },
}

impl RequestError {
    /// Returns the code for a COM caller.
    pub const fn hresult(&self) -> HResult {
        match self {
            Self::NotRegistered { .. } | Self::Store { .. } => HResult::E_FAIL,
            Self::InfoPanicked { .. } => HResult::E_UNEXPECTED,
            _ => HResult::E_INVALIDARG,
        }
    }
}
