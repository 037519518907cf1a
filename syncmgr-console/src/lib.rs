#![doc = include_str!("../README.md")]
#![cfg(unix)]

#[cfg(feature = "web")]
mod access;
mod api;
mod attention;
#[cfg(feature = "bars")]
mod bars;
mod client;
mod connections;
mod console;
mod json;
#[cfg(all(test, target_os = "linux"))]
mod nobody;
#[cfg(feature = "web")]
mod page;
mod questions;
mod settings;
mod socket;
#[cfg(feature = "web")]
mod time;
#[cfg(feature = "web")]
mod token;

#[cfg(feature = "bars")]
pub use bars::Bars;
pub use client::{Client, ClientError, Events};
pub use console::{Console, Serving};
pub use questions::Questions;
pub use socket::{ConsoleError, socket_path};
