//! What a handler promises of its work, for whoever decides where and when to run it.

use bitflags::bitflags;

bitflags! {
    /// What a handler promises of its work, and what that work needs.
    ///
    /// Plain facts for an engine that has never seen the handler's code: it may drive any handler, and drives one that
    /// promises more with more freedom. What is not promised is assumed not to hold.
    ///
    /// ```
    /// # use syncmgr_core::{capabilities::Capabilities, id::HandlerId, info::HandlerInfo};
    /// const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail")
    ///     .with_capabilities(Capabilities::CANCELLABLE.union(Capabilities::NEEDS_NETWORK));
    /// assert!(!MAIL.capabilities().contains(Capabilities::IDEMPOTENT)); // what is not said does not hold
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Capabilities: u32 {
        /// A skip or stop ends an item soon, at the latest when its future is dropped at an await.
        ///
        /// The default, because it holds for an author who never thinks of it. Take it away where work cannot be
        /// interrupted: an engine then does not start what it may have to stop.
        const CANCELLABLE = 0x01;
        /// An item that was cut short goes on from what it last saved, so that many short runs get as far as a long one.
        const RESUMABLE = 0x02;
        /// Doing an item twice leaves what doing it once leaves, so that it may be done again where nobody knows
        /// whether it was done.
        const IDEMPOTENT = 0x04;
        /// Nothing can be done without a network, so that a run without one need not begin.
        const NEEDS_NETWORK = 0x08;
        /// The work depends on time that goes on by itself (sockets, threads, other processes), so that a host with
        /// paused or simulated time must not drive it.
        const REAL_TIME = 0x10;
        /// Moves little, so that it runs by itself on a link that is paid for by amount, too.
        const FRUGAL = 0x20;
    }
}

impl Default for Capabilities {
    /// [`CANCELLABLE`](Self::CANCELLABLE), and nothing else.
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
    fn a_handler_that_says_nothing_is_cancellable_and_promises_nothing_else() {
        let info = HandlerInfo::new(HandlerId::from_u128(7), "Mail");
        assert_eq!(info.capabilities(), Capabilities::CANCELLABLE);
        assert_eq!(info.capabilities(), Capabilities::default());
    }

    #[test]
    fn capabilities_are_declared_in_a_constant_and_shared_by_the_accounts_of_a_handler() {
        const PROMISED: Capabilities = Capabilities::RESUMABLE.union(Capabilities::NEEDS_NETWORK);
        const MAIL: HandlerInfo = HandlerInfo::new(HandlerId::from_u128(7), "Mail").with_capabilities(PROMISED);
        assert_eq!(MAIL.instance("ann").capabilities(), PROMISED);
    }
}
