//! Writes the ends of items.

use std::time::SystemTime;

use rusqlite::{CachedStatement, Connection, params};
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::ItemId;
use syncmgr_core::record::{Fence, ItemEnd};

use super::ApplyResult;
use super::item::retry_columns;
use crate::sqlite::encode::{EnumName, Json, Time};

const UPSERT: &str = "INSERT INTO items (handler, place, item, session, attempt, ended, outcome, last_attempt, last_success,
        setback, failures, total, since, until, sides)
    VALUES (?1, ?14, ?2, ?3, ?4, ?3, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT (handler, item) DO UPDATE SET session = excluded.session, attempt = excluded.attempt, ended = excluded.ended,
        outcome = excluded.outcome, last_attempt = excluded.last_attempt,
        last_success = ifnull(excluded.last_success, last_success), setback = excluded.setback,
        failures = excluded.failures, total = excluded.total, since = excluded.since, until = excluded.until,
        sides = ifnull(excluded.sides, sides), absent_since = NULL
    WHERE (excluded.session, excluded.attempt) >= (items.session, items.attempt)";

/// A success of an item whose record is in no partial index. It takes two thirds of the time, because SQLite checks no index.
const UPDATE: &str = "UPDATE items SET session = ?3, attempt = ?4, ended = ?3, outcome = 'succeeded',
        last_attempt = ?5, last_success = ?5
    WHERE handler = ?1 AND item = ?2 AND setback IS NULL AND absent_since IS NULL AND (?3, ?4) >= (session, attempt)";

/// The number of misses after which no more updates are tried: the items are probably new.
const MAX_MISSES: u32 = 8;

/// Writes ends of items of one attempt, which ended at the same time.
pub(super) struct Ends<'c> {
    handler: i64,
    fence: Fence,
    time: SystemTime,
    upsert: CachedStatement<'c>,
    update: CachedStatement<'c>,
    /// The number of items in a row for which `update` changed no record.
    misses: u32,
}

impl<'c> Ends<'c> {
    pub(super) fn new(connection: &'c Connection, handler: i64, fence: Fence, time: SystemTime) -> ApplyResult<Self> {
        let (upsert, update) = (connection.prepare_cached(UPSERT)?, connection.prepare_cached(UPDATE)?);
        Ok(Self { handler, fence, time, upsert, update, misses: 0 })
    }

    /// Writes the end of an item with a plain record that succeeded. Returns `false` if the record has to be written by
    /// [`Self::upsert`].
    pub(super) fn update(&mut self, item: ItemId, end: &ItemEnd) -> ApplyResult<bool> {
        let is_plain = end.outcome == Outcome::Succeeded && end.retry.is_none() && end.sides.is_none();
        if !is_plain || self.misses > MAX_MISSES {
            return Ok(false);
        }
        let Fence { session, attempt, .. } = self.fence;
        let updated = self.update.execute(params![self.handler, item.guid(), session.0, attempt, Time(self.time)])? > 0;
        self.misses = if updated { 0 } else { self.misses + 1 };
        Ok(updated)
    }

    /// Writes the end of an item, whose record gets this place if it is new. Returns `false` if a later attempt has written.
    pub(super) fn upsert(&mut self, item: ItemId, end: &ItemEnd, place: i64) -> ApplyResult<bool> {
        let retry = end.retry.as_ref();
        let (setback, since, until) = retry_columns(retry);
        let stored = self.upsert.execute(params![
            self.handler,
            item.guid(),
            self.fence.session.0,
            self.fence.attempt,
            EnumName(end.outcome),
            Time(self.time),
            (end.outcome == Outcome::Succeeded).then_some(Time(self.time)),
            setback,
            retry.map(|retry| retry.failures),
            retry.map(|retry| retry.total),
            since,
            until,
            end.sides.as_ref().map(Json),
            place
        ])?;
        Ok(stored > 0)
    }
}
