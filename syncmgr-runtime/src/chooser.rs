//! Whom a session asks which items to run.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::id::{HandlerId, ItemId};

/// The items chosen, per handler. A handler that is left out runs nothing.
pub type Chosen = BTreeMap<HandlerId, BTreeSet<ItemId>>;

/// A person who chooses, or a program in their place.
///
/// Asked once in a session that may bother the user, before anything is prepared. What it chooses is remembered as the
/// preference for the next session (R56).
#[async_trait]
pub trait Chooser: Send + Sync + 'static {
    /// Chooses among what is offered; `None` gives the session up.
    ///
    /// List what is [shown](syncmgr_core::decision::choice::Visibility::Shown) and start from each item's state. What is
    /// hidden runs by its stored or default state, whatever is returned (R60).
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen>;
}
