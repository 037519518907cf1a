//! The versions of the schema and the migrations between them.
//!
//! We do not use `rusqlite_migration`: it requires one release of rusqlite, but programs can choose among several.

use rusqlite::{Connection, TransactionBehavior};

use super::failpoints::Failpoints;

/// The application id in the file's header, which identifies our files: `synM` in ASCII.
pub(super) const APPLICATION: i32 = 0x7379_6e4d;

/// The migration from each version to the next; the first creates version 1. A released migration never changes.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// One query per table, which fails if the table or one of its columns is missing.
const TABLES: [&str; 13] = [
    "SELECT name, value FROM meta",
    "SELECT key, id, description, registered, flags, waiting FROM handlers",
    "SELECT handler, place, item, session, attempt, ended, outcome, last_attempt, last_success, setback, failures, total, since, \
     until, checkpoint, checkpoint_version, set_aside, set_aside_version, sides, absent_since FROM items \
     INDEXED BY items_set_back WHERE setback IS NOT NULL",
    "SELECT handler, item, checked FROM choices",
    "SELECT handler, item, name, checked FROM names",
    "SELECT handler, item, reason FROM disabled",
    "SELECT handler, schedule, fired, started FROM firings",
    "SELECT handler, item, kind, value FROM overrides",
    "SELECT handler, item, key, question, choice FROM answers",
    "SELECT entry, handler, manager, session, time, level, text, item, error, action FROM log",
    "SELECT name, setback, failures, total, since, until FROM resources",
    "SELECT session, manager, epoch, \"trigger\", began, ended, course, outcomes, runs FROM sessions",
    "SELECT name, counts, longest FROM histograms",
];

/// The kind of a file, according to its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An empty file.
    Empty,
    /// A store of this version.
    Store(u32),
    /// A file of another program.
    Foreign,
}

/// Reads the kind of a file.
pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i32>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let objects = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (application, version, objects) {
        (APPLICATION, version, _) => Kind::Store(version.cast_unsigned()),
        (0, 0, 0) => Kind::Empty,
        _ => Kind::Foreign,
    })
}

/// Returns the newest version that this program supports.
pub(super) fn latest_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Fails if a table or column is missing.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    TABLES.iter().try_for_each(|query| connection.prepare(query).map(drop))
}

/// Migrates a file from version `from` to the newest version in one transaction.
pub(super) fn migrate(
    connection: &mut Connection,
    from: u32,
    migrations: &[&str],
    failpoints: &Failpoints,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    for migration in migrations.iter().skip(done) {
        failpoints.at("before migration");
        transaction.execute_batch(migration)?;
        failpoints.at("after migration");
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", migrations.len().to_string())?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_database(steps: &[&str]) -> Connection {
        let mut connection = Connection::open_in_memory().expect("the database opens");
        migrate(&mut connection, 0, steps, &Failpoints::default()).expect("the migration succeeds");
        connection
    }

    #[test]
    fn a_new_store_has_every_table() {
        let connection = new_database(MIGRATIONS);
        assert_eq!(kind(&connection).expect("the read succeeds"), Kind::Store(latest_version()));
        check(&connection).expect("every table exists");
    }

    #[test]
    fn an_older_store_runs_only_the_missing_migrations() {
        let (first, second) = ("CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y");
        let mut connection = new_database(&[first]);
        migrate(&mut connection, 1, &[first, second], &Failpoints::default()).expect("the migration succeeds");
        assert_eq!(kind(&connection).expect("the read succeeds"), Kind::Store(2));
        connection.prepare("SELECT x, y FROM a").expect("the table has both columns");
    }

    #[test]
    fn a_failed_migration_leaves_the_store_at_its_version() {
        let first = "CREATE TABLE a (x)";
        let mut connection = new_database(&[first]);
        let steps = [first, "ALTER TABLE a ADD COLUMN y", "nonsense"];
        migrate(&mut connection, 1, &steps, &Failpoints::default()).expect_err("the last step is nonsense");
        assert_eq!(kind(&connection).expect("the read succeeds"), Kind::Store(1));
        connection.prepare("SELECT y FROM a").expect_err("the earlier step was rolled back");
    }

    #[test]
    fn the_database_of_another_program_differs_from_an_empty_one() {
        let connection = Connection::open_in_memory().expect("the database opens");
        assert_eq!(kind(&connection).expect("the read succeeds"), Kind::Empty);
        connection.execute_batch("CREATE TABLE a (x)").expect("the table is created");
        assert_eq!(kind(&connection).expect("the read succeeds"), Kind::Foreign);
    }
}
