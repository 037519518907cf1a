//! Flags and capabilities of a handler, and the return types of its optional methods.
//!
//! Handlers that implement only `items` and `synchronize_item` do not need this module. Flags and capabilities are declared in
//! [`#[sync_handler]`](crate::sync_handler); `show_properties` returns a [`PropertiesOutcome`], `show_error` a [`Resolution`].

#[doc(inline)]
pub use syncmgr_core::{
    capabilities::Capabilities,
    handler::{PropertiesOutcome, Resolution},
    importance::Importance,
    info::{HandlerFlags, StallPolicy},
    requirements::{ConditionPolicy, Requirement, Requirements, UnknownRequirement},
};
