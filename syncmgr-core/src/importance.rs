//! The importance of handlers and items.

use serde::{Deserialize, Serialize};

/// The importance of a handler or an item.
///
/// It orders automatic work. Among automatic runs of equal priority, those of more important handlers get free workers first;
/// a less important run is overtaken only a limited number of times. Within an automatic run, more important items begin
/// first. So the time before the machine or the network goes down is used for the most important work. Work that is
/// requested comes before automatic work of any importance.
///
/// ```
/// # use syncmgr_core::importance::Importance;
/// assert!(Importance::High > Importance::Normal && Importance::Normal > Importance::Low);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Importance {
    /// Work that can wait, such as a backup that runs every day.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Work that the user would miss, such as unsent mail.
    High,
}
