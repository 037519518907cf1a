//! Triggers and modifier flags of a session: `SYNCMGRFLAG`.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

/// The trigger of a session: the event value in the low byte of `SYNCMGRFLAG`.
///
/// | trigger | handlers | backoff |
/// |---|---|---|
/// | `Manual`, `Invoke` | all | ended: the items run |
/// | `Scheduled` | all | respected: the items are left out |
/// | the others | those that are registered for it | respected |
///
/// A time that a peer has set is respected by every session that is not forced.
///
/// The value is an ordinal, not a set of bits: `Manual` (3) is not `Connect | PendingDisconnect`.
///
/// ```
/// # use syncmgr_core::trigger::{RunFlags, Trigger};
/// let word = Trigger::Invoke.word(RunFlags::MAY_BOTHER_USER); // the argument of `Initialize`
/// assert_eq!(word, 0x0205);
/// assert_eq!((Trigger::from_word(word), RunFlags::from_word(word)), (Trigger::Invoke, RunFlags::MAY_BOTHER_USER));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The network came up: `SYNCMGRFLAG_CONNECT`.
    Connect = 1,
    /// The network or the machine is about to go down: `SYNCMGRFLAG_PENDINGDISCONNECT`. The run has
    /// [a limited time](crate::context::RunContext::time_left).
    PendingDisconnect = 2,
    /// The user requested the session: `SYNCMGRFLAG_MANUAL`.
    Manual = 3,
    /// The user is idle: `SYNCMGRFLAG_IDLE`.
    Idle = 4,
    /// A program requested the session, with or without a cookie: `SYNCMGRFLAG_INVOKE`.
    Invoke = 5,
    /// A schedule is due: `SYNCMGRFLAG_SCHEDULED`.
    Scheduled = 6,
}

impl Trigger {
    /// The bits of a flag word that contain the event value: `SYNCMGRFLAG_EVENTMASK`.
    pub const EVENT_MASK: u32 = 0x00FF;

    /// Returns the event value, 1 to 6.
    ///
    /// See also: R27.
    pub const fn event(self) -> u32 {
        self as u32
    }

    /// Returns the name, for example `pending_disconnect`, as in spans, metrics and run requests.
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

    /// Returns the trigger of a flag word. An unknown event value counts as manual.
    ///
    /// ```
    /// # use syncmgr_core::trigger::Trigger;
    /// assert_eq!(Trigger::from_word(0x0042), Trigger::Manual); // not a known event
    /// ```
    ///
    /// See also: R29.
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

    /// Returns the flag word for `Initialize`: this event and `flags`.
    pub const fn word(self, flags: RunFlags) -> u32 {
        self.event() | flags.bits()
    }
}

bitflags! {
    /// The modifier bits of `SYNCMGRFLAG`. They apply to the whole run.
    ///
    /// See also: R28.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct RunFlags: u32 {
        /// The run is for configuration only: neither prepare nor synchronize follows. `SYNCMGRFLAG_SETTINGS`.
        ///
        /// See also: R36.
        const SETTINGS = 0x0100;
        /// The handler may ask the user through [`Interaction`](crate::port::Interaction). `SYNCMGRFLAG_MAYBOTHERUSER`.
        ///
        /// See also: R37.
        const MAY_BOTHER_USER = 0x0200;
        const _ = !Trigger::EVENT_MASK;
    }
}

impl RunFlags {
    /// Returns the modifier bits of a flag word. Undefined bits are kept.
    pub const fn from_word(word: u32) -> Self {
        Self::from_bits_retain(word & !Trigger::EVENT_MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_word_splits_into_trigger_and_flags() {
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
