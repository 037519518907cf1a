//! The write-ahead log: its length, and the space that it takes.

use std::path::Path;
use std::time::Duration;

use rusqlite::ffi::SQLITE_BUSY;
use rusqlite::{Connection, ErrorCode, ffi};

use super::location::{available_space, with_suffix};
use super::open::BUSY_TIMEOUT;
use super::queue::MAX_BATCH;

/// The length from which the log is truncated, in bytes. It is twice the length at which SQLite checkpoints, so that only
/// a large transaction or a long read by another program leads to it.
const MAX_LENGTH: u64 = 16 << 20;

/// Truncates the log of the store at `path` if it is too long. A log that another program is reading stays. Returns the
/// cost of the largest batch that has space.
pub(super) fn bound(path: &Path, connection: &Connection) -> usize {
    let length = with_suffix(path, "-wal").metadata().map_or(0, |log| log.len());
    let available = available_space(path);
    if !is_too_long(length, available) {
        return max_batch(available);
    }
    drop(truncate(connection));
    max_batch(available_space(path))
}

/// The file may grow by as much as the log has. On a full disk, the log could then not be truncated any more.
fn is_too_long(length: u64, available: u64) -> bool {
    length > MAX_LENGTH.min(available / 2)
}

/// Returns the cost of a batch that takes at most a quarter of the space, if each statement writes four pages of 4 KiB.
fn max_batch(available: u64) -> usize {
    usize::try_from(available >> 16).unwrap_or(usize::MAX).clamp(1, MAX_BATCH)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn a_log_that_took_its_space_and_a_batch_can_always_be_truncated() {
        for available in [MB, 3 * MB, 30 * MB, 3_000 * MB] {
            let longest = (0..=20 * MB).rev().step_by(4_096).find(|length| !is_too_long(*length, available)).unwrap();
            let batch = u64::try_from(max_batch(available)).unwrap() * 4 * 4_096;
            assert!(longest + batch <= available - batch, "{available}");
        }
    }

    #[test]
    fn the_log_and_a_batch_are_bounded_on_a_large_disk_too() {
        assert!(is_too_long(MAX_LENGTH + 1, u64::MAX) && !is_too_long(MAX_LENGTH, u64::MAX));
        assert_eq!((max_batch(u64::MAX), max_batch(0)), (MAX_BATCH, 1));
    }
}
