//! Writes records of items and resources, and deletes consumed answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::params;
use syncmgr_core::claim::Claim;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::log::Question;
use syncmgr_core::plan::Side;
use syncmgr_core::record::{Checkpoint, Fence, ItemEnd};
use syncmgr_core::retry::{RetryState, RetryStatus};
use syncmgr_core::store::{StaleWriter, StateChange};

use super::ends::Ends;
use super::{Applier, ApplyError, ApplyResult, unknown_change};
use crate::sqlite::encode::{EnumName, Json, Time};

const COMMIT: &str = "INSERT INTO items (handler, place, item, session, attempt, checkpoint, checkpoint_version, sides)
    VALUES (?1, ?8, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (handler, item) DO UPDATE SET session = excluded.session, attempt = excluded.attempt,
        checkpoint = excluded.checkpoint, checkpoint_version = excluded.checkpoint_version, sides = ifnull(excluded.sides, sides)
    WHERE (excluded.session, excluded.attempt) >= (items.session, items.attempt)";
const LATEST: &str = "SELECT session, attempt FROM items WHERE handler = ?1 AND item = ?2";
const RETRY: &str = "INSERT INTO items (handler, place, item, session, attempt, setback, failures, total, since, until)
    VALUES (?1, ?8, ?2, 0, 0, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (handler, item) DO UPDATE SET setback = excluded.setback, failures = excluded.failures,
        total = excluded.total, since = excluded.since, until = excluded.until";
const NO_RETRY: &str = "UPDATE items SET setback = NULL, failures = NULL, total = NULL, since = NULL, until = NULL
    WHERE handler = ?1 AND item = ?2";
const RESET: &str = "UPDATE items SET set_aside = ifnull(checkpoint, set_aside),
        set_aside_version = iif(checkpoint IS NULL, set_aside_version, checkpoint_version),
        checkpoint = NULL, checkpoint_version = NULL,
        setback = NULL, failures = NULL, total = NULL, since = NULL, until = NULL
    WHERE handler = ?1 AND item = ?2";
const ABSENT: &str = "INSERT INTO items (handler, place, item, session, attempt, absent_since)
    VALUES (?1, ?4, ?2, 0, 0, ?3)
    ON CONFLICT (handler, item) DO UPDATE SET absent_since = excluded.absent_since";
const PRESENT: &str = "UPDATE items SET absent_since = NULL WHERE handler = ?1 AND item = ?2";
const RESOURCE: &str = "INSERT OR REPLACE INTO resources (name, setback, failures, total, since, until)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const NO_RESOURCE: &str = "DELETE FROM resources WHERE name = ?1";
const ANSWER: &str =
    "INSERT OR REPLACE INTO answers (handler, item, key, question, choice) VALUES (?1, ?2, ?3, ?4, ?5)";
const CONSUME: &str = "DELETE FROM answers WHERE handler = ?1 AND item = ?2 AND key = ?3";

/// The key of an item in the tables.
#[derive(Clone, Copy)]
struct ItemKey {
    handler: i64,
    item: ItemId,
}

impl Applier {
    pub(super) fn change_item(&mut self, change: &StateChange) -> ApplyResult {
        match change {
            StateChange::Committed { handler, item, fence, checkpoint, sides, consumed } => {
                self.count_session(fence.session)?;
                let target = ItemKey { handler: self.key(*handler)?, item: *item };
                self.commit(target, *fence, checkpoint, sides.as_ref())?;
                self.consume(target, consumed)
            }
            StateChange::Ended { handler, fence, time, items } => {
                self.count_session(fence.session)?;
                self.end(*handler, *fence, *time, items)
            }
            StateChange::Retry { handler, item, retry } => self.set_retry(*handler, *item, *retry),
            StateChange::Resource { claim, retry } => self.set_resource(claim, *retry),
            StateChange::Absent { handler, items } => self.set_absent(*handler, items),
            StateChange::Reset { handler, item } => self.reset(*handler, *item),
            StateChange::Answered { handler, item, question, choice } => {
                self.answer(*handler, *item, question, *choice)
            }
            _ => Err(unknown_change()),
        }
    }

    fn reset(&mut self, handler: HandlerId, item: ItemId) -> ApplyResult {
        let Some(key) = self.stored_key(handler)? else { return Ok(()) };
        self.run(RESET, params![key, item.guid()]).map(drop)
    }

    fn answer(&mut self, handler: HandlerId, item: ItemId, question: &Question, choice: usize) -> ApplyResult {
        let key = self.key(handler)?;
        self.run(ANSWER, params![key, item.guid(), question.key, Json(question), choice]).map(drop)
    }

    fn commit(
        &mut self,
        target: ItemKey,
        fence: Fence,
        checkpoint: &Checkpoint,
        sides: Option<&Vec<Side>>,
    ) -> ApplyResult {
        let (item, session) = (target.item.guid(), fence.session.0);
        let (attempt, Checkpoint { state, version, .. }, sides) = (fence.attempt, checkpoint, sides.map(Json));
        let next_place = self.places.next(&self.opened.connection, target.handler)?;
        let stored =
            self.run(COMMIT, params![target.handler, item, session, attempt, state, version, sides, next_place])?;
        if stored > 0 { Ok(()) } else { Err(self.stale_writer(target, fence)?) }
    }

    /// Returns the error for a write that follows the write of a later attempt.
    fn stale_writer(&self, target: ItemKey, writer: Fence) -> ApplyResult<ApplyError> {
        let latest = self
            .connection()
            .prepare_cached(LATEST)?
            .query_row(params![target.handler, target.item.guid()], |row| {
                Ok(Fence::new(SessionId(row.get(0)?), row.get(1)?))
            })?;
        Ok(ApplyError::Refused(StaleWriter::new(target.item, writer, latest).into()))
    }

    fn end(&mut self, handler: HandlerId, fence: Fence, time: SystemTime, items: &[(ItemId, ItemEnd)]) -> ApplyResult {
        let handler = self.key(handler)?;
        let connection = &self.opened.connection;
        let mut ends = Ends::new(connection, handler, fence, time)?;
        for (item, end) in items {
            if ends.update(*item, end)? || ends.upsert(*item, end, self.places.next(connection, handler)?)? {
                self.consume(ItemKey { handler, item: *item }, &end.consumed)?;
            }
        }
        Ok(())
    }

    fn consume(&self, target: ItemKey, keys: &[Arc<str>]) -> ApplyResult {
        for key in keys {
            self.failpoints.at("before answer consumed");
            self.run(CONSUME, params![target.handler, target.item.guid(), key])?;
            self.failpoints.at("after answer consumed");
        }
        Ok(())
    }

    fn set_retry(&mut self, handler: HandlerId, item: ItemId, retry: Option<RetryState>) -> ApplyResult {
        let item = item.guid();
        let Some(retry) = retry else {
            let Some(key) = self.stored_key(handler)? else { return Ok(()) };
            return self.run(NO_RETRY, params![key, item]).map(drop);
        };
        let (key, (setback, since, until)) = (self.key(handler)?, retry_columns(Some(&retry)));
        let next_place = self.places.next(&self.opened.connection, key)?;
        self.run(RETRY, params![key, item, setback, retry.failures, retry.total, since, until, next_place]).map(drop)
    }

    fn set_resource(&self, claim: &Claim, retry: Option<RetryState>) -> ApplyResult {
        let Some(retry) = retry else { return self.run(NO_RESOURCE, [claim.name()]).map(drop) };
        let (setback, since, until) = retry_columns(Some(&retry));
        self.run(RESOURCE, params![claim.name(), setback, retry.failures, retry.total, since, until]).map(drop)
    }

    fn set_absent(&mut self, handler: HandlerId, items: &BTreeMap<ItemId, Option<SystemTime>>) -> ApplyResult {
        for (item, since) in items {
            let item = item.guid();
            if let Some(since) = since {
                let key = self.key(handler)?;
                let next_place = self.places.next(&self.opened.connection, key)?;
                self.run(ABSENT, params![key, item, Time(*since), next_place])?;
            } else if let Some(key) = self.stored_key(handler)? {
                self.run(PRESENT, params![key, item])?;
            }
        }
        Ok(())
    }
}

/// The columns `setback`, `since` and `until`.
pub(super) fn retry_columns(retry: Option<&RetryState>) -> (Option<EnumName<RetryStatus>>, Option<Time>, Option<Time>) {
    let (setback, since) = (retry.map(|retry| EnumName(retry.status)), retry.map(|retry| Time(retry.since)));
    (setback, since, retry.and_then(|retry| retry.until).map(Time))
}
