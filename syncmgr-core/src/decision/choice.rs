//! The stored choices of the user, and the items offered for choice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::listing::Listing;
use crate::id::{HandlerId, ItemId};
use crate::info::{HandlerFlags, HandlerInfo};
use crate::item::{Completeness, ItemFlags, ItemState, SyncItem};

/// The stored choices of the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    stored: BTreeMap<(HandlerId, ItemId), ItemState>,
}

impl Preferences {
    /// Returns the stored choice for an item.
    pub fn of(&self, handler: HandlerId, item: ItemId) -> Option<ItemState> {
        self.stored.get(&(handler, item)).copied()
    }

    /// Returns the preferred state of an item: the stored choice, otherwise its default state.
    ///
    /// See also: R56.
    pub fn state(&self, handler: HandlerId, item: &SyncItem) -> ItemState {
        self.of(handler, item.id()).unwrap_or(item.state())
    }

    /// Loads the stored choices of a handler.
    pub fn load(&mut self, handler: HandlerId, choices: BTreeMap<ItemId, ItemState>) {
        self.stored.extend(choices.into_iter().map(|(item, state)| ((handler, item), state)));
    }

    /// Removes all choices of a handler.
    pub fn forget(&mut self, handler: HandlerId) {
        let stored: Vec<_> = self.of_handler(handler).collect();
        stored.into_iter().for_each(|item| _ = self.stored.remove(&(handler, item)));
    }

    /// Removes the choices for items that a complete listing no longer has, and returns these items. An incomplete listing removes
    /// nothing.
    ///
    /// See also: R46, R47.
    pub fn purge(&mut self, handler: HandlerId, listing: &Listing) -> Vec<ItemId> {
        if listing.completeness() != Completeness::Complete {
            return Vec::new();
        }
        let absent: Vec<_> = self.of_handler(handler).filter(|item| listing.item(*item).is_none()).collect();
        absent.iter().for_each(|item| _ = self.stored.remove(&(handler, *item)));
        absent
    }

    fn of_handler(&self, handler: HandlerId) -> impl Iterator<Item = ItemId> {
        let all = (handler, ItemId::from_u128(0))..=(handler, ItemId::from_u128(u128::MAX));
        self.stored.range(all).map(|((_, item), _)| *item)
    }

    /// Records the user's choice among the offered items, except for temporary ones, and returns the choices to store. An item that
    /// was not offered keeps its stored choice.
    ///
    /// See also: R57.
    pub fn record(&mut self, offer: &Offer, chosen: &BTreeSet<ItemId>) -> BTreeMap<ItemId, ItemState> {
        let state = |item| if chosen.contains(&item) { ItemState::Checked } else { ItemState::Unchecked };
        let persistent = offer.items.iter().filter(|item| item.visibility == Visibility::Shown && !item.temporary);
        let choices: BTreeMap<_, _> = persistent.map(|item| (item.item, state(item.item))).collect();
        self.load(offer.handler, choices.clone());
        choices
    }
}

/// The items that a handler offers for choice.
///
/// ```
/// # use std::collections::BTreeSet;
/// # use syncmgr_core::{decision::{choice::{Offer, Preferences}, listing::Listing}, id::HandlerId, info::HandlerInfo};
/// # use syncmgr_core::item::{ItemFlags, SyncItem};
/// # let info = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
/// let items = [SyncItem::named("Inbox"), SyncItem::named("settings").with_flags(ItemFlags::HIDDEN)];
/// let (listing, _) = Listing::check(items.into_iter().collect());
/// let offer = Offer::new(&info, &listing, &Preferences::default());
/// let (runs, _) = offer.chosen(&BTreeSet::new());
/// assert_eq!(runs, BTreeSet::from([listing.items()[1].id()])); // the hidden item runs anyway
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Offer {
    /// The handler.
    pub handler: HandlerId,
    /// Its name.
    pub name: String,
    /// The visibility of the handler.
    pub visibility: Visibility,
    /// Its items, in its order.
    pub items: Vec<OfferedItem>,
}

/// An item offered for choice.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OfferedItem {
    /// The item.
    pub item: ItemId,
    /// Its name.
    pub name: Arc<str>,
    /// The preselected state: the stored choice, otherwise the default state.
    pub state: ItemState,
    /// The visibility of the item.
    pub visibility: Visibility,
    temporary: bool,
}

/// The visibility of a handler or an item in the choice. A hidden item still runs by its stored or default state.
///
/// See also: R60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Visibility {
    /// Listed.
    Shown,
    /// Not listed.
    Hidden,
}

impl Offer {
    /// Creates the offer of a listing under these preferences.
    #[doc(hidden)]
    pub fn new(info: &HandlerInfo, listing: &Listing, preferences: &Preferences) -> Self {
        let items = listing.items().iter().map(|item| OfferedItem {
            item: item.id(),
            name: item.name().into(),
            state: preferences.state(info.id(), item),
            visibility: hidden_if(item.flags().contains(ItemFlags::HIDDEN)),
            temporary: item.flags().contains(ItemFlags::TEMPORARY),
        });
        let items: Vec<_> = items.collect();
        let flags = info.flags();
        let nothing_to_list = items.is_empty() && !flags.contains(HandlerFlags::ALWAYS_LIST);
        let visibility = hidden_if(flags.contains(HandlerFlags::HIDDEN) || nothing_to_list);
        Self { handler: info.id(), name: info.name().into(), visibility, items }
    }

    /// Returns the items that run after a choice: the chosen items among the shown ones, and the preferred items among the hidden
    /// ones. Also returns the chosen ids that were not offered.
    pub fn chosen(&self, wanted: &BTreeSet<ItemId>) -> (BTreeSet<ItemId>, Vec<ItemId>) {
        let runs = |item: &&OfferedItem| match (self.visibility, item.visibility) {
            (Visibility::Shown, Visibility::Shown) => wanted.contains(&item.item),
            _ => item.state == ItemState::Checked,
        };
        let chosen = self.items.iter().filter(runs).map(|item| item.item).collect();
        let offered: BTreeSet<_> = self.items.iter().map(|item| item.item).collect();
        (chosen, wanted.difference(&offered).copied().collect())
    }
}

const fn hidden_if(hidden: bool) -> Visibility {
    if hidden { Visibility::Hidden } else { Visibility::Shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Items;

    const INFO: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(1), "Mail");

    fn listing(items: impl IntoIterator<Item = SyncItem>) -> Listing {
        Listing::check(items.into_iter().collect()).0
    }

    fn ids(names: &[&str]) -> BTreeSet<ItemId> {
        names.iter().map(|name| ItemId::from_name(name)).collect()
    }

    #[test]
    fn r056_a_stored_preference_wins_over_the_default_state() {
        let listing = listing([SyncItem::named("a"), SyncItem::named("b").with_state(ItemState::Unchecked)]);
        let mut preferences = Preferences::default();
        let offer = Offer::new(&INFO, &listing, &preferences);
        let runs = |preferences: &Preferences| listing.select_preferred(INFO.id(), preferences)[..].to_vec();
        assert_eq!(runs(&preferences), [listing.items()[0].clone()]);
        preferences.record(&offer, &ids(&["b"]));
        assert_eq!(runs(&preferences), [listing.items()[1].clone()]);
    }

    #[test]
    fn r057_no_preference_of_a_temporary_item_is_stored() {
        let listing = listing([SyncItem::named("a").with_flags(ItemFlags::TEMPORARY)]);
        let mut preferences = Preferences::default();
        preferences.record(&Offer::new(&INFO, &listing, &preferences), &ids(&[]));
        assert_eq!(preferences, Preferences::default());
    }

    #[test]
    fn r046_r047_only_a_complete_listing_removes_preferences_of_absent_items() {
        let mut preferences = Preferences::default();
        preferences.record(&Offer::new(&INFO, &listing([SyncItem::named("a")]), &preferences), &ids(&[]));
        let (incomplete, _) = Listing::check(Items::incomplete([SyncItem::named("b")]));
        preferences.purge(INFO.id(), &incomplete);
        assert_eq!(preferences.of(INFO.id(), ItemId::from_name("a")), Some(ItemState::Unchecked));
        preferences.purge(INFO.id(), &listing([SyncItem::named("b")]));
        assert_eq!(preferences.of(INFO.id(), ItemId::from_name("a")), None);
    }

    #[test]
    fn forgetting_a_handler_removes_only_its_preferences() {
        let item = ItemId::from_name("a");
        let mut preferences = Preferences::default();
        let handlers = [HandlerId::from_u128(1), HandlerId::from_u128(2)];
        for handler in handlers {
            preferences.load(handler, BTreeMap::from([(item, ItemState::Unchecked)]));
        }
        preferences.forget(handlers[0]);
        assert_eq!(handlers.map(|handler| preferences.of(handler, item)), [None, Some(ItemState::Unchecked)]);
    }

    #[test]
    fn r060_a_hidden_item_is_not_shown_but_runs() {
        let listing = listing([SyncItem::named("a"), SyncItem::named("h").with_flags(ItemFlags::HIDDEN)]);
        let offer = Offer::new(&INFO, &listing, &Preferences::default());
        assert_eq!(offer.items[1].visibility, Visibility::Hidden);
        assert_eq!(offer.chosen(&ids(&[])).0, ids(&["h"]));
    }

    #[test]
    fn r043_r044_a_handler_without_items_is_listed_only_with_always_list() {
        let empty = listing([]);
        assert_eq!(Offer::new(&INFO, &empty, &Preferences::default()).visibility, Visibility::Hidden);
        let always = INFO.with_flags(HandlerFlags::ALWAYS_LIST);
        assert_eq!(Offer::new(&always, &empty, &Preferences::default()).visibility, Visibility::Shown);
    }

    #[test]
    fn chosen_ids_that_were_not_offered_are_returned_separately() {
        let offer = Offer::new(&INFO, &listing([SyncItem::named("a")]), &Preferences::default());
        let (chosen, unknown) = offer.chosen(&ids(&["a", "x"]));
        assert_eq!(chosen, ids(&["a"]));
        assert_eq!(unknown, [ItemId::from_name("x")]);
    }
}
