//! What a run is about: who is registered, created and asked, what is listed, and what of it is chosen.

pub(crate) mod choice;
mod info;
mod initialize;
mod invoke;
mod items;
mod properties;
mod register;
mod relisting;
