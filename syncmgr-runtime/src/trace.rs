//! What goes to `tracing`: ids at every level, names and texts only where they are asked for.

use syncmgr_core::info::HandlerInfo;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::text::Escaped;

/// An entry of the error log.
pub(crate) fn entry(info: &HandlerInfo, entry: &LogEntry) {
    let (handler, item) = (info.id(), entry.item.map(tracing::field::display));
    tracing::debug!(%handler, text = %Escaped(&entry.text), "log");
    match entry.level {
        LogLevel::Information => tracing::info!(%handler, item, "log"),
        LogLevel::Warning => tracing::warn!(%handler, item, "log"),
        LogLevel::Error => tracing::error!(%handler, item, "log"),
    }
}
