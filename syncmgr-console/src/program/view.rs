//! The full-screen view: what the manager does, with keys to steer it.
//!
//! [`Model`](model::Model) holds all that is shown. Its `update` changes it and returns effects, and does no I/O. `draw` shows it.
//! `run` passes keys, events and answers of the program to the model, and performs the effects.

mod act;
mod bindings;
mod cursor;
mod data;
mod dialog;
mod draw;
mod event;
mod fetch;
mod keys;
mod link;
mod load;
mod model;
mod rate;
mod rows;
mod run;
mod screen;
#[cfg(test)]
mod tests;

pub(crate) use self::run::show;
