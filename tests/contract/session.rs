//! Sessions and the manager: beside each other, merged, paused, watched, and over.

mod closing;
mod described;
mod embedding;
mod events;
mod merge;
mod merge_terms;
mod pause;
mod pause_end;
mod races;
mod sessions;
mod shutdown;
