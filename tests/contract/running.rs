//! A run over its items: prepare, synchronize, progress and outcomes.

mod callback;
mod callback_lifetime;
mod context_methods;
mod endings;
mod exclude;
mod item_outcomes;
mod keeping;
mod prepare;
mod prepare_pair;
mod prepare_user;
mod synchronize;
mod synchronize_pair;
mod threads;
