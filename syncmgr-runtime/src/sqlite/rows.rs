//! Converts rows to values. The comment of each function lists the columns that it reads.

use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};
use syncmgr_core::decision::timetable::LastFiring;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::overrides::StoredOverrides;
use syncmgr_core::plan::Side;
use syncmgr_core::record::{Checkpoint, Fence, ItemRecord};
use syncmgr_core::register::{RegisterFlags, Registration};
use syncmgr_core::request::RunRequest;
use syncmgr_core::retry::{RetryState, RetryStatus};
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::{HandlerRecord, LogRecord, SessionEnd, SessionRecord};

use super::encode::{EnumName, Json, Time};

type Result<T> = rusqlite::Result<T>;

/// `id, description, registered, flags, waiting`.
pub(super) fn handler(row: &Row<'_>) -> Result<(HandlerId, HandlerRecord)> {
    let flags = |bits: Option<u32>| bits.map(RegisterFlags::from_bits_retain);
    let description: Option<String> = row.get(1)?;
    let mut record = HandlerRecord::default();
    record.registration = flags(row.get(2)?).map(|flags| Registration::new(flags).with_description(description));
    record.flags = flags(row.get(3)?);
    record.waiting = waiting(row.get(4)?);
    Ok((HandlerId::new(row.get(0)?), record))
}

/// Returns the waiting runs, except for those that this program cannot read: of a schedule in an unknown zone, or of a later version.
fn waiting(runs: Option<Json<Vec<serde_json::Value>>>) -> Vec<RunRequest> {
    let runs = runs.map(|runs| runs.0).unwrap_or_default();
    runs.into_iter().filter_map(|run| serde_json::from_value(run).ok()).collect()
}

/// Reads the state of an item from a column.
pub(super) fn state(row: &Row<'_>, column: usize) -> Result<ItemState> {
    Ok(if row.get(column)? { ItemState::Checked } else { ItemState::Unchecked })
}

/// `item`.
pub(super) fn item(row: &Row<'_>) -> Result<ItemId> {
    row.get(0).map(ItemId::new)
}

/// `item` of a handler that is disabled itself, or of a disabled item.
pub(super) fn subject(row: &Row<'_>) -> Result<Subject> {
    let item = item(row)?;
    Ok(if item.is_nil() { Subject::Handler } else { Subject::Item(item) })
}

/// `item, kind, value`. Leaves out a kind that this program does not know.
pub(super) fn set_override(row: &Row<'_>, overrides: &mut StoredOverrides) -> Result<()> {
    let (subject, kind, value) = (subject(row)?, row.get::<_, String>(1)?, row.get(2)?);
    overrides.extend(kind.parse().ok().map(|kind| ((subject, kind), value)));
    Ok(())
}

/// `schedule, fired, started`. Returns `None` for a schedule that this program cannot read.
pub(super) fn firing(row: &Row<'_>) -> Result<Option<(Schedule, LastFiring)>> {
    let (schedule, fired) = (row.get::<_, String>(0)?, row.get::<_, Time>(1)?);
    let last = LastFiring { time: fired.0, started: time(row, 2)? };
    Ok(schedule.parse().ok().map(|schedule| (schedule, last)))
}

/// `session, attempt, outcome, last_attempt, last_success, setback, failures, total, since, until, checkpoint,
/// checkpoint_version, set_aside, set_aside_version, sides, absent_since`.
pub(super) fn record(row: &Row<'_>) -> Result<ItemRecord> {
    record_from(row, 0)
}

/// Like [`record`], starting at column `first`.
pub(super) fn record_from(row: &Row<'_>, first: usize) -> Result<ItemRecord> {
    let mut record = ItemRecord::new();
    record.fence = Fence::new(SessionId(row.get(first)?), row.get(first + 1)?);
    record.outcome = row.get::<_, Option<EnumName<Outcome>>>(first + 2)?.map(|outcome| outcome.0);
    record.last_attempt = time(row, first + 3)?;
    record.last_success = time(row, first + 4)?;
    record.retry = retry(row, first + 5)?;
    record.checkpoint = checkpoint(row, first + 10)?;
    record.set_aside = checkpoint(row, first + 12)?;
    record.sides = row.get::<_, Option<Json<Vec<Side>>>>(first + 14)?.map(|sides| sides.0).unwrap_or_default();
    record.absent_since = time(row, first + 15)?;
    Ok(record)
}

/// `setback, failures, total, since, until`, starting at column `first`.
pub(super) fn retry(row: &Row<'_>, first: usize) -> Result<Option<RetryState>> {
    let Some(EnumName(setback)) = row.get::<_, Option<EnumName<RetryStatus>>>(first)? else { return Ok(None) };
    let (failures, total) = (row.get(first + 1)?, row.get(first + 2)?);
    let (since, until) = (row.get::<_, Time>(first + 3)?, time(row, first + 4)?);
    Ok(Some(RetryState::new(setback, since.0, until).with_failures(failures, total)))
}

/// Like [`retry`], for columns that must not be empty.
pub(super) fn some_retry(row: &Row<'_>, first: usize) -> Result<RetryState> {
    let empty = || rusqlite::Error::FromSqlConversionFailure(first, Type::Text, FromSqlError::InvalidType.into());
    retry(row, first)?.ok_or_else(empty)
}

/// `manager, session, time, level, text, item, error, action`.
pub(super) fn entry(row: &Row<'_>) -> Result<LogRecord> {
    let mut entry = LogEntry::new(row.get::<_, EnumName<LogLevel>>(3)?.0, "");
    entry.text = row.get(4)?;
    entry.item = row.get::<_, Option<_>>(5)?.map(ItemId::new);
    entry.id = row.get::<_, Option<_>>(6)?.map(ErrorId::new);
    entry.action = row.get::<_, Option<Json<_>>>(7)?.map(|action| action.0);
    Ok(LogRecord::new(row.get(0)?, SessionId(row.get(1)?), row.get::<_, Time>(2)?.0, Arc::new(entry)))
}

/// `session, manager, trigger, began, ended, course, outcomes, runs`.
pub(super) fn session(row: &Row<'_>) -> Result<SessionRecord> {
    let (EnumName(trigger), Time(began), Json(runs)) = (row.get(2)?, row.get(3)?, row.get(7)?);
    let mut record = SessionRecord::new(SessionId(row.get(0)?), row.get(1)?, trigger, began, runs);
    record.end = end(row)?;
    Ok(record)
}

fn end(row: &Row<'_>) -> Result<Option<SessionEnd>> {
    let Some(EnumName(course)) = row.get(5)? else { return Ok(None) };
    let (Time(time), Json(outcomes)) = (row.get(4)?, row.get(6)?);
    Ok(Some(SessionEnd::new(time, course, outcomes)))
}

/// A checkpoint and its version, starting at column `first`.
fn checkpoint(row: &Row<'_>, first: usize) -> Result<Option<Checkpoint>> {
    let state: Option<Arc<str>> = row.get(first)?;
    state.map(|state| Ok(Checkpoint::new(row.get(first + 1)?, state))).transpose()
}

fn time(row: &Row<'_>, column: usize) -> Result<Option<SystemTime>> {
    Ok(row.get::<_, Option<Time>>(column)?.map(|time| time.0))
}
