//! The source of file changes on real files. Each test waits for the events that it expects.

#![cfg(target_os = "linux")]

mod directories;
mod limits;
mod manager;
mod roots;
mod saves;
mod support;
