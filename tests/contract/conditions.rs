//! Conditions of automatic work, and the events of the environment that start and stop it.

mod ended;
mod requirements;
