//! Validates the syntax and collects every mistake.

mod declaration;
mod duration;
mod entry;
mod handler;
mod limits;
mod method;
mod number;
mod retry;
mod settle;
mod stand_in;
mod types;

pub(crate) use declaration::{Declaration, declaration};
pub(crate) use handler::{Handler, handler};
pub(crate) use limits::Limits;
pub(crate) use retry::Retry;
