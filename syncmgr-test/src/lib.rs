//! Test support for sync providers and hosts, used as a dev-dependency. See the guide in [`testing`].
//!
//! - [`assert_conforms`] and [`Kit`]: the conformance kit, which checks a handler against the contract;
//! - [`ScriptedHost`]: a callback that returns scripted answers and records every call;
//! - [`ScriptedHandler`]: the counterpart, a classic handler that runs a script and records every call;
//! - [`ScriptedUser`]: a user with scripted answers;
//! - [`ManualClock`] and [`VirtualClock`]: a clock that only the test moves, and one that follows tokio's time;
//! - [`ManualEnvironment`]: an environment (network, power supply, user) whose values the test sets;
//! - [`FaultyStore`]: a store whose writes fail, are slow, or are lost;
//! - [`SeededRandomness`]: randomness that is the same in every run;
//! - [`reads_from!`]: forwards the reads of a custom store to an inner store.
//!
//! Only the kit reads the machine's clock: to detect calls that block their thread, and in real-time checks.

pub mod testing {
    #![expect(clippy::test_attr_in_doctest, reason = "the examples call the functions that a test would call")]
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
pub use kit::{
    Accesses, Change, Check, CheckResult, Expected, Kit, Passed, Provider, Report, Violation, assert_conforms,
};
pub use random::SeededRandomness;
pub use store::{DiskFault, FaultyStore};
pub use syncmgr_runtime::environment::ManualEnvironment;
pub use transcript::Transcript;
pub use user::ScriptedUser;
