//! The original contract of the Windows Synchronization Manager: callbacks, result codes, calls and completions.
//!
//! Async handlers do not need this module. [`ClassicAdapter`] runs a callback-style handler in a manager, [`CallbackAdapter`]
//! exposes an async handler to a foreign host such as a COM bridge, and [`contract`] documents every rule and its source.
//!
//! ```
//! use std::sync::Arc;
//! use syncmgr::classic::{CallbackAdapter, HResult};
//! use syncmgr::prelude::*;
//! use syncmgr::request::RunFlags;
//! # struct Mail;
//! # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
//! # impl SyncHandler for Mail {
//! #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> SyncResult {
//! let adapter = CallbackAdapter::new(Arc::new(Mail))?;
//! let code = adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
//! assert_eq!(code, HResult::S_OK); // the handler participates
//! # Ok(())
//! # }
//! ```

#[doc(inline)]
pub use syncmgr_core::{
    classic::{Attention, ClassicHandler, SyncCallback},
    contract,
    decision::call::Misuse,
    hresult::{CodeError, HResult, UnknownCode},
    log::{ErrorFlags, LogErrorInfo, LogErrorMask},
    win32,
};
#[doc(inline)]
pub use syncmgr_runtime::mapping::{CallbackAdapter, ClassicAdapter};
