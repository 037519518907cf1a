//! Items, the units of selection, progress, skip and error: `SYNCMGRITEM` and `ISyncMgrEnumItems`.

mod list;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::hresult::UnknownCode;
use crate::id::ItemId;
use crate::importance::Importance;
use crate::overrides::{Overrides, Settings};
use crate::requirements::{Requirement, Requirements};
use crate::schedule::{Schedule, Window};

pub use list::{Completeness, Items};

/// An item that a handler can synchronize: `SYNCMGRITEM`.
///
/// ```
/// # use syncmgr_core::item::{ItemFlags, ItemState, SyncItem};
/// let archive = SyncItem::named("Archive")
///     .with_state(ItemState::Unchecked) // not selected by default
///     .with_flags(ItemFlags::HAS_PROPERTIES)
///     .with_claim("imap.example.org");
/// assert_eq!(archive.claims().len(), 1);
/// ```
#[derive(Clone, Debug)]
#[must_use = "`with_` methods return the changed value"]
pub struct SyncItem {
    id: ItemId,
    name: Arc<str>,
    fields: Fields,
}

/// The other fields of an item, as small as possible.
#[derive(Clone, Debug)]
enum Fields {
    /// The default values.
    Default,
    /// A schedule, and default values otherwise.
    Scheduled(Schedule),
    /// Other values. Items of a listing share them if they are equal.
    Rare(Arc<Rare>),
}

/// The fields of which most items have the default values.
#[derive(Clone, Debug)]
struct Rare {
    flags: ItemFlags,
    state: ItemState,
    icon: Option<Icon>,
    last_update: Option<SystemTime>,
    claims: Vec<Claim>,
    schedule: Option<Schedule>,
    watches: Vec<PathBuf>,
    requirements: Requirements,
    importance: Importance,
    /// The claims, once they were shared.
    shared_claims: OnceLock<Arc<[Claim]>>,
}

/// The default values.
static DEFAULT: Rare = Rare {
    flags: ItemFlags::empty(),
    state: ItemState::Checked,
    icon: None,
    last_update: None,
    claims: Vec::new(),
    schedule: None,
    watches: Vec::new(),
    requirements: Requirements::NONE,
    importance: Importance::Normal,
    shared_claims: OnceLock::new(),
};

impl Rare {
    /// Compares all fields. Claims are equal if their names are, but an item may declare another capacity.
    fn is_identical(&self, other: &Self) -> bool {
        self.schedule == other.schedule
            && self.is_equal_but_for_schedule(other)
            && self.claims.iter().map(Claim::capacity).eq(other.claims.iter().map(Claim::capacity))
    }

    fn is_equal_but_for_schedule(&self, other: &Self) -> bool {
        let key = |rare: &Self| (rare.flags, rare.state, rare.last_update, rare.importance);
        key(self) == key(other)
            && (&self.icon, &self.claims, &self.watches) == (&other.icon, &other.claims, &other.watches)
            && self.requirements == other.requirements
    }
}

impl PartialEq for SyncItem {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.name, self.schedule()) == (other.id, &other.name, other.schedule())
            && self.rare().is_equal_but_for_schedule(other.rare())
    }
}

impl SyncItem {
    /// Creates an item with this id (`ItemID`) and name (`wszItemName`), selected by default.
    ///
    /// ```
    /// # use syncmgr_core::{id::ItemId, item::SyncItem};
    /// let folders = [(17_u32, "Inbox"), (18, "Inbox")]; // the same name, but different numbers on the server
    /// let items = folders.map(|(number, name)| SyncItem::new(ItemId::from_name_bytes(&number.to_be_bytes()), name));
    /// assert_ne!(items[0].id(), items[1].id());
    /// ```
    pub fn new(id: ItemId, name: impl Into<Arc<str>>) -> Self {
        Self { id, name: name.into(), fields: Fields::Default }
    }

    /// Creates an item with an id derived from its name, which is the same in every session.
    ///
    /// The names of a handler's items must differ. Create items that share a name with [`new`](Self::new).
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self::new(ItemId::from_name(&name), name)
    }

    /// Sets the flags (`dwFlags`).
    pub fn with_flags(self, flags: ItemFlags) -> Self {
        match flags.difference(ItemFlags::LAST_UPDATE_TIME) {
            same if same == self.rare().flags => self,
            flags => self.with(|rare| rare.flags = flags),
        }
    }

    /// Sets the default selection (`dwItemState`). A stored choice overrides it.
    ///
    /// See also: R56.
    pub fn with_state(self, state: ItemState) -> Self {
        if state == self.state() { self } else { self.with(|rare| rare.state = state) }
    }

    /// Sets the icon (`hIcon`).
    pub fn with_icon(self, icon: Icon) -> Self {
        self.with(|rare| rare.icon = Some(icon))
    }

    /// Sets the time of the last synchronization (`ftLastUpdate`) and with it the flag `LASTUPDATETIME`.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use syncmgr_core::item::{ItemFlags, SyncItem};
    /// let item = SyncItem::named("photo.jpg").with_last_update(SystemTime::UNIX_EPOCH);
    /// assert!(item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
    /// ```
    pub fn with_last_update(self, time: SystemTime) -> Self {
        self.with(|rare| rare.last_update = Some(time))
    }

    /// Adds a resource that the item needs while it runs. May be called several times.
    pub fn with_claim(self, claim: impl Into<Claim>) -> Self {
        self.with(|rare| {
            rare.shared_claims.take();
            rare.claims.push(claim.into());
        })
    }

    /// Sets the schedule of the item, in place of that of its handler. Items with equal schedules run together.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_core::{item::SyncItem, schedule::Schedule};
    /// let inbox = SyncItem::named("Inbox").with_schedule(Schedule::every(Duration::from_secs(300))?);
    /// assert!(inbox.schedule().is_some());
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        match self.fields {
            Fields::Default | Fields::Scheduled(_) => Self { fields: Fields::Scheduled(schedule), ..self },
            Fields::Rare(_) => self.with(|rare| rare.schedule = Some(schedule)),
        }
    }

    /// Adds a file or directory whose changes the host watches, with everything below a directory. After a change, the item
    /// runs. May be called several times, and several items may have the same path.
    ///
    /// The manager watches through its change source, from the first listing with the path on, until a complete listing lacks
    /// the item. Without a source, nothing is watched. A relative path begins at the current directory of the process.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use syncmgr_core::item::SyncItem;
    /// let documents = SyncItem::named("Documents").with_watch("/home/user/Documents");
    /// assert_eq!(documents.watches(), [Path::new("/home/user/Documents")]);
    /// ```
    pub fn with_watch(self, path: impl AsRef<Path>) -> Self {
        self.with(|rare| rare.watches.push(path.as_ref().to_owned()))
    }

    /// Requires a condition for automatic runs of the item, in addition to those of its handler and those required before.
    ///
    /// ```
    /// # use syncmgr_core::{item::SyncItem, requirements::Requirement};
    /// let videos = SyncItem::named("Videos").requires(Requirement::UnmeteredNetwork);
    /// assert!(videos.requirements().contains(Requirement::UnmeteredNetwork));
    /// ```
    pub fn requires(self, requirement: Requirement) -> Self {
        self.with(|rare| rare.requirements.add(requirement))
    }

    /// Limits automatic runs of the item to a window, in addition to those of its handler and those before: all of them have to be
    /// open.
    ///
    /// ```
    /// # use syncmgr_core::item::SyncItem;
    /// let videos = SyncItem::named("Videos").within("01:00-05:00 in local".parse()?);
    /// assert_eq!(videos.requirements().windows().count(), 1);
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn within(self, window: Window) -> Self {
        self.with(|rare| rare.requirements = std::mem::take(&mut rare.requirements).within(window))
    }

    /// Sets the importance, which orders the items of an automatic run. The default is normal.
    ///
    /// ```
    /// # use syncmgr_core::{importance::Importance, item::SyncItem};
    /// assert_eq!(SyncItem::named("Outbox").with_importance(Importance::High).importance(), Importance::High);
    /// ```
    pub fn with_importance(self, importance: Importance) -> Self {
        self.with(|rare| rare.importance = importance)
    }

    /// Returns the item with what a person has set in place of what it declares.
    pub(crate) fn with_overrides(self, overrides: &Overrides) -> Self {
        if overrides.is_empty() {
            return self;
        }
        let Settings { schedule, requirements } = Settings::from(&self).with(overrides);
        self.with(|rare| (rare.schedule, rare.requirements) = (schedule, requirements))
    }

    /// Returns the item's id.
    pub fn id(&self) -> ItemId {
        self.id
    }

    /// Returns the item's name. A COM peer receives at most 127 characters of it.
    ///
    /// See also: R61.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a shared reference to the item's name.
    pub fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Returns the flags. `LAST_UPDATE_TIME` is set if and only if the time is known.
    ///
    /// See also: R58.
    pub fn flags(&self) -> ItemFlags {
        let mut flags = self.rare().flags;
        flags.set(ItemFlags::LAST_UPDATE_TIME, self.last_update().is_some());
        flags
    }

    /// Returns the default selection.
    pub fn state(&self) -> ItemState {
        self.rare().state
    }

    /// Returns the icon. `None` if there is none.
    pub fn icon(&self) -> Option<&Icon> {
        self.rare().icon.as_ref()
    }

    /// Returns the time of the last synchronization. `None` if it is unknown.
    pub fn last_update(&self) -> Option<SystemTime> {
        self.rare().last_update
    }

    /// Returns the resources that the item needs while it runs, without those that its handler claims for all items.
    pub fn claims(&self) -> &[Claim] {
        &self.rare().claims
    }

    /// Returns the schedule of the item, if it has one of its own.
    pub fn schedule(&self) -> Option<&Schedule> {
        match &self.fields {
            Fields::Default => None,
            Fields::Scheduled(schedule) => Some(schedule),
            Fields::Rare(rare) => rare.schedule.as_ref(),
        }
    }

    /// Returns the watched files and directories.
    pub fn watches(&self) -> &[PathBuf] {
        &self.rare().watches
    }

    /// Returns the conditions that automatic runs of the item require, without those of its handler.
    pub fn requirements(&self) -> &Requirements {
        &self.rare().requirements
    }

    /// Returns the importance.
    pub fn importance(&self) -> Importance {
        self.rare().importance
    }

    /// Returns a shared reference to [`claims`](Self::claims).
    pub fn shared_claims(&self) -> Arc<[Claim]> {
        let rare = self.rare();
        rare.shared_claims.get_or_init(|| rare.claims[..].into()).clone()
    }

    /// Returns the fields, without a schedule if it is the only one.
    fn rare(&self) -> &Rare {
        match &self.fields {
            Fields::Default | Fields::Scheduled(_) => &DEFAULT,
            Fields::Rare(rare) => rare,
        }
    }

    /// Changes the fields.
    fn with(self, change: impl FnOnce(&mut Rare)) -> Self {
        let mut rare = match self.fields {
            Fields::Default => Arc::new(DEFAULT.clone()),
            Fields::Scheduled(schedule) => Arc::new(Rare { schedule: Some(schedule), ..DEFAULT.clone() }),
            Fields::Rare(rare) => rare,
        };
        change(Arc::make_mut(&mut rare));
        Self { fields: Fields::Rare(rare), ..self }
    }

    /// Returns the item with another name.
    pub(crate) fn renamed(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self }
    }
}

bitflags! {
    /// The flags of an item: `SYNCMGRITEMFLAGS`. Unnamed bits are retained and have no effect.
    ///
    /// See also: R57, R59, R60.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ItemFlags: u32 {
        /// The item has properties to show: `SYNCMGRITEM_HASPROPERTIES`.
        const HAS_PROPERTIES = 0x01;
        /// The host stores no choice for the item: `SYNCMGRITEM_TEMPORARY`.
        const TEMPORARY = 0x02;
        /// The item follows the user, not the machine. Has no effect: `SYNCMGRITEM_ROAMINGUSER`.
        const ROAMING_USER = 0x04;
        /// The time of the last update is known: `SYNCMGRITEM_LASTUPDATETIME`.
        const LAST_UPDATE_TIME = 0x08;
        /// The manager may delete the item. Has no effect: `SYNCMGRITEM_MAYDELETEITEM`.
        const MAY_DELETE_ITEM = 0x10;
        /// The item is not offered for selection, but synchronized: `SYNCMGRITEM_HIDDEN`.
        const HIDDEN = 0x20;
        const _ = !0;
    }
}

impl ItemFlags {
    /// The bits defined by the contract, one of them unnamed: `SYNCMGRITEM_ITEMFLAGMASK`.
    pub const MASK: u32 = 0x007F;
}

/// The selection of an item, by default or by choice: `SYNCMGRITEMSTATE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "an item is selected or not")]
pub enum ItemState {
    /// Not selected: `SYNCMGRITEMSTATE_UNCHECKED`.
    Unchecked = 0,
    /// Selected: `SYNCMGRITEMSTATE_CHECKED`.
    Checked = 1,
}

impl TryFrom<u32> for ItemState {
    type Error = UnknownCode;

    fn try_from(value: u32) -> Result<Self, UnknownCode> {
        match value {
            0 => Ok(Self::Unchecked),
            1 => Ok(Self::Checked),
            _ => Err(UnknownCode { what: "item state", value }),
        }
    }
}

/// An icon of a handler or an item: the counterpart of `HICON`.
///
/// ```
/// # use syncmgr_core::item::{Icon, SyncItem};
/// let inbox = SyncItem::named("Inbox").with_icon(Icon::Themed("mail-inbox".into()));
/// assert!(inbox.icon().is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Icon {
    /// The name of an icon in the desktop's theme.
    Themed(Cow<'static, str>),
    /// A PNG image.
    Png(Arc<[u8]>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_item_is_at_most_48_bytes() {
        assert!(size_of::<SyncItem>() <= 48, "{}", size_of::<SyncItem>());
    }

    #[test]
    fn items_are_equal_in_whatever_order_their_fields_were_set() {
        let every = |minutes: u64| Schedule::every(std::time::Duration::from_secs(60 * minutes)).unwrap();
        let inbox = || SyncItem::named("inbox");
        assert_eq!(
            inbox().with_schedule(every(1)),
            inbox().with_importance(Importance::Normal).with_schedule(every(1))
        );
        assert_eq!(inbox().with_state(ItemState::Unchecked).with_state(ItemState::Checked), inbox());
        assert_ne!(inbox().with_schedule(every(1)), inbox().with_schedule(every(2)));
        assert_ne!(inbox().with_flags(ItemFlags::HIDDEN), inbox());
        let hidden = inbox().with_schedule(every(1)).with_flags(ItemFlags::HIDDEN);
        assert_eq!((hidden.schedule(), hidden.flags()), (Some(&every(1)), ItemFlags::HIDDEN));
    }

    #[test]
    fn r058_the_last_update_flag_is_set_if_and_only_if_a_time_is_known() {
        let item = SyncItem::named("inbox").with_flags(ItemFlags::all());
        assert!(!item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
        let item = item.with_last_update(SystemTime::UNIX_EPOCH);
        assert!(item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
    }
}
