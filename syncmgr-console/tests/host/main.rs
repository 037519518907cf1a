//! The program `syncmgr` as a host of folder pairs.

#![cfg(all(unix, feature = "host"))]

mod deleting;
mod ending;
mod hosting;
mod interrupted;
mod log;
mod reloading;
mod settings;
mod support;
mod web;
