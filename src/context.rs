//! Types that contexts return, and a test context.
//!
//! [`TestContext`] calls the methods of a handler from a unit test, without a runtime.
//!
//! ```
//! use syncmgr::context::TestContext;
//! use syncmgr::prelude::*;
//!
//! let host = TestContext::new();
//! let item = host.item("notes.txt");
//! assert_eq!(item.decide("side", "Which side is right?", &["here", "there"]), None);
//! host.answer(&item, "side", 1);
//! assert_eq!(item.decide("side", "Which side is right?", &["here", "there"]), Some("there"));
//! ```

#[doc(inline)]
pub use syncmgr_core::{
    cell::Uninterrupted,
    context::{Origin, Spawned, TestContext},
    port::ReportError,
};
