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
use crate::requirements::{Requirement, Requirements};
use crate::schedule::Schedule;

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
#[derive(Clone, Debug, PartialEq)]
#[must_use = "`with_` methods return the changed value"]
pub struct SyncItem {
    id: ItemId,
    name: Arc<str>,
    rare: Option<Arc<Rare>>,
    flags: ItemFlags,
    state: ItemState,
}

/// Rarely used fields, apart to keep plain items small. Items of a listing share them if they are equal.
#[derive(Clone, Debug, Default)]
struct Rare {
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

impl Rare {
    /// Compares all fields. Claims are equal if their names are, but an item may declare another capacity.
    fn is_identical(&self, other: &Self) -> bool {
        self == other && self.claims.iter().map(Claim::capacity).eq(other.claims.iter().map(Claim::capacity))
    }
}

impl PartialEq for Rare {
    fn eq(&self, other: &Self) -> bool {
        let Self { icon, last_update, claims, schedule, watches, requirements, importance, shared_claims: _ } = self;
        (icon, last_update, claims) == (&other.icon, &other.last_update, &other.claims)
            && (schedule, watches) == (&other.schedule, &other.watches)
            && (requirements, importance) == (&other.requirements, &other.importance)
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
        Self { id, name: name.into(), rare: None, flags: ItemFlags::empty(), state: ItemState::Checked }
    }

    /// Creates an item with an id derived from its name, which is the same in every session.
    ///
    /// The names of a handler's items must differ. Create items that share a name with [`new`](Self::new).
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self::new(ItemId::from_name(&name), name)
    }

    /// Sets the flags (`dwFlags`).
    pub fn with_flags(mut self, flags: ItemFlags) -> Self {
        self.flags = flags.difference(ItemFlags::LAST_UPDATE_TIME);
        self
    }

    /// Sets the default selection (`dwItemState`). A stored choice overrides it.
    ///
    /// See also: R56.
    pub fn with_state(mut self, state: ItemState) -> Self {
        self.state = state;
        self
    }

    /// Sets the icon (`hIcon`).
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.rare_mut().icon = Some(icon);
        self
    }

    /// Sets the time of the last synchronization (`ftLastUpdate`) and with it the flag `LASTUPDATETIME`.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use syncmgr_core::item::{ItemFlags, SyncItem};
    /// let item = SyncItem::named("photo.jpg").with_last_update(SystemTime::UNIX_EPOCH);
    /// assert!(item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
    /// ```
    pub fn with_last_update(mut self, time: SystemTime) -> Self {
        self.rare_mut().last_update = Some(time);
        self
    }

    /// Adds a resource that the item needs while it runs. May be called several times.
    pub fn with_claim(mut self, claim: impl Into<Claim>) -> Self {
        let rare = self.rare_mut();
        rare.shared_claims.take();
        rare.claims.push(claim.into());
        self
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
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.rare_mut().schedule = Some(schedule);
        self
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
    /// let documents = SyncItem::named("Documents").with_watch("/home/ann/Documents");
    /// assert_eq!(documents.watches(), [Path::new("/home/ann/Documents")]);
    /// ```
    pub fn with_watch(mut self, path: impl AsRef<Path>) -> Self {
        self.rare_mut().watches.push(path.as_ref().to_owned());
        self
    }

    /// Requires a condition for automatic runs of the item, in addition to those of its handler and those required before.
    ///
    /// ```
    /// # use syncmgr_core::{item::SyncItem, requirements::Requirement};
    /// let videos = SyncItem::named("Videos").requires(Requirement::UnmeteredNetwork);
    /// assert!(videos.requirements().contains(Requirement::UnmeteredNetwork));
    /// ```
    pub fn requires(mut self, requirement: Requirement) -> Self {
        let rare = self.rare_mut();
        rare.requirements = rare.requirements.clone().with(requirement);
        self
    }

    /// Sets the importance, which orders the items of an automatic run. The default is normal.
    ///
    /// ```
    /// # use syncmgr_core::{importance::Importance, item::SyncItem};
    /// assert_eq!(SyncItem::named("Outbox").with_importance(Importance::High).importance(), Importance::High);
    /// ```
    pub fn with_importance(mut self, importance: Importance) -> Self {
        self.rare_mut().importance = importance;
        self
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
        let mut flags = self.flags;
        flags.set(ItemFlags::LAST_UPDATE_TIME, self.last_update().is_some());
        flags
    }

    /// Returns the default selection.
    pub fn state(&self) -> ItemState {
        self.state
    }

    /// Returns the icon. `None` if there is none.
    pub fn icon(&self) -> Option<&Icon> {
        self.rare.as_ref()?.icon.as_ref()
    }

    /// Returns the time of the last synchronization. `None` if it is unknown.
    pub fn last_update(&self) -> Option<SystemTime> {
        self.rare.as_ref()?.last_update
    }

    /// Returns the resources that the item needs while it runs, without those that its handler claims for all items.
    pub fn claims(&self) -> &[Claim] {
        self.rare.as_ref().map_or(&[], |rare| &rare.claims)
    }

    /// Returns the schedule of the item, if it has one of its own.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.rare.as_ref()?.schedule.as_ref()
    }

    /// Returns the watched files and directories.
    pub fn watches(&self) -> &[PathBuf] {
        self.rare.as_ref().map_or(&[], |rare| &rare.watches)
    }

    /// Returns the conditions that automatic runs of the item require, without those of its handler.
    pub fn requirements(&self) -> &Requirements {
        self.rare.as_ref().map_or(&Requirements::NONE, |rare| &rare.requirements)
    }

    /// Returns the importance.
    pub fn importance(&self) -> Importance {
        self.rare.as_ref().map_or(Importance::Normal, |rare| rare.importance)
    }

    /// Returns a shared reference to [`claims`](Self::claims).
    pub fn shared_claims(&self) -> Arc<[Claim]> {
        let shared = |rare: &Arc<Rare>| rare.shared_claims.get_or_init(|| rare.claims[..].into()).clone();
        self.rare.as_ref().map(shared).unwrap_or_default()
    }

    fn rare_mut(&mut self) -> &mut Rare {
        Arc::make_mut(self.rare.get_or_insert_default())
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
    fn r058_the_last_update_flag_is_set_if_and_only_if_a_time_is_known() {
        let item = SyncItem::named("inbox").with_flags(ItemFlags::all());
        assert!(!item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
        let item = item.with_last_update(SystemTime::UNIX_EPOCH);
        assert!(item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
    }
}
