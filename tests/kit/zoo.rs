//! Wrong handlers, each with one mistake somebody could make, each caught by the check meant for it.

pub(crate) mod asking;
pub(crate) mod cancelling;
pub(crate) mod failing;
pub(crate) mod hosted;
pub(crate) mod leaving;
pub(crate) mod saving;
pub(crate) mod telling;
