//! What a handler's methods are handed: thin handles over the host's [`RunPort`](crate::port::RunPort).
//!
//! All of them are cheap to clone and may be sent anywhere; after their run or item has ended they refuse.

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
