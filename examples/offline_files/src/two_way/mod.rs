//! Synchronization of two directories in both directions.
//!
//! A run scans both sides and compares each of them with the state that they last agreed on. What has changed on one side only is made
//! on the other one. The comparison is pure: it takes three [trees](tree) of [entries](entry), one [state], and returns a [plan].
//!
//! 1. [`moves`] finds what one side has moved, and moves it on the other side and in the agreed state. From then on every entry is
//!    compared under its new path.
//! 2. [`reconcile`](mod@reconcile) decides about each path. Two files that may be equal are compared, and then planned again. A directory
//!    that is as agreed on both sides, with everything in it, is one step.
//! 3. Each item carries out its steps, and stores what has been [settled] as its agreed state.
//!
//! The rules:
//! - Changed on one side: copied or deleted on the other. Changed on both to the same contents: agreed.
//! - Deleted on one side and changed on the other: the change stays. Of a directory that was deleted on one side, only what has changed
//!   on the other stays.
//! - Every other difference is a [conflict], in which nothing is overwritten unless the user has said how to decide.
//! - Each permission bit is merged by itself, so that permissions are never in conflict.
//! - An entry has changed if its size or time of modification differs from that of the same side in the agreed state. Sides are never
//!   compared by time, so that they may store times of any resolution.
//! - A file of the same size and time, but with another inode number, name or time of change, is compared by its contents. If the other
//!   side has changed or deleted it, a new name or time of change is no change, unless all contents are compared: a hard link more on one
//!   side and an edit on the other are no conflict.
//!
//! The disk side: [`scan`](mod@scan) reads both trees without what is [ignored], [`relocate`](mod@relocate) makes the moves,
//! [`compare`](mod@compare) compares contents, and [`carry`] carries out the steps. The agreed state of an item is its checkpoint, a
//! [record], which the [archive] writes as text. The first item that begins scans and plans all selected items ([`prepare`]), so that an
//! entry can move from one item to another; each item then does its own [work]. Until an item has stored what it got from another one,
//! that one keeps what was agreed about it ([`moved_out`](mod@moved_out)). What is replaced or deleted can be [kept]. An update in
//! place that a killed run has begun is completed from its journal, one of the [leftovers], before both sides are scanned again. A
//! [guard] holds deletions that look like a mistake, and open conflicts are [questions] of the host. A [pair] is opened anew for each run
//! of a host; a run of the [program] opens it once. What a person can do about a refusal differs between the two: [`remedy`].

mod archive;
mod carry;
mod compare;
mod conflict;
#[cfg(test)]
mod conformance;
mod disks;
mod entry;
mod guard;
mod handler;
mod ignored;
mod kept;
mod leftovers;
#[cfg(test)]
mod model;
mod moved_out;
mod moves;
mod names;
mod pair;
mod plan;
mod prepare;
mod program;
mod questions;
mod reconcile;
#[cfg(test)]
mod reconcile_tests;
mod record;
mod recorded;
mod relocate;
mod remedy;
mod scan;
mod settled;
mod side;
mod state;
mod tree;
mod unselected;
mod work;

pub use conflict::Conflicts;
pub(crate) use names::{UsageError, name_sides};
pub use pair::TwoWayPair;
pub(crate) use program::{pair, synchronize};
