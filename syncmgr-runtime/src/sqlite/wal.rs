//! The write-ahead log: its length, and the space that it takes.

use std::path::Path;
use std::time::Duration;

use rusqlite::ffi::SQLITE_BUSY;
use rusqlite::{Connection, ErrorCode, ffi};

use super::location::with_suffix;
use super::open::BUSY_TIMEOUT;

/// The length from which the log is truncated, in bytes. It is twice the length at which SQLite checkpoints, so that only
/// a large transaction or a long read by another program leads to it.
const MAX_LENGTH: u64 = 16 << 20;

/// Truncates the log of the store at `path` if it is too long. A log that another program is reading stays.
pub(super) fn bound(path: &Path, connection: &Connection) {
    let length = with_suffix(path, "-wal").metadata().map_or(0, |log| log.len());
    if length > MAX_LENGTH {
        drop(truncate(connection));
    }
}

/// After a write failed, returns `true` if there may be space for it now, because the log was truncated.
pub(super) fn make_space(connection: &Connection, error: &rusqlite::Error) -> bool {
    let without_space = matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure));
    without_space && truncate(connection).is_ok()
}

/// Moves the content of the log into the file and truncates the log. Does not wait for readers.
pub(super) fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match blocked? {
        true => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(SQLITE_BUSY), None)),
        false => Ok(()),
    }
}
