//! The fields of a progress report, and the progress state that observers receive.
//!
//! For programs that display progress: [`SessionEvent::Progress`] and [`Session::progress`] provide a [`ProgressState`]. Handlers
//! need only `item.progress(done, total)`; those that count bytes say so once with a [`ProgressUnit`].
//!
//! [`Session::progress`]: crate::Session::progress
//! [`SessionEvent::Progress`]: crate::SessionEvent::Progress

#[doc(inline)]
pub use syncmgr_core::{
    progress::{ProgressMask, ProgressState, ProgressUnit},
    status::Status,
};
