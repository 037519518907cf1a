//! Faults of handlers, hosts and users, and their detection.

mod bad_input;
mod classic_panics;
pub(crate) mod deadlines;
mod deadlines_shown;
mod destructors;
mod hostile;
mod isolation;
mod misuse;
mod panics;
mod stalls;
mod unawaited;
mod wakers;
mod watchdog;
