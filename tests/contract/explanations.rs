//! Why something did not run, and when it will.

mod held;
mod next;
pub(crate) mod situations;
