//! Starts scheduled sessions.

use std::sync::Arc;

use syncmgr_core::decision::ledger::{Start, Targets};

use super::Launcher;
use crate::owner::Owner;
use crate::session::SessionRequest;

impl Launcher for Owner {
    /// Starts a session and drops its handle.
    fn launch(self: Arc<Self>, start: Start) {
        let manager = self.host.id;
        let request = SessionRequest::new(self, start.trigger).scheduled(start.reason, start.requested_by);
        let request = match start.targets {
            Targets::Handlers(handlers) => request.handlers(handlers),
            Targets::Items(items) => {
                items.into_iter().fold(request, |request, (handler, items)| request.items(handler, items))
            }
        };
        if let Err(error) = request.start() {
            tracing::warn!(%manager, %error, "a scheduled session could not be started");
        }
    }
}
