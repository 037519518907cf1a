//! Items, the unit of choice, progress, skip and error: `SYNCMGRITEM` and `ISyncMgrEnumItems`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use bitflags::bitflags;

use crate::claim::Claim;
use crate::hresult::UnknownCode;
use crate::id::ItemId;

/// One thing a handler can synchronize: `SYNCMGRITEM`.
///
/// ```
/// # use syncmgr_core::item::{ItemFlags, ItemState, SyncItem};
/// let archive = SyncItem::named("Archive")
///     .with_state(ItemState::Unchecked) // not chosen unless somebody says so
///     .with_flags(ItemFlags::HAS_PROPERTIES)
///     .with_claim("imap.example.org");
/// assert_eq!(archive.claims().len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "`with_` methods return the changed value"]
pub struct SyncItem {
    id: ItemId,
    name: Arc<str>,
    rare: Option<Box<Rare>>,
    flags: ItemFlags,
    state: ItemState,
}

/// What few items have, kept apart so that a million plain ones stay small.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rare {
    icon: Option<Icon>,
    last_update: Option<SystemTime>,
    claims: Vec<Claim>,
}

impl SyncItem {
    /// An item with this id (`ItemID`) and name (`wszItemName`), chosen by default.
    ///
    /// ```
    /// # use syncmgr_core::{id::ItemId, item::SyncItem};
    /// let folders = [(17_u32, "Inbox"), (18, "Inbox")]; // two of one name, told apart by the server's number
    /// let items = folders.map(|(number, name)| SyncItem::new(ItemId::from_bytes(&number.to_be_bytes()), name));
    /// assert_ne!(items[0].id(), items[1].id());
    /// ```
    pub fn new(id: ItemId, name: impl Into<Arc<str>>) -> Self {
        Self { id, name: name.into(), rare: None, flags: ItemFlags::empty(), state: ItemState::Checked }
    }

    /// An item whose id is derived from its name, and so the same in every session (R48).
    ///
    /// Two items of one handler with the same name would be one item: give them ids with [`new`](Self::new).
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self::new(ItemId::from_name(&name), name)
    }

    /// With these flags (`dwFlags`).
    pub fn with_flags(mut self, flags: ItemFlags) -> Self {
        self.flags = flags.difference(ItemFlags::LAST_UPDATE_TIME);
        self
    }

    /// With this default choice (`dwItemState`); a stored preference wins over it (R56).
    pub fn with_state(mut self, state: ItemState) -> Self {
        self.state = state;
        self
    }

    /// With an icon (`hIcon`).
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.rare.get_or_insert_default().icon = Some(icon);
        self
    }

    /// With the time it was last synchronized (`ftLastUpdate`), which sets `LASTUPDATETIME` (R58).
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use syncmgr_core::item::{ItemFlags, SyncItem};
    /// let item = SyncItem::named("photo.jpg").with_last_update(SystemTime::UNIX_EPOCH);
    /// assert!(item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
    /// ```
    pub fn with_last_update(mut self, time: SystemTime) -> Self {
        self.rare.get_or_insert_default().last_update = Some(time);
        self
    }

    /// Needing this resource while it runs; may be said several times.
    pub fn with_claim(mut self, claim: impl Into<Claim>) -> Self {
        self.rare.get_or_insert_default().claims.push(claim.into());
        self
    }

    /// The item's id.
    pub fn id(&self) -> ItemId {
        self.id
    }

    /// The item's name. A COM peer is handed at most 127 characters of it (R61).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The item's name, to keep.
    pub fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// The flags, `LAST_UPDATE_TIME` among them exactly when a time is known (R58).
    pub fn flags(&self) -> ItemFlags {
        let mut flags = self.flags;
        flags.set(ItemFlags::LAST_UPDATE_TIME, self.last_update().is_some());
        flags
    }

    /// The default choice.
    pub fn state(&self) -> ItemState {
        self.state
    }

    /// The icon, if there is one.
    pub fn icon(&self) -> Option<&Icon> {
        self.rare.as_ref()?.icon.as_ref()
    }

    /// When the item was last synchronized, if that is known.
    pub fn last_update(&self) -> Option<SystemTime> {
        self.rare.as_ref()?.last_update
    }

    /// What the item needs while it runs, apart from what its handler claims for all items.
    pub fn claims(&self) -> &[Claim] {
        self.rare.as_ref().map_or(&[], |rare| &rare.claims)
    }

    /// The same item under a shorter name.
    pub(crate) fn renamed(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self }
    }
}

bitflags! {
    /// `SYNCMGRITEMFLAGS`. Bits without a name are kept and have no effect.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ItemFlags: u32 {
        /// The item has properties to show (R65): `SYNCMGRITEM_HASPROPERTIES`.
        const HAS_PROPERTIES = 0x01;
        /// No preference is stored for it (R57): `SYNCMGRITEM_TEMPORARY`.
        const TEMPORARY = 0x02;
        /// Follows the user, not the machine; without effect (R59): `SYNCMGRITEM_ROAMINGUSER`.
        const ROAMING_USER = 0x04;
        /// The last update time is known (R58): `SYNCMGRITEM_LASTUPDATETIME`.
        const LAST_UPDATE_TIME = 0x08;
        /// May be deleted through the manager; without effect (R59): `SYNCMGRITEM_MAYDELETEITEM`.
        const MAY_DELETE_ITEM = 0x10;
        /// Not listed for choice, but synchronized (R60): `SYNCMGRITEM_HIDDEN`.
        const HIDDEN = 0x20;
        const _ = !0;
    }
}

impl ItemFlags {
    /// `SYNCMGRITEM_ITEMFLAGMASK`: the bits the contract knows, one of them without a name.
    pub const MASK: u32 = 0x007F;
}

/// The choice an item starts with: `SYNCMGRITEMSTATE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an item is chosen or not")]
pub enum ItemState {
    /// Not chosen: `SYNCMGRITEMSTATE_UNCHECKED`.
    Unchecked = 0,
    /// Chosen: `SYNCMGRITEMSTATE_CHECKED`.
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

/// A picture for a handler or an item: the counterpart of `HICON`.
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
    /// A PNG picture.
    Png(Arc<[u8]>),
}

/// The items of a handler, and whether that is all of them: what `EnumSyncMgrItems` returns.
///
/// The counterpart of `ISyncMgrEnumItems` is an ordinary iterator: `Next` is [`Iterator::next`], `Skip` is
/// [`Iterator::skip`], `Reset` is a new call of [`iter`](Self::iter), `Clone` is cloning it (R50 to R55).
///
/// Cloning is cheap: a handler whose items do not change keeps the listing and hands out clones.
///
/// ```
/// # use syncmgr_core::item::{Completeness, Items, SyncItem};
/// let items: Items = ["Inbox", "Sent"].map(SyncItem::named).into_iter().collect();
/// assert_eq!((items.len(), items.completeness()), (2, Completeness::Complete));
/// let kept = items.clone(); // cheap: a handler may keep its listing
/// assert!(kept.iter().any(|item| item.name() == "Sent"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Items {
    items: Arc<[SyncItem]>,
    completeness: Completeness,
}

impl Items {
    /// A listing that is known to lack items, for example because the peer is offline: `S_SYNCMGR_MISSINGITEMS`. Stored
    /// choices of absent items are kept (R47).
    ///
    /// ```
    /// # use syncmgr_core::item::{Completeness, Items, SyncItem};
    /// let offline = Items::incomplete([SyncItem::named("Inbox")]);
    /// assert_eq!(offline.completeness(), Completeness::MissingItems);
    /// ```
    pub fn incomplete(items: impl IntoIterator<Item = SyncItem>) -> Self {
        Self { items: items.into_iter().collect(), completeness: Completeness::MissingItems }
    }

    pub(crate) fn from_shared(items: Arc<[SyncItem]>, completeness: Completeness) -> Self {
        Self { items, completeness }
    }

    /// The items, to keep.
    pub fn shared(&self) -> Arc<[SyncItem]> {
        self.items.clone()
    }

    /// The items, in the handler's order.
    pub fn iter(&self) -> std::slice::Iter<'_, SyncItem> {
        self.items.iter()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether this is all of them.
    pub fn completeness(&self) -> Completeness {
        self.completeness
    }
}

impl FromIterator<SyncItem> for Items {
    /// A complete listing: stored choices of absent items are dropped (R46).
    fn from_iter<I: IntoIterator<Item = SyncItem>>(items: I) -> Self {
        Self { items: items.into_iter().collect(), completeness: Completeness::Complete }
    }
}

impl From<Vec<SyncItem>> for Items {
    /// A complete listing.
    fn from(items: Vec<SyncItem>) -> Self {
        Self { items: items.into(), completeness: Completeness::Complete }
    }
}

impl<'a> IntoIterator for &'a Items {
    type Item = &'a SyncItem;
    type IntoIter = std::slice::Iter<'a, SyncItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whether a listing names every item there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a listing lacks something or does not")]
pub enum Completeness {
    /// Every item is listed: `S_OK`.
    Complete,
    /// Some may be missing: `S_SYNCMGR_MISSINGITEMS`.
    MissingItems,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_item_is_at_most_48_bytes() {
        assert!(size_of::<SyncItem>() <= 48, "{}", size_of::<SyncItem>());
    }

    #[test]
    fn r058_the_last_update_flag_is_set_exactly_when_a_time_is_known() {
        let item = SyncItem::named("inbox").with_flags(ItemFlags::all());
        assert!(!item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
        let item = item.with_last_update(SystemTime::UNIX_EPOCH);
        assert!(item.flags().contains(ItemFlags::LAST_UPDATE_TIME));
    }
}
