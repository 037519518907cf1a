//! What handlers, hosts and people do wrong, and who notices.

mod bad_input;
mod classic_panics;
pub(crate) mod deadlines;
mod deadlines_shown;
mod hostile;
mod misuse;
mod neighbours;
mod panics;
mod stalls;
mod watchdog;
