//! Sessions and the manager: concurrency, merging, pausing, events and shutdown.

mod closing;
mod crosswise;
mod described;
mod embedding;
mod events;
mod manager_events;
mod merge;
mod merge_terms;
mod nested;
mod pause;
mod pause_end;
mod races;
mod sessions;
mod shutdown;
mod unsuccessful;
