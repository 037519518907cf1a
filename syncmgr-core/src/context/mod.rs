//! The contexts passed to a handler's methods: thin handles over the host's [`RunPort`](crate::port::RunPort).
//!
//! Contexts are cheap to clone and may be sent to other threads. They return errors once their run or item has ended.

mod item;
mod run;
mod saved;
mod secret;
mod test_context;
mod work;

pub use item::ItemContext;
pub use run::{PrepareContext, RunContext, SynchronizeContext};
pub use saved::{Origin, Saved};
pub use test_context::TestContext;
pub use work::Spawned;
