//! The choice of items to run.
//!
//! Without a [`Chooser`], the stored choices and the defaults of the items apply. A program that shows the user a list of items
//! implements a chooser. The host calls the chooser in sessions that may ask the user, and stores its choices.

#[doc(inline)]
pub use syncmgr_core::decision::choice::{Offer, OfferedItem, Visibility};
#[doc(inline)]
pub use syncmgr_runtime::chooser::{Chooser, Chosen};
