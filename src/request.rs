//! Requests for runs, and the events that start a handler.
//!
//! A [`RunRequest`] can be queued, stored and sent; [`SyncManager::start`] starts it. [`RegisterFlags`] select the events that
//! also start a handler.
//!
//! ```
//! use syncmgr::prelude::*;
//! use syncmgr::request::RunRequest;
//! use syncmgr::serde_json;
//!
//! let mail: HandlerId = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93".parse()?;
//! let message = serde_json::to_string(&RunRequest::new(mail).with_items([ItemId::from_name("Inbox")]))?;
//! // .. in another process or on another machine
//! let request: RunRequest = serde_json::from_str(&message)?;
//! request.check()?;
//! assert_eq!(request.handler, mail);
//! # SyncResult::Ok(())
//! ```
//!
//! [`SyncManager::start`]: crate::SyncManager::start

#[doc(inline)]
pub use syncmgr_core::{
    decision::host::Priority,
    id::IdError,
    register::{Invocation, InvokeFlags, RegisterFlags, Registration, RequestError},
    request::{RunRequest, RunRequestError},
    trigger::RunFlags,
};
