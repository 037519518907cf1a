//! Opening the file, for writing and for reading.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use syncmgr_core::store::Durability;

use super::error::StoreError;
use super::options::SqliteOptions;
use super::place::beside;
use super::schema::{self, Kind};

/// How long somebody else may keep the file locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for whoever reads.
const READING: Duration = Duration::from_millis(100);

/// Statements kept prepared by each connection: more than there are.
const STATEMENTS: usize = 64;

/// What both connections are set to. Nothing in the file is trusted to run functions with side effects.
const BOTH: &str = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;";

/// What the writer is set to: 8 MB of cache, a checkpoint after 8 MB, and no larger log kept on disk. What is deleted is
/// overwritten, because what is forgotten must be gone.
const WRITER: &str = "PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 8388608; \
                      PRAGMA secure_delete = ON;";

/// The writing connection of a file that is prepared and locked, its schema the newest, and the epoch this writer has
/// taken.
pub(super) fn writer(path: &Path, options: &SqliteOptions) -> Result<(Connection, i64), StoreError> {
    let version = probe(path)?;
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::Access { path: path.into(), reason: "it cannot be written".to_string() });
    }
    prepare(&mut connection, version, options).map_err(failed)?;
    check(path, &connection)?;
    options.seams.at("before epoch taken");
    let epoch = connection.query_row(NEXT_EPOCH, [], |row| row.get(0)).map_err(failed)?;
    options.seams.at("epoch taken");
    Ok((connection, epoch))
}

const NEXT_EPOCH: &str = "UPDATE meta SET value = value + 1 WHERE name = 'epoch' RETURNING value";

/// The version of the file; 0 while there is nothing in it. What is not ours or too new is refused before anything
/// touches it.
fn probe(path: &Path) -> Result<u32, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    // What a process left behind that was killed while it made the file is rolled back first, which takes writing.
    let hot = beside(path, "-journal").metadata().is_ok_and(|journal| journal.len() > 0);
    let mode = if hot { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let connection = connect(path, mode).map_err(failed)?;
    version(path, &connection)
}

fn version(path: &Path, connection: &Connection) -> Result<u32, StoreError> {
    let (path, known) = (path.to_path_buf(), schema::newest());
    match schema::kind(connection).map_err(|error| StoreError::of(&path, &error))? {
        Kind::Empty => Ok(0),
        Kind::Foreign => Err(StoreError::NotOurs { path }),
        Kind::Store(found) if found > known => Err(StoreError::TooNew { path, found, known }),
        Kind::Store(found) => Ok(found),
    }
}

/// Sets the connection up and brings the schema up to date.
fn prepare(connection: &mut Connection, version: u32, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let synchronous = if options.durability == Durability::Power { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(WRITER)?;
    if let Some(pages) = options.most_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    if version < schema::newest() {
        options.seams.at("before schema made");
        schema::migrate(connection, version, schema::MIGRATIONS, &options.seams)?;
        options.seams.at("schema made");
    }
    Ok(())
}

/// Refuses a schema that is not what its version says.
fn check(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    schema::check(connection).map_err(|error| match StoreError::of(path, &error) {
        StoreError::Failed { path, reason } => StoreError::Corrupt { path, reason },
        error => error,
    })
}

/// The reading connection beside a writer.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        // Whoever reads may stand on a thread that others need.
        connection.busy_timeout(READING)?;
        Ok(connection)
    });
    connection.map_err(|error| StoreError::of(path, &error))
}

/// A reading connection without a writer of ours.
pub(super) fn look(path: &Path) -> Result<Connection, StoreError> {
    let connection = look_live(path).or_else(|error| match error {
        StoreError::Access { .. } => look_frozen(path).unwrap_or(Err(error)),
        error => Err(error),
    })?;
    match version(path, &connection)? {
        found if found < schema::newest() => {
            Err(StoreError::TooOld { path: path.into(), found, known: schema::newest() })
        }
        _ => check(path, &connection).map(|()| connection),
    }
}

fn look_live(path: &Path) -> Result<Connection, StoreError> {
    let connection = reader(path)?;
    version(path, &connection).map(|_| connection)
}

/// Where SQLite may make no files beside it, a store that nobody has open is read as it stands.
fn look_frozen(path: &Path) -> Option<Result<Connection, StoreError>> {
    if beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return None;
    }
    let uri = format!("file:{}?immutable=1", escaped(path)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).and_then(set_up);
    Some(connection.map_err(|error| StoreError::of(path, &error)))
}

/// The path as part of a URI.
fn escaped(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    Some(path.replace('%', "%25").replace('?', "%3f").replace('#', "%23"))
}

fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags).and_then(set_up)
}

fn set_up(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(BOTH)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_in_a_uri_are_escaped() {
        assert_eq!(escaped(Path::new("/a?b#c%d")).as_deref(), Some("/a%3fb%23c%25d"));
    }
}
