//! The mirror itself, without any framework: what differs between two trees, and how one becomes the other.
//!
//! Read in this order: an open [`directory`] and what an [`entry`] in it is; [`scan`](mod@scan), which compares the two
//! sides of an item, [`visit`] by visit and [name by name](compare), and writes a [`plan`], with the help of a [`memory`] of
//! earlier ones; [`apply`], which carries it out through [`copy`], [`temporary`] and [`delete`]. All of it is plain blocking
//! code; [`monitor`] is how it is watched and stopped.

mod apply;
mod compare;
mod copy;
mod delete;
mod directory;
mod entry;
mod extent;
mod memory;
mod monitor;
mod plan;
mod scan;
mod temporary;
mod visit;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod recall;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trees;

pub(crate) use apply::{delete_entries, make_changes, make_directories, remove_leftovers, settle_directories};
pub(crate) use directory::{Directory, Pair};
pub(crate) use extent::{Extent, directories_of};
pub(crate) use memory::Memory;
pub(crate) use monitor::{Done, FileError, Monitor, Quiet, Stopped};
pub(crate) use plan::Plan;
pub(crate) use scan::{Basis, Surplus, scan};
