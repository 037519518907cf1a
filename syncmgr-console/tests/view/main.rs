//! The full-screen view in a terminal of tmux, with keys sent and the screen captured. Also the prompt for a secret, which needs a terminal.

#![cfg(all(unix, feature = "view"))]

#[path = "../common/ask.rs"]
mod ask;
mod ending;
mod link;
mod questions;
mod secret;
mod support;
mod terminal;
mod working;
