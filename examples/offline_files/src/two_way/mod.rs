//! Synchronization of two directories in both directions.
//!
//! A run scans both sides and compares each of them with the state that they last agreed on. What has changed on one side only is made
//! on the other one. The comparison is pure: it takes three [trees](tree) of [entries](entry), one [state], and returns a [plan].
//!
//! 1. [`moves`] finds what one side has moved, and moves it on the other side and in the agreed state. From then on every entry is
//!    compared under its new path.
//! 2. [`reconcile`](mod@reconcile) decides about each path. Two files that may be equal are compared, and then planned again.
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
//! - A file of the same size and time, but with another inode number or time of change, is compared by its contents.

mod conflict;
mod entry;
#[cfg(test)]
mod model;
mod moves;
mod plan;
mod reconcile;
mod settled;
mod side;
mod state;
mod tree;
