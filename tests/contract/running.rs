//! The phases of a run: prepare and synchronize, progress, outcomes.

mod callback;
mod callback_lifetime;
mod context_methods;
mod endings;
mod exclude;
mod item_outcomes;
mod kept_values;
mod prepare;
mod prepare_pair;
mod prepare_user;
mod synchronize;
mod synchronize_pair;
mod threads;
