//! Explanations: the reason an item did not run, and the time of its next run.

mod held;
mod next;
pub(crate) mod situations;
