//! What the kit judges: a handler, and the world it works in.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr_core::error::FailureClass;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::item::SyncItem;

/// A handler and the world it works in: its peer, and what it has made so far.
///
/// Every handler is one by itself, so a type is a handler or implements this, not both. Implement it for a type of your own to show the kit the data ([`data`](Self::data)), to have the
/// handler made anew whenever a program starts ([`handler`](Self::handler)), or to let the peer fail ([`fail`](Self::fail)):
/// each opens checks that are skipped otherwise.
///
/// The world outlives the programs that run in it: it is what a disk and a server are. Build it from memory or from a fresh
/// directory, never from anything two tests share.
pub trait Provider: Send + Sync + 'static {
    /// The handler, as a program makes it that has just started; outside of any tokio runtime.
    ///
    /// A handler that is a provider by itself is the same value in every program, so what it keeps in memory survives kills
    /// that it would not survive in the field.
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler>;

    /// What the handler's work has come to, each piece by name: files, rows, messages. Two runs did the same when these are
    /// equal, so leave out what may differ, such as times.
    ///
    /// Where it is empty, the checkpoints are compared instead.
    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Has the peer fail the next access to this item, in the session that follows, once, in a way the handler should class like this: a lost connection
    /// for [`Transient`](FailureClass::Transient), a *too many requests* for [`NotBefore`](FailureClass::NotBefore), and so
    /// on. Returns whether this peer can.
    fn fail(&self, item: &SyncItem, class: FailureClass) -> bool {
        let _ = (item, class);
        false
    }

    /// How many things the handler has taken from a pool of its own, such as connections: as many as before once a session is
    /// over, however it ended.
    fn taken(&self) -> usize {
        0
    }
}

impl<H: SyncHandler> Provider for H {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        self
    }
}
