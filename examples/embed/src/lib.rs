//! A sync manager inside an existing program: an axum server with its own routes, log and shutdown.
//!
//! [`server`] binds, serves and shuts down. `routes` has the routes, `guard` the access control. Three parts use the sync
//! manager: `sessions` stores the started sessions, `events` and `report` convert them to JSON, and [`server`] shuts the
//! manager down.

mod api_error;
mod app;
mod connections;
mod events;
mod guard;
pub mod handler;
mod json;
mod path;
mod report;
mod request;
mod routes;
pub mod server;
mod sessions;
pub mod token;
