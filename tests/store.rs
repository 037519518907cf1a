//! Tests of the guarantees of every store, in memory and in an SQLite file, and of the file's additional guarantees.
//!
//! A case of the shared suite is a function that takes a `&dyn StateStore`; `cases!` generates one test per store.

#[path = "store/common.rs"]
#[macro_use]
mod common;

#[path = "store/answers.rs"]
mod answers;
#[path = "store/fences.rs"]
mod fences;
#[path = "store/forget.rs"]
mod forget;
#[path = "store/handlers.rs"]
mod handlers;
#[path = "store/log.rs"]
mod log;
#[path = "store/records.rs"]
mod records;
#[path = "store/sessions.rs"]
mod sessions;
#[path = "store/whole.rs"]
mod whole;

#[cfg(feature = "sqlite")]
#[path = "store/damage.rs"]
mod damage;
#[cfg(feature = "sqlite")]
#[path = "store/file.rs"]
mod file;
#[cfg(all(feature = "sqlite", unix))]
#[path = "store/guarded.rs"]
mod guarded;
#[cfg(feature = "sqlite")]
#[path = "store/queued.rs"]
mod queued;
#[cfg(feature = "sqlite")]
#[path = "store/read_only.rs"]
mod read_only;
#[cfg(all(feature = "sqlite", unix))]
#[path = "store/replaced.rs"]
mod replaced;
#[cfg(all(feature = "sqlite", unix))]
#[path = "store/small_disk.rs"]
mod small_disk;
#[cfg(feature = "sqlite")]
#[path = "store/steps.rs"]
mod steps;
