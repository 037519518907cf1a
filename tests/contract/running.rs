//! A run over its items: prepare, synchronize, progress, and how each ends.

mod callback;
mod endings;
mod exclude;
mod keeping;
mod life;
mod powers;
mod prepare;
mod prepare_pair;
mod prepare_user;
mod synchronize;
mod synchronize_pair;
mod threads;
mod verdicts;
