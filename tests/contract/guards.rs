//! Plans, and what the host objects to in them.

mod hosts;
pub(crate) mod plans;
mod sides;
