//! The start of a run: registration, creation of handlers, listing and the choice of items.

pub(crate) mod choice;
mod info;
mod initialize;
mod invoke;
mod items;
mod kept_listing;
mod properties;
mod register;
mod relisting;
mod unanswered;
