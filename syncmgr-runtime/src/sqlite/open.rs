//! Opens the connections, for writing and for reading.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use syncmgr_core::store::Durability;

use super::error::StoreError;
use super::files::OpenFiles;
use super::location::with_suffix;
use super::options::SqliteOptions;
use super::reader::Open;
use super::schema::{self, Kind};
use super::wal;

/// The time to wait for another program's lock on opening and while writing.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The size of a connection's cache of prepared statements, larger than the number of statements.
const STATEMENT_CACHE: usize = 64;

/// The settings of all connections. The schema of the file is not trusted to run functions with side effects.
const COMMON_SETTINGS: &str = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;";

/// The settings of the writer: 8 MB of cache, a WAL checkpoint after 8 MB, and at most 8 MB of write-ahead log on disk.
/// Deleted data is overwritten, because forgotten data must not stay in the file.
const WRITER_SETTINGS: &str = "PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 8388608; \
                      PRAGMA secure_delete = ON;";

/// An open store, for its writer.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// The epoch of the writer.
    pub(super) epoch: i64,
    pub(super) files: OpenFiles,
}

/// Opens the writing connection of a prepared and locked file, upgrades its schema, and begins a new epoch.
pub(super) fn writer(path: &Path, options: &SqliteOptions) -> Result<Opened, StoreError> {
    let version = probe(path)?;
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::Access { path: path.into(), reason: "it cannot be written".to_string() });
    }
    use_write_ahead_log(path, &connection)?;
    prepare(&mut connection, version, options).map_err(failed)?;
    check(path, &connection)?;
    options.failpoints.at("before epoch taken");
    let epoch = take_epoch(&mut connection).map_err(failed)?;
    options.failpoints.at("epoch taken");
    Ok(Opened { connection, epoch, files: OpenFiles::of(path)? })
}

/// Begins a new epoch. Committed explicitly, because an error of an implicit commit would not be reported.
fn take_epoch(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE meta SET value = value + 1 WHERE name = 'epoch'", [])?;
    transaction.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('last_write', 0)", [])?;
    let epoch = transaction.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(epoch)
}

/// Returns the version of the file, 0 if it is empty. Foreign and newer files are refused before anything changes them.
fn probe(path: &Path) -> Result<u32, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    // A process that was killed while it created the file leaves a hot journal. SQLite rolls it back first, which needs
    // write access.
    let hot = with_suffix(path, "-journal").metadata().is_ok_and(|journal| journal.len() > 0);
    let mode = if hot { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let connection = connect(path, mode).map_err(failed)?;
    version(path, &connection)
}

fn version(path: &Path, connection: &Connection) -> Result<u32, StoreError> {
    let (path, known) = (path.to_path_buf(), schema::latest_version());
    match schema::kind(connection).map_err(|error| StoreError::of(&path, &error))? {
        Kind::Empty => Ok(0),
        Kind::Foreign => Err(StoreError::NotAStore { path }),
        Kind::Store(found) if found > known => Err(StoreError::TooNew { path, found, known }),
        Kind::Store(found) => Ok(found),
    }
}

/// Turns the write-ahead log on. SQLite reports no error if it cannot.
fn use_write_ahead_log(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    match mode.map_err(|error| StoreError::of(path, &error))?.as_str() {
        "wal" => Ok(()),
        mode => {
            let reason = format!("a write-ahead log is not possible on this file system, only the journal mode {mode}");
            Err(StoreError::Failed { path: path.into(), reason })
        }
    }
}

/// Configures the connection and upgrades the schema.
fn prepare(connection: &mut Connection, version: u32, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    let synchronous = if options.durability == Durability::Power { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(WRITER_SETTINGS)?;
    // A log that fills the disk would prevent every write. On failure, the next write reports the error.
    drop(wal::truncate(connection));
    if let Some(pages) = options.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    if version < schema::latest_version() {
        options.failpoints.at("before schema made");
        schema::migrate(connection, version, schema::MIGRATIONS, &options.failpoints)?;
        options.failpoints.at("schema made");
    }
    Ok(())
}

/// Refuses a schema that does not match its version.
fn check(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    schema::check(connection).map_err(|error| match StoreError::of(path, &error) {
        StoreError::Failed { path, reason } => StoreError::Corrupt { path, reason },
        error => error,
    })
}

/// Opens the reading connection of a store with a writer.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        // The first read takes a lock on the file, which the connection keeps. A later read waits for no lock, and must
        // not, because its caller may block a thread that other tasks need.
        schema::kind(&connection)?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    });
    connection.map_err(|error| StoreError::of(path, &error))
}

/// Opens the connection of a read-only store. Also returns the function that opens another one in the same mode.
pub(super) fn read_only(path: &Path) -> Result<(Connection, Open), StoreError> {
    let shared = read_only_shared(path).map(|connection| (connection, read_only_shared as Open));
    let (connection, again) = shared.or_else(|error| match error {
        StoreError::Access { .. } if may_be_immutable(path) => {
            Ok((read_only_immutable(path)?, read_only_immutable as Open))
        }
        error => Err(error),
    })?;
    match version(path, &connection)? {
        found if found < schema::latest_version() => {
            Err(StoreError::TooOld { path: path.into(), found, known: schema::latest_version() })
        }
        _ => check(path, &connection).map(|()| (connection, again)),
    }
}

fn read_only_shared(path: &Path) -> Result<Connection, StoreError> {
    let connection = reader(path)?;
    version(path, &connection).map(|_| connection)
}

/// Returns `true` if the file is not in use, and has a path that fits into a URI.
fn may_be_immutable(path: &Path) -> bool {
    path.to_str().is_some() && !with_suffix(path, "-wal").metadata().is_ok_and(|log| log.len() > 0)
}

/// Opens a store in a directory that SQLite cannot write to. The file must not be in use.
fn read_only_immutable(path: &Path) -> Result<Connection, StoreError> {
    let uri = format!("file:{}?immutable=1", escape_for_uri(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).and_then(set_up);
    connection.map_err(|error| StoreError::of(path, &error))
}

/// Escapes a path for a URI.
fn escape_for_uri(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags).and_then(set_up)
}

fn set_up(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.execute_batch(COMMON_SETTINGS)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_with_a_meaning_in_uris_are_escaped() {
        assert_eq!(escape_for_uri(Path::new("/a?b#c%d")), "/a%3fb%23c%25d");
    }
}
