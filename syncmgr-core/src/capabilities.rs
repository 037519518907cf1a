//! The capabilities that a handler declares for its work.

use bitflags::bitflags;

bitflags! {
    /// The properties and requirements that a handler declares for its work.
    ///
    /// A host uses them to decide when to run the handler. The host assumes that an undeclared property does not apply.
    ///
    /// ```
    /// # use syncmgr_core::{capabilities::Capabilities, id::HandlerId, info::HandlerInfo};
    /// const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail")
    ///     .with_capabilities(Capabilities::CANCELLABLE.union(Capabilities::NEEDS_NETWORK));
    /// assert!(!MAIL.capabilities().contains(Capabilities::IDEMPOTENT)); // not declared
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Capabilities: u32 {
        /// A skip or stop ends an item soon, at the latest when its future is dropped at an await.
        ///
        /// Declared by default. Remove this capability if the work cannot be interrupted: a host then does not start the
        /// work at a time when it may have to stop the work.
        const CANCELLABLE = 0x01;
        /// An interrupted item resumes from its last saved state, so several short runs achieve as much as a long one.
        const RESUMABLE = 0x02;
        /// Running an item twice has the same effect as running it once, so it may run again if its outcome is unknown.
        const IDEMPOTENT = 0x04;
        /// The work needs a network. Without one, a host may hold the run.
        const NEEDS_NETWORK = 0x08;
        /// The work depends on real time (sockets, threads, other processes). A host with paused or simulated time must
        /// not run it.
        const REAL_TIME = 0x10;
        /// The work transfers little data, so it also runs automatically on a metered connection.
        const LOW_DATA = 0x20;
    }
}

impl Default for Capabilities {
    /// Only [`CANCELLABLE`](Self::CANCELLABLE).
    fn default() -> Self {
        Self::CANCELLABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::HandlerId;
    use crate::info::HandlerInfo;

    #[test]
    fn the_only_default_capability_is_cancellable() {
        let info = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
        assert_eq!(info.capabilities(), Capabilities::CANCELLABLE);
        assert_eq!(info.capabilities(), Capabilities::default());
    }

    #[test]
    fn instances_of_a_handler_share_its_capabilities() {
        const DECLARED: Capabilities = Capabilities::RESUMABLE.union(Capabilities::NEEDS_NETWORK);
        const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail").with_capabilities(DECLARED);
        assert_eq!(MAIL.instance("ann").capabilities(), DECLARED);
    }
}
