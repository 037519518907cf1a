//! Conditions of automatic work, and the events of the environment that start and stop it.

mod connect;
mod ended;
mod ending;
mod idle;
mod importance;
mod requirements;
