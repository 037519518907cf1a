//! The sync manager inside a program that was there before it: an axum server with its own routes, its own log and its
//! own shutdown.
//!
//! [`server`] is its life from binding to the last connection. What it answers is in `routes`, who may ask in `guard`.
//! The sync manager comes in at three places: `sessions` keeps what was started, `events` and `report` put it into
//! JSON, and [`server`] drains it at the end.

mod app;
mod events;
mod guard;
pub mod handler;
mod json;
mod path;
mod refusal;
mod report;
mod request;
mod routes;
pub mod server;
mod sessions;
pub mod token;
