//! Wrong handlers, each with one mistake somebody could make, each caught by the check meant for it.

mod asking;
mod cancelling;
mod failing;
mod hosted;
mod leaving;
mod saving;
mod telling;
