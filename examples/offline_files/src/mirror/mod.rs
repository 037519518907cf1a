//! The mirror, independent of syncmgr: comparison of two trees, and updates of one to match the other.
//!
//! [`scan`](mod@scan) compares the two sides of an item, one directory at a time ([`visit`]) and then name by name
//! ([`compare`]), and returns a [`plan`]. [`links`] finds the hard links, and a [`lineage`] the sides that are mounted in each other.
//! A [`scan_cache`] of earlier runs saves comparisons. [`apply`] carries out the plan with [`copy`], [`temporary`], [`delete`] and
//! [`narrow`], [updates](mod@update) large files in place, and removes the [`leftovers`] of killed runs. Several threads share both through a [`queue`], as many as there are
//! [`jobs`].
//!
//! All file access goes through [`directory`] and [`entry`]; a [`pair`] has a directory of each side. What TO can store depends on
//! its [`file_systems`], each a [`file_system`]; the report names the [`losses`]. The code is blocking; a [`monitor`] observes and
//! stops it, and receives the errors through [`failures`].

mod apply;
mod attributes;
mod batches;
mod claims;
mod compare;
mod contents;
mod copy;
mod delete;
mod directory;
mod displaced;
mod entry;
mod extended;
mod extent;
mod failures;
mod file_system;
mod file_systems;
mod forest;
mod jobs;
mod leftovers;
mod lineage;
mod links;
mod listing;
mod losses;
mod monitor;
mod narrow;
mod own_files;
mod pair;
mod plan;
mod queue;
mod sample;
mod scan;
mod scan_cache;
mod sides;
mod spelling;
mod stage;
mod tasks;
mod temporary;
mod trail;
mod update;
mod visit;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod interrupted_tests;
#[cfg(test)]
mod links_tests;
#[cfg(test)]
mod scan_cache_tests;
#[cfg(test)]
#[path = "../../tests/offline_files/skip.rs"]
mod skip;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trees;

pub(crate) use apply::carry_out;
pub(crate) use attributes::{Attributes, Kept};
pub(crate) use contents::are_equal;
pub(crate) use copy::{Copied, copy_link, copy_version, wait_until_settled};
pub(crate) use directory::Directory;
pub(crate) use displaced::{give_back, is_displaced};
pub(crate) use entry::{Entry, Kind};
pub(crate) use extent::{Extent, directories_of};
pub(crate) use file_systems::FileSystems;
pub(crate) use jobs::Jobs;
pub(crate) use monitor::{Done, Failure, FileContext, FileError, Location, Monitor, Quiet, Stopped, tolerate};
pub(crate) use own_files::OwnFiles;
pub(crate) use pair::Pair;
pub(crate) use plan::{Occupant, Plan};
pub(crate) use queue::{Queue, share};
pub(crate) use scan::{ExtraEntries, ScanOptions, scan};
pub(crate) use scan_cache::{Place, ScanCache};
pub(crate) use temporary::{is_leftover, remove_expected};
pub(crate) use update::{Counted, Expected, LARGE, Leftover, Named, Updated, recover, update};
