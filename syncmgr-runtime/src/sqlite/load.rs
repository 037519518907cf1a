//! Loads committed data into memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};
use syncmgr_core::claim::Claim;
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::record::{Fence, ItemRecord};
use syncmgr_core::store::{Histogram, ItemName, SessionRecord};

use super::encode::{Json, Time};
use super::read_ahead::size;
use super::rows;
use crate::memory::{Contents, Sessions};

const HANDLERS: &str = "SELECT id, description, registered, flags, waiting FROM handlers";
const HANDLER: &str = "SELECT id, description, registered, flags, waiting FROM handlers WHERE id = ?1";
const CHOICE: &str =
    "SELECT item, checked FROM choices WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2";
const CHOICES: &str =
    "SELECT item, checked FROM choices WHERE handler = (SELECT key FROM handlers WHERE id = ?1) LIMIT ?2";
const LOG: &str = "SELECT manager, session, time, level, text, item, error, action FROM log
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) ORDER BY entry";
const LOG_ABOUT: &str = "SELECT manager, session, time, level, text, item, error, action FROM log
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2 ORDER BY entry";
const LOG_ENTRY: &str = "SELECT manager, session, time, level, text, item, error, action FROM log
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND error = ?2 ORDER BY entry";
const ANSWER: &str = "SELECT question, choice FROM answers
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2 AND key = ?3";
const RECORD: &str = "SELECT session, attempt, outcome, last_attempt, last_success, setback, failures, total, since,
        until, checkpoint, checkpoint_version, set_aside, set_aside_version, sides, absent_since, place FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2";
const RECORDS_AFTER: &str = "SELECT place, item, session, attempt, outcome, last_attempt, last_success, setback, failures,
        total, since, until, checkpoint, checkpoint_version, set_aside, set_aside_version, sides, absent_since FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND place > ?2 ORDER BY place LIMIT ?3";
const RETRY_STATES: &str = "SELECT item, session, attempt, setback, failures, total, since, until FROM items
        INDEXED BY items_set_back
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND setback IS NOT NULL";
const IDS: &str = "SELECT item FROM items INDEXED BY items_by_id
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) ORDER BY item";
const ABSENT: &str = "SELECT item, absent_since FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND absent_since IS NOT NULL";
const KNOWN: &str = "SELECT item, session, attempt, absent_since FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const RECORDS: &str = "SELECT item, session, attempt, outcome, last_attempt, last_success, setback, failures, total,
        since, until, NULL, NULL, NULL, NULL, sides, absent_since FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const NAME: &str =
    "SELECT item, name, checked FROM names WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2";
const NAMES: &str = "SELECT item, name, checked FROM names WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const FIRINGS: &str =
    "SELECT schedule, fired, started FROM firings WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const OVERRIDES: &str =
    "SELECT item, kind, value FROM overrides WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const DISABLED: &str = "SELECT item, reason FROM disabled WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const ENDED_SINCE: &str = "SELECT item, session, attempt, ended FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND ended >= ?2";
const ENDED: &str = "SELECT item, session, attempt, ended FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2 AND ended IS NOT NULL";
const RESOURCES: &str = "SELECT name, setback, failures, total, since, until FROM resources";
const SESSIONS: &str = "SELECT session, manager, \"trigger\", began, ended, course, outcomes, runs FROM sessions
    ORDER BY session, manager";
const SESSIONS_BEFORE: &str = "SELECT session, manager, \"trigger\", began, ended, course, outcomes, runs FROM sessions
    WHERE session < ?1 ORDER BY session DESC, manager DESC LIMIT ?2";
const INTERRUPTED: &str = "SELECT session, manager, \"trigger\", began, ended, course, outcomes, runs FROM sessions
    WHERE course IS NULL AND epoch < (SELECT value FROM meta WHERE name = 'epoch') ORDER BY session, manager";
const LAST_SESSION: &str = "SELECT value FROM meta WHERE name = 'last_session'";
const LAST_WRITE: &str = "SELECT value FROM meta WHERE name = 'last_write'";
const HISTOGRAM: &str = "SELECT counts, longest FROM histograms WHERE name = ?1";

/// The largest number of choices that is read on a thread of the runtime.
pub(super) const FEW: usize = 64;

const NO_LIMIT: i64 = -1;

pub(super) fn handlers(connection: &Connection, contents: &mut Contents) -> Result<()> {
    load_handlers(connection, contents, HANDLERS, [])
}

pub(super) fn handler(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_handlers(connection, contents, HANDLER, [handler.guid()])
}

fn load_handlers(connection: &Connection, contents: &mut Contents, query: &str, parameters: impl Params) -> Result<()> {
    each(connection, query, parameters, |row| {
        let (handler, record) = rows::handler(row)?;
        contents.stored(handler).record = record;
        Ok(())
    })
}

pub(super) fn choice(handler: HandlerId, item: ItemId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_choices(connection, contents, handler, CHOICE, [handler.guid(), item.guid()])
}

pub(super) fn choices(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_choices(connection, contents, handler, CHOICES, (handler.guid(), NO_LIMIT))
}

/// Returns the choices of a handler, at most one more than [`FEW`].
pub(super) fn few_choices(connection: &Connection, handler: HandlerId) -> Result<BTreeMap<ItemId, ItemState>> {
    let mut contents = Contents::default();
    load_choices(connection, &mut contents, handler, CHOICES, (handler.guid(), FEW + 1))?;
    Ok(std::mem::take(&mut contents.stored(handler).choices))
}

fn load_choices(
    connection: &Connection,
    contents: &mut Contents,
    handler: HandlerId,
    query: &str,
    parameters: impl Params,
) -> Result<()> {
    let choices = &mut contents.stored(handler).choices;
    each(connection, query, parameters, |row| {
        choices.insert(rows::item(row)?, rows::state(row, 1)?);
        Ok(())
    })
}

pub(super) fn log(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_log(connection, contents, handler, LOG, [handler.guid()])
}

pub(super) fn log_about(handler: HandlerId, item: ItemId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_log(connection, contents, handler, LOG_ABOUT, [handler.guid(), item.guid()])
}

pub(super) fn log_entry(handler: HandlerId, error: ErrorId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_log(connection, contents, handler, LOG_ENTRY, [handler.guid(), error.guid()])
}

fn load_log(
    connection: &Connection,
    contents: &mut Contents,
    handler: HandlerId,
    query: &str,
    parameters: impl Params,
) -> Result<()> {
    let log = &mut contents.stored(handler).log;
    each(connection, query, parameters, |row| {
        log.push(rows::entry(row)?);
        Ok(())
    })
}

pub(super) fn answer(
    handler: HandlerId,
    item: ItemId,
    question: &Question,
) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        let key = params![handler.guid(), item.guid(), question.key];
        each(connection, ANSWER, key, |row| {
            let (Json(answered), choice) = (row.get(0)?, row.get(1)?);
            contents.stored(handler).answers.insert((item, question.key.clone()), (answered, choice));
            Ok(())
        })
    }
}

/// Loads a record, and stores its place in `place`.
pub(super) fn record(
    handler: HandlerId,
    item: ItemId,
    place: &mut Option<i64>,
) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        each(connection, RECORD, [handler.guid(), item.guid()], |row| {
            contents.stored(handler).items.insert(item, rows::record(row)?);
            *place = Some(row.get(16)?);
            Ok(())
        })
    }
}

/// The place of a record, its item, and the record.
type PlacedRecord = (i64, ItemId, ItemRecord);

/// Returns at most `count` records of a handler after a place, with their places and items, and the number of the last write that
/// they contain. Ends early at a record that cannot be read, or once they have `max_bytes` bytes.
pub(super) fn records_after(
    connection: &Connection,
    handler: HandlerId,
    place: i64,
    count: i64,
    max_bytes: usize,
) -> Result<(Vec<PlacedRecord>, u64)> {
    let transaction = connection.unchecked_transaction()?;
    let number = last_write(&transaction)?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    let mut statement = transaction.prepare_cached(RECORDS_AFTER)?;
    let mut rows = statement.query(params![handler.guid(), place, count])?;
    while let Some(row) = rows.next()?
        && bytes < max_bytes
        && let Ok(placed) = placed_record(row)
    {
        bytes += size(&placed.2);
        records.push(placed);
    }
    Ok((records, number))
}

/// `place, item`, and the columns of a record.
fn placed_record(row: &Row<'_>) -> Result<PlacedRecord> {
    Ok((row.get(0)?, ItemId::new(row.get(1)?), rows::record_from(row, 2)?))
}

pub(super) fn retry_states(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        each(connection, RETRY_STATES, [handler.guid()], |row| {
            let (item, mut record) = fenced(row)?;
            record.retry = Some(rows::some_retry(row, 3)?);
            contents.stored(handler).items.insert(item, record);
            Ok(())
        })
    }
}

pub(super) fn recorded_items(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        each(connection, KNOWN, [handler.guid()], |row| {
            let (item, mut record) = fenced(row)?;
            record.absent_since = row.get::<_, Option<Time>>(3)?.map(|time| time.0);
            contents.stored(handler).items.insert(item, record);
            Ok(())
        })
    }
}

/// Returns the same as [`recorded_items`] if no change is queued, without a record in memory for each item: the ids come from an index.
pub(super) fn known_items(connection: &Connection, handler: HandlerId) -> Result<BTreeMap<ItemId, Option<SystemTime>>> {
    let transaction = connection.unchecked_transaction()?;
    let ids = transaction
        .prepare_cached(IDS)?
        .query_map([handler.guid()], |row| Ok((rows::item(row)?, None)))?
        .collect::<Result<Vec<_>>>()?;
    let mut known = BTreeMap::from_iter(ids);
    each(&transaction, ABSENT, [handler.guid()], |row| {
        known.insert(rows::item(row)?, Some(row.get::<_, Time>(1)?.0));
        Ok(())
    })?;
    transaction.commit()?;
    Ok(known)
}

pub(super) fn records(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        let records = &mut contents.stored(handler).items;
        each(connection, RECORDS, [handler.guid()], |row| {
            records.insert(rows::item(row)?, rows::record_from(row, 1)?);
            Ok(())
        })
    }
}

pub(super) fn name(handler: HandlerId, item: ItemId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_names(connection, contents, handler, NAME, [handler.guid(), item.guid()])
}

pub(super) fn names(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_names(connection, contents, handler, NAMES, [handler.guid()])
}

fn load_names(
    connection: &Connection,
    contents: &mut Contents,
    handler: HandlerId,
    query: &str,
    parameters: impl Params,
) -> Result<()> {
    let names = &mut contents.stored(handler).names;
    each(connection, query, parameters, |row| {
        names.insert(rows::item(row)?, ItemName::new(row.get::<_, Arc<str>>(1)?, rows::state(row, 2)?));
        Ok(())
    })
}

pub(super) fn firings(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        let mut firings = BTreeMap::new();
        each(connection, FIRINGS, [handler.guid()], |row| {
            firings.extend(rows::firing(row)?.map(|(schedule, last)| (schedule, Some(last))));
            Ok(())
        })?;
        contents.stored(handler).firings.set(firings);
        Ok(())
    }
}

pub(super) fn disabled(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        let disabled = &mut contents.stored(handler).disabled;
        each(connection, DISABLED, [handler.guid()], |row| {
            disabled.insert(rows::subject(row)?, row.get(1)?);
            Ok(())
        })
    }
}

pub(super) fn overrides(handler: HandlerId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        let overrides = &mut contents.stored(handler).overrides;
        each(connection, OVERRIDES, [handler.guid()], |row| rows::set_override(row, overrides))
    }
}

pub(super) fn ended_since(
    handler: HandlerId,
    session: SessionId,
) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    // No stored session has a larger number, because a larger number cannot be stored.
    let session = i64::try_from(session.0).unwrap_or(i64::MAX);
    move |connection, contents| load_ended(connection, contents, handler, ENDED_SINCE, params![handler.guid(), session])
}

pub(super) fn ended(handler: HandlerId, item: ItemId) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| load_ended(connection, contents, handler, ENDED, [handler.guid(), item.guid()])
}

fn load_ended(
    connection: &Connection,
    contents: &mut Contents,
    handler: HandlerId,
    query: &str,
    parameters: impl Params,
) -> Result<()> {
    let stored = contents.stored(handler);
    each(connection, query, parameters, |row| {
        let (item, record) = fenced(row)?;
        stored.items.insert(item, record);
        stored.ended.insert(item, SessionId(row.get(3)?));
        Ok(())
    })
}

/// `item, session, attempt`.
fn fenced(row: &Row<'_>) -> Result<(ItemId, ItemRecord)> {
    let mut record = ItemRecord::new();
    record.fence = Fence::new(SessionId(row.get(1)?), row.get(2)?);
    Ok((rows::item(row)?, record))
}

pub(super) fn resources(connection: &Connection, contents: &mut Contents) -> Result<()> {
    each(connection, RESOURCES, [], |row| {
        let name: String = row.get(0)?;
        contents.resources.insert(Claim::from(name), rows::some_retry(row, 1)?);
        Ok(())
    })
}

pub(super) fn sessions(connection: &Connection, contents: &mut Contents) -> Result<()> {
    contents.sessions = Sessions::complete(readable_sessions(connection, SESSIONS, [])?);
    Ok(())
}

pub(super) fn sessions_before(
    before: Option<SessionId>,
    limit: usize,
) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    // No stored session has a larger number, because a larger number cannot be stored.
    let before = before.and_then(|before| i64::try_from(before.0).ok()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    move |connection, contents| {
        contents.sessions = Sessions::complete(readable_sessions(connection, SESSIONS_BEFORE, [before, limit])?);
        Ok(())
    }
}

pub(super) fn interrupted(connection: &Connection, contents: &mut Contents) -> Result<()> {
    contents.sessions = Sessions::complete(readable_sessions(connection, INTERRUPTED, [])?);
    contents.sessions.interrupt();
    Ok(())
}

/// Reads sessions row by row, so that an unreadable session does not hide the other sessions.
fn readable_sessions(connection: &Connection, query: &str, parameters: impl Params) -> Result<Vec<SessionRecord>> {
    let mut sessions = Vec::new();
    each(connection, query, parameters, |row| {
        match rows::session(row) {
            Ok(session) => sessions.push(session),
            Err(error) => tracing::error!(%error, "a stored session cannot be read"),
        }
        Ok(())
    })?;
    Ok(sessions)
}

pub(super) fn last_session(connection: &Connection, contents: &mut Contents) -> Result<()> {
    let last = number(connection, LAST_SESSION)?.map(SessionId).unwrap_or_default();
    contents.sessions = Sessions::default().with_last(last);
    Ok(())
}

pub(super) fn histogram(name: &str) -> impl FnOnce(&Connection, &mut Contents) -> Result<()> {
    move |connection, contents| {
        each(connection, HISTOGRAM, [name], |row| {
            let (Json(counts), longest) = (row.get(0)?, row.get(1)?);
            contents.histograms.insert(Arc::from(name), Histogram::new(counts, longest));
            Ok(())
        })
    }
}

/// Returns the number of the last write that is committed.
pub(super) fn last_write(connection: &Connection) -> Result<u64> {
    Ok(number(connection, LAST_WRITE)?.unwrap_or_default())
}

fn number(connection: &Connection, query: &str) -> Result<Option<u64>> {
    connection.prepare_cached(query)?.query_row([], |row| row.get(0)).optional()
}

/// Passes each row to a function.
fn each(
    connection: &Connection,
    query: &str,
    parameters: impl Params,
    mut row: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    connection.prepare_cached(query)?.query_map(parameters, |found| row(found))?.collect()
}
