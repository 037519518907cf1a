//! What happens in a script, one step after the other.

use std::fmt;
use std::time::Duration;

use syncmgr_core::facts::{Network, Power, Presence};
use syncmgr_core::trigger::Trigger;

/// Something that happens. Handlers, items and sessions are named by place, modulo how many there are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Time passes.
    Pass(Duration),
    /// Somebody or something starts a session.
    Start(Start),
    /// Somebody skips an item, in every session it is part of.
    Skip(Place),
    /// Somebody stops a handler, in every session.
    StopHandler(usize),
    /// Somebody stops one of the sessions that go on.
    StopSession(usize),
    /// Somebody pauses the manager.
    Pause,
    /// Somebody resumes the manager.
    Resume,
    /// Somebody answers or opens the latest entry of a handler's stored log that can be, with this choice.
    Answer {
        /// The handler.
        handler: usize,
        /// The place of the choice.
        choice: usize,
    },
    /// The network is like this now.
    Network(Network),
    /// The power comes from there now.
    Power(Power),
    /// Somebody is there now, or nobody.
    User(Presence),
    /// The time of day is corrected by so many seconds.
    Wall(i64),
    /// The peer has a new version of an item.
    Update(Place),
    /// The peer has an item no more, or again.
    Toggle(Place),
    /// So many entries of an item are to be deleted at the next attempt.
    Delete(Place, u64),
    /// The next attempts at an item go wrong.
    Fault {
        /// The item.
        item: Place,
        /// How they go wrong.
        fault: Fault,
        /// How many.
        times: u32,
    },
    /// The next so many listings of a handler fail.
    FailListing(usize, u32),
    /// Writes take so long from now on.
    SlowStore(Duration),
    /// The write after so many others fails.
    FailWrite(u64),
    /// From now on writes are said to be stored and are not.
    Lie,
    /// The store is in order again.
    HealStore,
    /// The process is killed; so many of the writes under way reach the disk. Another begins.
    Crash(usize),
    /// The manager is shut down. Another process begins.
    ShutDown,
    /// A handler is unregistered.
    Unregister(usize),
    /// A handler is registered again.
    Register(usize),
    /// An item is forgotten.
    ForgetItem(Place),
    /// A handler is forgotten.
    Forget(usize),
}

/// An item of a handler, by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The handler.
    pub handler: usize,
    /// The item.
    pub item: usize,
}

/// A session to be started.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Start {
    /// What starts it.
    pub trigger: Trigger,
    /// Over what.
    pub scope: Scope,
    /// Whether the user may be bothered.
    pub bother: Bother,
    /// Whether somebody insists.
    pub insists: bool,
}

/// Whether a session may bother the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bother {
    /// It may not.
    No,
    /// It may.
    Yes,
}

/// What a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Whatever the trigger creates.
    All,
    /// One handler.
    Handler(usize),
    /// These items of a handler, as bits.
    Items(usize, u8),
}

/// How an attempt at an item goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It may work next time.
    Transient,
    /// The peer wants to be left alone for so many seconds.
    NotBefore(u64),
    /// It will not work.
    Permanent,
    /// It is gone.
    Gone,
    /// The state cannot be read.
    Unreadable,
    /// The user is needed.
    NeedsUser,
    /// A part fails, and the rest goes on.
    Tolerated,
    /// It never ends by itself.
    Hang,
    /// It panics.
    Panic,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}.{}", self.handler, self.item)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(time) => write!(f, "{time:?} pass"),
            Self::Start(start) => start.fmt(f),
            Self::Skip(place) => write!(f, "skip {place}"),
            Self::StopHandler(handler) => write!(f, "stop handler {handler}"),
            Self::StopSession(session) => write!(f, "stop session #{session}"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Answer { handler, choice } => write!(f, "answer handler {handler} with choice {choice}"),
            Self::Network(network) => write!(f, "network {network:?}"),
            Self::Power(power) => write!(f, "power {power:?}"),
            Self::User(user) => write!(f, "user {user:?}"),
            Self::Wall(seconds) => write!(f, "clock corrected by {seconds} s"),
            Self::Update(place) => write!(f, "new version of {place}"),
            Self::Toggle(place) => write!(f, "{place} goes or comes back"),
            Self::Delete(place, entries) => write!(f, "{entries} of 40 entries of {place} are to be deleted"),
            Self::Fault { item, fault, times } => write!(f, "{item} goes wrong {times} times: {fault:?}"),
            Self::FailListing(handler, times) => write!(f, "handler {handler} cannot list {times} times"),
            Self::SlowStore(time) => write!(f, "writes take {time:?}"),
            Self::FailWrite(after) => write!(f, "the write after {after} others fails"),
            Self::Lie => f.write_str("the disk lies"),
            Self::HealStore => f.write_str("the store is in order again"),
            Self::Crash(writes) => write!(f, "crash; {writes} of the writes under way reach the disk"),
            Self::ShutDown => f.write_str("shut down and begin again"),
            Self::Unregister(handler) => write!(f, "unregister handler {handler}"),
            Self::Register(handler) => write!(f, "register handler {handler}"),
            Self::ForgetItem(place) => write!(f, "forget {place}"),
            Self::Forget(handler) => write!(f, "forget handler {handler}"),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start {:?} over ", self.trigger)?;
        match &self.scope {
            Scope::All => f.write_str("all")?,
            Scope::Handler(handler) => write!(f, "handler {handler}")?,
            Scope::Items(handler, items) => write!(f, "items {items:#b} of handler {handler}")?,
        }
        let said = [(self.bother == Bother::Yes, ", may bother"), (self.insists, ", insists")];
        said.into_iter().filter(|(is, _)| *is).try_for_each(|(_, words)| f.write_str(words))
    }
}
