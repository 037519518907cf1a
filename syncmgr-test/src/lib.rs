//! Test doubles for syncmgr, to be used as a dev-dependency.
//!
//! - [`ScriptedHost`]: a callback that answers from a script and writes down every call;
//! - [`ScriptedHandler`]: a call/completed-style handler that does the same on the other side;
//! - [`ScriptedUser`]: the person at the keyboard;
//! - [`ManualClock`]: a clock that stands still until it is moved.
//!
//! None of them waits or reads a clock.

mod clock;
mod handler;
mod host;
mod transcript;
mod user;

pub use clock::ManualClock;
pub use handler::{ScriptedHandler, Side};
pub use host::ScriptedHost;
pub use transcript::Transcript;
pub use user::ScriptedUser;
