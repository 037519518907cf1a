//! Validates the syntax and collects every mistake.

mod declaration;
mod duration;
mod entry;
mod handler;
mod limits;
mod method;
mod number;
mod retry;
mod stand_in;
mod types;

pub(crate) use declaration::{Declaration, declaration};
pub(crate) use handler::{Handler, handler};
pub(crate) use limits::{Limits, StallPolicy};
pub(crate) use retry::Retry;
