#!/usr/bin/env bash
# rusqlite 0.43.0 (SQLite bundled with libsqlite3-sys): `query_row` of an `INSERT .. RETURNING` returns the row and `Ok`, although
# the statement fails and nothing is stored.
#
# Outside a transaction, such a statement commits only when it is stepped to its end, after its rows. `query_row` takes the first
# row and resets the statement; the reset reports the failed commit, and its result is discarded. Everything that a commit can
# report is lost this way: a deferred constraint, as here, or a full disk. `query_one` (which looks for a second row), and
# `query_row` inside a transaction with a checked `commit`, report the error.
#
# Output seen:
#   query_row: Ok(1), rows stored: 0
#   query_one: FOREIGN KEY constraint failed, rows stored: 0
#   query_row in a transaction: Ok(1), commit: FOREIGN KEY constraint failed, rows stored: 0
#
# Needs Rust stable and a C compiler. Fails if the behaviour changes.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cd "$folder" && mkdir src
cat > Cargo.toml <<'MANIFEST'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[workspace]
[dependencies]
rusqlite = { version = "=0.43.0", features = ["bundled"] }
MANIFEST
cat > src/main.rs <<'PROGRAM'
use rusqlite::Connection;

const INSERT: &str = "INSERT INTO child (parent) VALUES (7) RETURNING id";

/// Opens a database in which the insertion of a child without a parent fails at its commit.
fn open() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    let tables = "PRAGMA foreign_keys = ON;
         CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);";
    database.execute_batch(tables).unwrap();
    database
}

fn rows(database: &Connection) -> i64 {
    database.query_row("SELECT count(*) FROM child", [], |row| row.get(0)).unwrap()
}

fn main() {
    let database = open();
    let row = database.query_row(INSERT, [], |row| row.get::<_, i64>(0));
    println!("query_row: {row:?}, rows stored: {}", rows(&database));

    let database = open();
    let row = database.query_one(INSERT, [], |row| row.get::<_, i64>(0));
    println!("query_one: {}, rows stored: {}", row.unwrap_err(), rows(&database));

    let mut database = open();
    let transaction = database.transaction().unwrap();
    let row = transaction.query_row(INSERT, [], |row| row.get::<_, i64>(0));
    let commit = transaction.commit().unwrap_err();
    println!("query_row in a transaction: {row:?}, commit: {commit}, rows stored: {}", rows(&database));
}
PROGRAM
output=$(cargo run --quiet)
echo "$output"
diff <(echo "$output") - <<'SEEN'
query_row: Ok(1), rows stored: 0
query_one: FOREIGN KEY constraint failed, rows stored: 0
query_row in a transaction: Ok(1), commit: FOREIGN KEY constraint failed, rows stored: 0
SEEN
