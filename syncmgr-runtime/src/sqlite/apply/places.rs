//! The places of records in the table of items.

use std::collections::HashMap;

use rusqlite::Connection;

use super::ApplyResult;

const LAST: &str = "SELECT ifnull(max(place), 0) FROM items NOT INDEXED WHERE handler = ?1";

/// The last value of `items.place` of each handler, by key.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<i64, i64>);

impl Places {
    /// Returns the place of a record that the next statement may insert. If the statement inserts no record, the place stays
    /// unused.
    ///
    /// The statement has no subquery for the place: SQLite would prepare the statement again each time, because its query plan
    /// would depend on a bound parameter.
    pub(super) fn next(&mut self, connection: &Connection, handler: i64) -> ApplyResult<i64> {
        let last = match self.0.get(&handler) {
            Some(last) => *last,
            None => connection.prepare_cached(LAST)?.query_row([handler], |row| row.get(0))?,
        };
        self.0.insert(handler, last + 1);
        Ok(last + 1)
    }
}
