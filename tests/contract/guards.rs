//! Guards: plans, and the violations that hold them.

mod hosts;
pub(crate) mod plans;
mod sides;
