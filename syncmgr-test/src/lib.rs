//! What providers and hosts are tested with, to be used as a dev-dependency. [`testing`] shows how.
//!
//! - [`judge`] and [`Kit`]: the behaviour kit, which judges a handler against the contract;
//! - [`ScriptedHost`]: a callback that answers from a script and writes down every call;
//! - [`ScriptedHandler`]: a call/completed-style handler that does the same on the other side;
//! - [`ScriptedUser`]: the person at the keyboard;
//! - [`ManualClock`] and [`VirtualClock`]: a clock that stands still until it is moved, one that goes on with tokio's time;
//! - [`ManualFacts`]: a network, a power supply and a user that are as somebody sets them;
//! - [`FaultyStore`]: a store whose writes fail, wait, or are lost;
//! - [`SeededRandomness`]: the same every time;
//! - [`reads_from!`]: the reads of a store of one's own that stands before another.
//!
//! None of them reads a clock of the machine's, but the kit where it looks for calls that block their thread or judges in real
//! time.

pub mod testing {
    #![expect(clippy::test_attr_in_doctest, reason = "what a test would call is called")]
    #![doc = include_str!("../TESTING.md")]
}

mod clock;
mod handler;
mod host;
mod kit;
mod random;
#[doc(hidden)]
pub mod reads;
mod store;
mod transcript;
mod user;

pub use clock::{ManualClock, VirtualClock};
pub use handler::{ScriptedHandler, Side};
pub use host::ScriptedHost;
pub use kit::{Breach, Check, Judgement, Kept, Kit, Provider, Ruling, judge};
pub use random::SeededRandomness;
pub use store::{DiskFault, FaultyStore};
pub use syncmgr_runtime::facts::ManualFacts;
pub use transcript::Transcript;
pub use user::ScriptedUser;
