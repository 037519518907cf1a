//! The steps of a script.

use std::fmt;
use std::time::Duration;

use syncmgr_core::environment::{Battery, Connectivity, EndingKind, Network, Power, Presence};
use syncmgr_core::trigger::Trigger;

/// A step of a script. Steps name handlers and items by index; a session index is taken modulo the number of open sessions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Advances time.
    AdvanceTime(Duration),
    /// Starts a session.
    Start(Start),
    /// Skips an item in every session that contains it.
    Skip(ItemIndex),
    /// Stops a handler in every session.
    StopHandler(usize),
    /// Stops one of the open sessions.
    StopSession(usize),
    /// Pauses the manager.
    Pause,
    /// Resumes the manager.
    Resume,
    /// Answers the latest question in a handler's stored log.
    Answer {
        /// The handler.
        handler: usize,
        /// The index of the choice, modulo the number of choices.
        choice: usize,
    },
    /// Changes the network.
    Network(Network),
    /// Changes the power source.
    Power(Power),
    /// Changes the presence of the user.
    User(Presence),
    /// Corrects the wall clock by a number of seconds.
    CorrectClock(i64),
    /// Creates a new version of an item on the peer.
    Update(ItemIndex),
    /// Removes an item from the peer, or restores it.
    TogglePresence(ItemIndex),
    /// Makes the next attempt at an item plan this number of deletions.
    Delete(ItemIndex, u64),
    /// Makes the next attempts at an item fail.
    FailAttempts {
        /// The item.
        item: ItemIndex,
        /// The fault.
        fault: Fault,
        /// The number of attempts.
        times: u32,
    },
    /// Makes the next listings of a handler fail.
    FailListing(usize, u32),
    /// Delays all later writes by a duration.
    SlowStore(Duration),
    /// Fails one write, after a number of successful writes.
    FailWrite(u64),
    /// Acknowledges all later writes without storing them.
    LoseWrites,
    /// Removes all faults of the store.
    RecoverStore,
    /// Kills the process; this number of its pending writes reach the disk. Then the next process starts.
    Crash(usize),
    /// Shuts the manager down. Then the next process starts.
    ShutDown,
    /// Unregisters a handler.
    Unregister(usize),
    /// Registers a handler again.
    Register(usize),
    /// Disables a handler, or one of its items.
    Disable(usize, Option<usize>),
    /// Enables a handler, or one of its items.
    Enable(usize, Option<usize>),
    /// Forgets an item.
    ForgetItem(ItemIndex),
    /// Forgets a handler.
    ForgetHandler(usize),
    /// The machine sleeps: the wall clock goes on while timers stand still.
    Sleep(Duration),
    /// Changes the charge of the battery.
    Battery(Battery),
    /// Changes the reach of the network.
    Connectivity(Connectivity),
    /// The user becomes idle.
    GoIdle,
    /// The user becomes active.
    BecomeActive,
    /// Something on this machine changes an item.
    Change(ItemIndex),
    /// Something on this machine changes, maybe any item of a handler.
    ChangeAny(usize),
    /// Something is about to end, after this time.
    Announce(EndingKind, Duration),
    /// What was announced does not happen, or is over.
    Withdraw,
}

/// An item of a handler, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemIndex {
    /// The handler.
    pub handler: usize,
    /// The item.
    pub item: usize,
}

/// A request for a session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Start {
    /// The trigger.
    pub trigger: Trigger,
    /// The scope.
    pub scope: Scope,
    /// Permission to ask the user.
    pub interaction: UserInteraction,
    /// `true` if the session is forced.
    pub force: bool,
}

/// Permission of a session to ask the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserInteraction {
    /// The session must not ask the user.
    Forbidden,
    /// The session may ask the user.
    Allowed,
}

/// The scope of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// All handlers that the trigger selects.
    All,
    /// One handler.
    Handler(usize),
    /// Items of a handler, as a bit mask of their indices.
    Items(usize, u8),
}

/// A fault of an attempt at an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A transient failure.
    Transient,
    /// The peer asks for no further attempt for this number of seconds.
    NotBefore(u64),
    /// A permanent failure.
    Permanent,
    /// The item no longer exists.
    Gone,
    /// The stored state cannot be read.
    Unreadable,
    /// The attempt needs the user.
    NeedsUser,
    /// A tolerated failure of a part of the item.
    Tolerated,
    /// The attempt hangs until it is cancelled.
    Hang,
    /// The attempt panics.
    Panic,
    /// The attempt returns an error whose destructor panics.
    PanicOnDrop,
    /// The attempt ends its process. A step during which the process ends is performed again by the next one.
    Kill,
}

impl fmt::Display for ItemIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}.{}", self.handler, self.item)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdvanceTime(time) => write!(f, "advance time by {time:?}"),
            Self::Start(start) => start.fmt(f),
            Self::Skip(index) => write!(f, "skip {index}"),
            Self::StopHandler(handler) => write!(f, "stop handler {handler}"),
            Self::StopSession(session) => write!(f, "stop session #{session}"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Answer { handler, choice } => write!(f, "answer handler {handler} with choice {choice}"),
            Self::Network(network) => write!(f, "set network to {network:?}"),
            Self::Power(power) => write!(f, "set power to {power:?}"),
            Self::User(user) => write!(f, "set user to {user:?}"),
            Self::CorrectClock(seconds) => write!(f, "correct the clock by {seconds} s"),
            Self::Update(index) => write!(f, "update {index} on the peer"),
            Self::TogglePresence(index) => write!(f, "toggle presence of {index} on the peer"),
            Self::Delete(index, entries) => write!(f, "delete {entries} of 40 entries of {index} at the next attempt"),
            Self::FailAttempts { item, fault, times } => {
                write!(f, "fail the next {times} attempts at {item}: {fault:?}")
            }
            Self::FailListing(handler, times) => write!(f, "fail the next {times} listings of handler {handler}"),
            Self::SlowStore(time) => write!(f, "delay writes by {time:?}"),
            Self::FailWrite(after) => write!(f, "fail one write after {after} others"),
            Self::LoseWrites => f.write_str("acknowledge writes without storing them"),
            Self::RecoverStore => f.write_str("remove the faults of the store"),
            Self::Crash(writes) => write!(f, "kill the process; {writes} of its pending writes reach the disk"),
            Self::ShutDown => f.write_str("shut down and restart"),
            Self::Unregister(handler) => write!(f, "unregister handler {handler}"),
            Self::Register(handler) => write!(f, "register handler {handler}"),
            Self::Disable(handler, None) => write!(f, "disable handler {handler}"),
            Self::Disable(handler, Some(item)) => write!(f, "disable item {handler}.{item}"),
            Self::Enable(handler, None) => write!(f, "enable handler {handler}"),
            Self::Enable(handler, Some(item)) => write!(f, "enable item {handler}.{item}"),
            Self::ForgetItem(index) => write!(f, "forget {index}"),
            Self::ForgetHandler(handler) => write!(f, "forget handler {handler}"),
            Self::Sleep(time) => write!(f, "sleep for {time:?}"),
            Self::Battery(battery) => write!(f, "set battery to {battery:?}"),
            Self::Connectivity(reach) => write!(f, "set connectivity to {reach:?}"),
            Self::GoIdle => f.write_str("the user becomes idle"),
            Self::BecomeActive => f.write_str("the user becomes active"),
            Self::Change(index) => write!(f, "change {index} on this machine"),
            Self::ChangeAny(handler) => write!(f, "change something of handler {handler} on this machine"),
            Self::Announce(kind, time) => write!(f, "announce {kind:?} in {time:?}"),
            Self::Withdraw => f.write_str("withdraw the announcement"),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start a {:?} session for ", self.trigger)?;
        match &self.scope {
            Scope::All => f.write_str("all handlers")?,
            Scope::Handler(handler) => write!(f, "handler {handler}")?,
            Scope::Items(handler, items) => write!(f, "items {items:#b} (bit mask) of handler {handler}")?,
        }
        let options = [(self.interaction == UserInteraction::Allowed, ", may ask the user"), (self.force, ", forced")];
        options.into_iter().filter(|(is, _)| *is).try_for_each(|(_, words)| f.write_str(words))
    }
}
