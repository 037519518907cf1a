#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_os = "linux", feature = "files"))]
mod files;

#[cfg(all(target_os = "linux", feature = "files"))]
pub use files::FileChanges;
