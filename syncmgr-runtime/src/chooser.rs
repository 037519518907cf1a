//! The selection of the items that a session runs.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::id::{HandlerId, ItemId};

/// The selected items of each handler. A handler without an entry runs no items.
pub type Chosen = BTreeMap<HandlerId, BTreeSet<ItemId>>;

/// Selects the items of a session, in a dialog or by a rule.
///
/// A session that may ask the user calls the chooser once, before any handler prepares. The manager stores the selection
/// as the preference for the next session.
///
/// The manager drops the call, and nothing runs, if the session is stopped or closed, if its last handle is dropped, or at the
/// [deadline](crate::manager::SyncManagerBuilder::choosing_deadline).
///
/// See also: R56.
#[async_trait]
pub trait Chooser: Send + Sync + 'static {
    /// Returns the selected items; `None` cancels the session.
    ///
    /// A dialog lists the [shown](syncmgr_core::decision::choice::Visibility::Shown) items, each with its current state.
    /// Hidden items run by their stored or default state; the returned selection does not affect them.
    ///
    /// See also: R60.
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen>;
}
