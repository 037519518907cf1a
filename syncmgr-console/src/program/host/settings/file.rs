//! The settings file as it is written.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) state: Option<PathBuf>,
    pub(super) socket: Option<PathBuf>,
    pub(super) page: Option<u16>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) folder: Vec<Folder>,
}

/// The table `limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) jobs: Option<NonZeroUsize>,
}

/// A table `folder`. Texts with a meaning are parsed later, so that a file's mistakes in them are reported together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    pub(super) name: Spanned<String>,
    pub(super) from: Spanned<PathBuf>,
    pub(super) to: Spanned<PathBuf>,
    pub(super) direction: Option<Spanned<String>>,
    pub(super) delete: Option<Spanned<String>>,
    pub(super) conflicts: Option<Spanned<String>>,
    #[serde(rename = "keep-replaced")]
    pub(super) keep_replaced: Option<Spanned<u32>>,
    #[serde(rename = "ignore-file")]
    pub(super) ignore_file: Option<Spanned<PathBuf>>,
    pub(super) schedule: Option<Spanned<String>>,
    pub(super) window: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) requires: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) watch: bool,
    pub(super) importance: Option<Spanned<String>>,
}
