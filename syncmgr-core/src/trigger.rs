//! What starts a session, and under which conditions it runs: `SYNCMGRFLAG`.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

/// What started a session: the event value in the low byte of `SYNCMGRFLAG`.
///
/// An ordinal, not bits: `Manual` (3) is not `Connect | PendingDisconnect`.
///
/// ```
/// # use syncmgr_core::trigger::{RunFlags, Trigger};
/// let word = Trigger::Invoke.word(RunFlags::MAY_BOTHER_USER); // what `Initialize` is handed
/// assert_eq!(word, 0x0205);
/// assert_eq!((Trigger::from_word(word), RunFlags::from_word(word)), (Trigger::Invoke, RunFlags::MAY_BOTHER_USER));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The network came up: `SYNCMGRFLAG_CONNECT`.
    Connect = 1,
    /// The network is about to go: `SYNCMGRFLAG_PENDINGDISCONNECT`.
    PendingDisconnect = 2,
    /// Somebody asked: `SYNCMGRFLAG_MANUAL`.
    Manual = 3,
    /// Nobody is using the machine: `SYNCMGRFLAG_IDLE`.
    Idle = 4,
    /// A program asked, perhaps with a cookie: `SYNCMGRFLAG_INVOKE`.
    Invoke = 5,
    /// A schedule came due: `SYNCMGRFLAG_SCHEDULED`.
    Scheduled = 6,
}

impl Trigger {
    /// `SYNCMGRFLAG_EVENTMASK`: the bits of a flag word that hold the event value.
    pub const EVENT_MASK: u32 = 0x00FF;

    /// The event value, 1 to 6 (R27).
    pub const fn event(self) -> u32 {
        self as u32
    }

    /// A word for it, as in `pending_disconnect`: what spans, metrics and described runs call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::PendingDisconnect => "pending_disconnect",
            Self::Manual => "manual",
            Self::Idle => "idle",
            Self::Invoke => "invoke",
            Self::Scheduled => "scheduled",
        }
    }

    /// The trigger in a flag word; a value nobody knows counts as manual (R29).
    ///
    /// ```
    /// # use syncmgr_core::trigger::Trigger;
    /// assert_eq!(Trigger::from_word(0x0042), Trigger::Manual); // an event nobody knows (R29)
    /// ```
    pub const fn from_word(word: u32) -> Self {
        match word & Self::EVENT_MASK {
            1 => Self::Connect,
            2 => Self::PendingDisconnect,
            4 => Self::Idle,
            5 => Self::Invoke,
            6 => Self::Scheduled,
            _ => Self::Manual,
        }
    }

    /// The flag word handed to `Initialize`: this event and `flags`.
    pub const fn word(self, flags: RunFlags) -> u32 {
        self.event() | flags.bits()
    }
}

bitflags! {
    /// Modifier bits of `SYNCMGRFLAG`. They hold for the whole life of a run (R28).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct RunFlags: u32 {
        /// Created for configuration only: neither prepare nor synchronize follows (R36). `SYNCMGRFLAG_SETTINGS`.
        const SETTINGS = 0x0100;
        /// The user may be bothered: the handler may ask for the [`Interaction`](crate::port::Interaction).
        /// `SYNCMGRFLAG_MAYBOTHERUSER` (R37).
        const MAY_BOTHER_USER = 0x0200;
        const _ = !Trigger::EVENT_MASK;
    }
}

impl RunFlags {
    /// The modifier bits of a flag word. Bits without a name are kept.
    pub const fn from_word(word: u32) -> Self {
        Self::from_bits_retain(word & !Trigger::EVENT_MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_splits_into_event_and_flags_and_joins_again() {
        let word = Trigger::Invoke.word(RunFlags::MAY_BOTHER_USER);
        assert_eq!(word, 0x0205);
        assert_eq!(Trigger::from_word(word), Trigger::Invoke);
        assert_eq!(RunFlags::from_word(word), RunFlags::MAY_BOTHER_USER);
    }

    #[test]
    fn a_trigger_is_stored_under_its_name() {
        for trigger in (1..=6).map(Trigger::from_word) {
            assert_eq!(serde_json::to_value(trigger).unwrap(), trigger.name());
        }
    }
}
