//! The description of a handler: `SYNCMGRHANDLERINFO`.

use std::borrow::Cow;

use bitflags::bitflags;

use crate::capabilities::Capabilities;
use crate::claim::Claim;
use crate::decision::guard::GuardPolicy;
use crate::id::HandlerId;
use crate::importance::Importance;
use crate::item::Icon;
pub use crate::limits::{Limits, StallPolicy};
use crate::local_change::Settle;
use crate::overrides::Settings;
pub use crate::requirements::ConditionPolicy;
use crate::requirements::{Requirement, Requirements};
use crate::retry::RetryPolicy;
use crate::schedule::{Schedule, Window};
use crate::text::{MAX_NAME, bounded};

/// The description of a handler: its id, name, flags and limits. `SYNCMGRHANDLERINFO` in Windows.
///
/// `#[sync_handler]` creates one as the constant `HANDLER`. If one type serves several accounts, return
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
    requirements: Requirements,
    condition_policy: ConditionPolicy,
    importance: Importance,
    state_version: u32,
    retry: Option<RetryPolicy>,
    guards: Option<GuardPolicy>,
    schedule: Option<Schedule>,
    settle: Settle,
}

impl HandlerInfo {
    /// Creates a description with this id and name (`wszHandlerName`), no flags and the default limits.
    pub const fn new(id: HandlerId, name: &'static str) -> Self {
        Self {
            id,
            name: Cow::Borrowed(name),
            flags: HandlerFlags::empty(),
            limits: Limits::DEFAULT,
            icon: None,
            claims: Vec::new(),
            capabilities: Capabilities::CANCELLABLE,
            requirements: Requirements::NONE,
            condition_policy: ConditionPolicy::Finish,
            importance: Importance::Normal,
            state_version: 1,
            retry: None,
            guards: None,
            schedule: None,
            settle: Settle::DEFAULT,
        }
    }

    /// Sets the flags (`SyncMgrHandlerFlags`).
    pub const fn with_flags(mut self, flags: HandlerFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Sets the capabilities, in place of the default ones.
    pub const fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Requires a condition for automatic runs of the handler, in addition to those required before.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo, requirements::Requirement};
    /// const BACKUP: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(8), "Backup")
    ///     .requires(Requirement::UnmeteredNetwork)
    ///     .requires(Requirement::Mains);
    /// assert!(BACKUP.requirements().contains(Requirement::Mains));
    /// ```
    pub const fn requires(mut self, requirement: Requirement) -> Self {
        self.requirements.add(requirement);
        self
    }

    /// Limits automatic runs of the handler to a window, in addition to those before: all of them have to be open.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo, schedule::Window};
    /// let nights: Window = "22:00-06:00 in Europe/Berlin".parse()?;
    /// let backup = HandlerInfo::new(HandlerId::from_u128(8), "Backup").within(nights);
    /// assert_eq!(backup.requirements().windows().count(), 1);
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn within(self, window: Window) -> Self {
        Self { requirements: self.requirements.within(window), ..self }
    }

    /// Sets what happens to an automatic run whose conditions end while it runs. By default it
    /// [finishes](ConditionPolicy::Finish).
    pub const fn with_condition_policy(mut self, policy: ConditionPolicy) -> Self {
        self.condition_policy = policy;
        self
    }

    /// Sets the importance, which orders automatic runs. The default is normal.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, importance::Importance, info::HandlerInfo};
    /// let outbox = HandlerInfo::new(HandlerId::from_u128(9), "Outbox").with_importance(Importance::High);
    /// assert!(outbox.importance() > Importance::Normal);
    /// ```
    pub const fn with_importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    /// Sets the limits.
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the version of the handler's checkpoints, 1 by default. Increase it together with
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

    /// Sets the retry policy, in place of the manager's.
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

    /// Sets the guard policy for the plans of the handler's items, in place of the manager's.
    ///
    /// ```
    /// # use syncmgr_core::decision::guard::{GuardPolicy, UnattendedPolicy};
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo};
    /// let trusted = GuardPolicy::DEFAULT.with_unattended(UnattendedPolicy::Allow);
    /// let cache = HandlerInfo::new(HandlerId::from_u128(8), "Cache").with_guards(trusted);
    /// assert_eq!(cache.guards(), Some(trusted));
    /// ```
    pub const fn with_guards(mut self, guards: GuardPolicy) -> Self {
        self.guards = Some(guards);
        self
    }

    /// Sets the schedule of the items that have none of their own. The handler has no schedule by default.
    ///
    /// A manager runs the items without a request whenever the schedule fires, with the trigger
    /// [`Scheduled`](crate::trigger::Trigger::Scheduled), once its scheduler has started.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo, schedule::Schedule};
    /// # const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
    /// let mail = MAIL.with_schedule(Schedule::cron("*/15 * * * *", "Europe/Berlin")?);
    /// assert!(mail.schedule().is_some());
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn with_schedule(self, schedule: impl Into<Option<Schedule>>) -> Self {
        Self { schedule: schedule.into(), ..self }
    }

    /// Replaces the schedule and the requirements.
    pub fn with_settings(self, Settings { schedule, requirements }: Settings) -> Self {
        Self { schedule, requirements, ..self }
    }

    /// Sets the times after which local changes start a run.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo, local_change::Settle};
    /// let videos = HandlerInfo::new(HandlerId::from_u128(9), "Videos")
    ///     .with_settle(Settle::DEFAULT.with_quiet(Duration::from_secs(30)).with_max_wait(Duration::from_secs(3600)));
    /// assert_eq!(videos.settle().quiet(), Duration::from_secs(30));
    /// ```
    pub const fn with_settle(mut self, settle: Settle) -> Self {
        self.settle = settle;
        self
    }

    /// Sets a name created at run time, truncated to [`MAX_NAME`].
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Cow::Owned(bounded(&name.into(), MAX_NAME).into_owned());
        self
    }

    /// Sets the icon (`hIcon`).
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Adds a resource that every item of the handler needs while it runs. May be called several times.
    pub fn with_claim(mut self, claim: impl Into<Claim>) -> Self {
        self.claims.push(claim.into());
        self
    }

    /// Returns the description for one of several accounts. Its id is derived from `key` and stable, and its name
    /// includes `key`.
    ///
    /// ```
    /// # use syncmgr_core::{id::HandlerId, info::HandlerInfo};
    /// # const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
    /// let ann = MAIL.instance("ann@example.org").with_claim("ann@example.org"); // her items run sequentially
    /// assert_eq!(ann.name(), "Mail (ann@example.org)");
    /// assert_eq!(ann.id(), MAIL.id().instance("ann@example.org"));
    /// ```
    pub fn instance(self, key: &str) -> Self {
        let name = format!("{} ({key})", self.name);
        Self { id: self.id.instance(key), ..self }.with_name(name)
    }

    /// Returns the handler's id, its CLSID.
    pub const fn id(&self) -> HandlerId {
        self.id
    }

    /// Returns the name shown to users. A COM peer receives at most 31 characters of it.
    ///
    /// See also: R41.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the flags.
    pub const fn flags(&self) -> HandlerFlags {
        self.flags
    }

    /// Returns the capabilities.
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Returns the conditions that automatic runs of the handler require.
    pub const fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// Returns what happens to an automatic run whose conditions end while it runs.
    pub const fn condition_policy(&self) -> ConditionPolicy {
        self.condition_policy
    }

    /// Returns the importance.
    pub const fn importance(&self) -> Importance {
        self.importance
    }

    /// Returns the limits.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the resources that every item of the handler needs while it runs.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Returns the version of the handler's checkpoints.
    pub const fn state_version(&self) -> u32 {
        self.state_version
    }

    /// Returns the handler's retry policy. `None` if the manager's policy applies.
    pub const fn retry(&self) -> Option<RetryPolicy> {
        self.retry
    }

    /// Returns the handler's guard policy. `None` if the manager's policy applies.
    pub const fn guards(&self) -> Option<GuardPolicy> {
        self.guards
    }

    /// Returns the schedule of the items that have none of their own.
    pub const fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// Returns the times after which local changes start a run.
    pub const fn settle(&self) -> Settle {
        self.settle
    }

    /// Returns the icon. `None` if there is none.
    pub const fn icon(&self) -> Option<&Icon> {
        self.icon.as_ref()
    }
}

bitflags! {
    /// The flags of a handler: `SYNCMGRHANDLERFLAGS`. Unnamed bits are retained and have no effect.
    ///
    /// See also: R42, R43.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct HandlerFlags: u32 {
        /// The handler itself has properties to show: `SYNCMGRHANDLER_HASPROPERTIES`.
        const HAS_PROPERTIES = 0x1;
        /// The handler may establish a connection: `SYNCMGRHANDLER_MAYESTABLISHCONNECTION`.
        const MAY_ESTABLISH_CONNECTION = 0x2;
        /// The handler is offered for selection even without items: `SYNCMGRHANDLER_ALWAYSLISTHANDLER`.
        const ALWAYS_LIST = 0x4;
        /// The handler is not shown: `SYNCMGRHANDLER_HIDDEN`.
        const HIDDEN = 0x8;
        const _ = !0;
    }
}

impl HandlerFlags {
    /// The bits defined by the contract: `SYNCMGRHANDLERFLAG_MASK`.
    pub const MASK: u32 = 0x000F;
}
