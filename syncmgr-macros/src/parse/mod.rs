//! Parses tokens into syntax, valid or not.

mod block;
mod entries;

pub(crate) use block::{Block, Member, Method, Other, block};
pub(crate) use entries::{Entry, Value, entries};
