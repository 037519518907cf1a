//! What a handler says of itself: `SYNCMGRHANDLERINFO`.

use std::borrow::Cow;

use bitflags::bitflags;

use crate::capabilities::Capabilities;
use crate::claim::Claim;
use crate::id::HandlerId;
use crate::item::Icon;
pub use crate::limits::{Limits, WhenStalled};
use crate::retry::RetryPolicy;
use crate::text::{MAX_NAME, bounded};

/// A handler's id, name, flags and limits: `SYNCMGRHANDLERINFO`.
///
/// `#[sync_handler]` makes one as the constant `HANDLER`. Where one type serves several accounts, return
/// `Self::HANDLER.instance(key)` from [`info`](crate::handler::SyncHandler::info).
///
/// ```
/// # use syncmgr_core::{id::HandlerId, info::{HandlerFlags, HandlerInfo, Limits}};
/// const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(0x5d0f_0f6e), "Mail")
///     .with_flags(HandlerFlags::HAS_PROPERTIES)
///     .with_limits(Limits::DEFAULT.with_items(2));
/// assert_eq!(MAIL.limits().items(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "`with_` methods return the changed value"]
pub struct HandlerInfo {
    id: HandlerId,
    name: Cow<'static, str>,
    flags: HandlerFlags,
    limits: Limits,
    icon: Option<Icon>,
    claims: Vec<Claim>,
    capabilities: Capabilities,
    state_version: u32,
    retry: Option<RetryPolicy>,
}

impl HandlerInfo {
    /// A handler with this id and name (`wszHandlerName`), no flags and the default limits.
    pub const fn new(id: HandlerId, name: &'static str) -> Self {
        Self {
            id,
            name: Cow::Borrowed(name),
            flags: HandlerFlags::empty(),
            limits: Limits::DEFAULT,
            icon: None,
            claims: Vec::new(),
            capabilities: Capabilities::CANCELLABLE,
            state_version: 1,
            retry: None,
        }
    }

    /// With these flags (`SyncMgrHandlerFlags`).
    pub const fn with_flags(mut self, flags: HandlerFlags) -> Self {
        self.flags = flags;
        self
    }

    /// With these capabilities, in place of the default ones.
    pub const fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// With these limits.
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whose checkpoints are of this version; 1 unless said otherwise. Raise it together with
    /// [`migrate`](crate::handler::SyncHandler::migrate).
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo};
    /// # const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
    /// assert_eq!(MAIL.state_version(), 1);
    /// assert_eq!(MAIL.with_state_version(2).state_version(), 2); // checkpoints of version 1 go through `migrate`
    /// ```
    pub const fn with_state_version(mut self, version: u32) -> Self {
        self.state_version = version;
        self
    }

    /// Retried by these rules, in place of the manager's.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo, retry::RetryPolicy};
    /// let patient = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(300));
    /// let backup = HandlerInfo::new(HandlerId::from_u128(8), "Backup").with_retry(patient);
    /// assert_eq!(backup.retry(), Some(patient));
    /// ```
    pub const fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// With a name made at run time, cut at [`MAX_NAME`].
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Cow::Owned(bounded(&name.into(), MAX_NAME).into_owned());
        self
    }

    /// With an icon (`hIcon`).
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Whose every item needs this resource while it runs; may be said several times.
    pub fn with_claim(mut self, claim: impl Into<Claim>) -> Self {
        self.claims.push(claim.into());
        self
    }

    /// This handler for one of several accounts: the id is derived from `key` and stays the same, and the name says
    /// which one it is.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo};
    /// # const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
    /// let ann = MAIL.instance("ann@example.org").with_claim("ann@example.org"); // her items go one by one
    /// assert_eq!(ann.name(), "Mail (ann@example.org)");
    /// assert_eq!(ann.id(), MAIL.id().instance("ann@example.org"));
    /// ```
    pub fn instance(self, key: &str) -> Self {
        let name = format!("{} ({key})", self.name);
        Self { id: self.id.instance(key), ..self }.with_name(name)
    }

    /// The handler's id: its CLSID.
    pub const fn id(&self) -> HandlerId {
        self.id
    }

    /// The name shown to people. A COM peer is handed at most 31 characters of it (R41).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The flags.
    pub const fn flags(&self) -> HandlerFlags {
        self.flags
    }

    /// What the handler promises of its work.
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The limits a host keeps for this handler.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// What every item of the handler needs while it runs.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The version of the handler's checkpoints.
    pub const fn state_version(&self) -> u32 {
        self.state_version
    }

    /// The rules for retries, if the handler has its own.
    pub const fn retry(&self) -> Option<RetryPolicy> {
        self.retry
    }

    /// The icon, if there is one.
    pub const fn icon(&self) -> Option<&Icon> {
        self.icon.as_ref()
    }
}

bitflags! {
    /// `SYNCMGRHANDLERFLAGS`. Bits without a name are kept and have no effect (R42).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct HandlerFlags: u32 {
        /// The handler as a whole has properties to show (R66): `SYNCMGRHANDLER_HASPROPERTIES`.
        const HAS_PROPERTIES = 0x1;
        /// The handler may ask for a connection (R139): `SYNCMGRHANDLER_MAYESTABLISHCONNECTION`.
        const MAY_ESTABLISH_CONNECTION = 0x2;
        /// Listed for choice even with no items (R43): `SYNCMGRHANDLER_ALWAYSLISTHANDLER`.
        const ALWAYS_LIST = 0x4;
        /// Not shown: `SYNCMGRHANDLER_HIDDEN`.
        const HIDDEN = 0x8;
        const _ = !0;
    }
}

impl HandlerFlags {
    /// `SYNCMGRHANDLERFLAG_MASK`: the bits the contract knows.
    pub const MASK: u32 = 0x000F;
}
