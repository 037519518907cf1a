//! Optional attributes of items (initial choice, flags, icons) and of listings (completeness).
//!
//! Handlers whose items have only a name do not need this module.
//!
//! ```
//! use syncmgr::item::{ItemFlags, ItemState};
//! use syncmgr::prelude::*;
//!
//! let archive = SyncItem::named("Archive").with_state(ItemState::Unchecked);
//! let settings = SyncItem::named("settings").with_flags(ItemFlags::HIDDEN); // runs, but is not offered to the user
//! let items: Items = [archive, settings].into_iter().collect();
//! assert_eq!(items.len(), 2);
//! ```

#[doc(inline)]
pub use syncmgr_core::{
    handler::ItemObject,
    item::{Completeness, Icon, ItemFlags, ItemState},
};
