//! From tokens to syntax: what was written, whether it makes sense or not.

mod block;
mod entries;

pub(crate) use block::{Block, Member, Method, Other, block};
pub(crate) use entries::{Entry, Value, entries};
