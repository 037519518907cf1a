//! A console on a real socket.

#![cfg(all(unix, feature = "program", feature = "web"))]

#[path = "../common/ask.rs"]
mod ask;
mod events;
mod handlers;
mod openapi;
mod page;
mod program;
mod questions;
mod requests;
mod sessions;
mod settings;
mod support;
