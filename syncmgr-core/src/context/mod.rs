//! The contexts passed to a handler's methods: thin handles over the host's [`RunPort`](crate::port::RunPort).
//!
//! Contexts are cheap to clone and may be sent to other threads. They return errors once their run or item has ended.

mod detached;
mod item;
mod run;
mod saved;
mod work;

pub use detached::Detached;
pub use item::ItemContext;
pub use run::{PrepareContext, RunContext, SynchronizeContext};
pub use saved::{Origin, Saved};
pub use work::Spawned;
