//! Deletes the data of a handler or an item.

use std::sync::Arc;

use rusqlite::params;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::request::RunRequest;
use uuid::Uuid;

use super::{Applier, ApplyResult};
use crate::sqlite::encode::Json;

const OF_HANDLER: [&str; 9] = [
    "DELETE FROM items WHERE handler = ?1",
    "DELETE FROM choices WHERE handler = ?1",
    "DELETE FROM names WHERE handler = ?1",
    "DELETE FROM disabled WHERE handler = ?1",
    "DELETE FROM overrides WHERE handler = ?1",
    "DELETE FROM firings WHERE handler = ?1",
    "DELETE FROM answers WHERE handler = ?1",
    "DELETE FROM log WHERE handler = ?1",
    "DELETE FROM handlers WHERE key = ?1",
];
const OF_ITEM: [&str; 7] = [
    "DELETE FROM items WHERE handler = ?1 AND item = ?2",
    "DELETE FROM choices WHERE handler = ?1 AND item = ?2",
    "DELETE FROM names WHERE handler = ?1 AND item = ?2",
    "DELETE FROM disabled WHERE handler = ?1 AND item = ?2",
    "DELETE FROM overrides WHERE handler = ?1 AND item = ?2",
    "DELETE FROM answers WHERE handler = ?1 AND item = ?2",
    "DELETE FROM log WHERE handler = ?1 AND item = ?2",
];
/// The sessions whose requests contain this id.
const SESSIONS_WITH_ID: &str = "SELECT session, manager, runs FROM sessions WHERE instr(runs, ?1)";
const UPDATE_RUNS: &str = "UPDATE sessions SET runs = ?3 WHERE session = ?1 AND manager = ?2";

impl Applier {
    pub(super) fn forget(&mut self, handler: HandlerId) -> ApplyResult {
        self.forget_runs(handler.guid(), |run| run.handler != handler)?;
        if let Some(key) = self.stored_key(handler)? {
            OF_HANDLER.iter().try_for_each(|statement| self.run(statement, [key]).map(drop))?;
            self.grown.remove(&key);
            self.logs.remove(&key);
            self.keys.remove(&handler);
        }
        Ok(())
    }

    pub(super) fn forget_item(&mut self, handler: HandlerId, item: ItemId) -> ApplyResult {
        self.forget_runs(item.guid(), |run| run.handler != handler || remove_item(run, item))?;
        let Some(key) = self.stored_key(handler)? else { return Ok(()) };
        self.logs.remove(&key);
        OF_ITEM.iter().try_for_each(|statement| self.run(statement, params![key, item.guid()]).map(drop))
    }

    /// In the sessions whose stored requests contain `id`, keeps only the requests for which `keep` returns `true`.
    /// `keep` may also change a request.
    fn forget_runs(&self, id: Uuid, mut keep: impl FnMut(&mut RunRequest) -> bool) -> ApplyResult {
        for (session, manager, mut runs) in self.sessions_with_id(id)? {
            runs.retain_mut(&mut keep);
            self.run(UPDATE_RUNS, params![session.0, manager, Json(runs)])?;
        }
        Ok(())
    }

    fn sessions_with_id(&self, id: Uuid) -> ApplyResult<Vec<(SessionId, Uuid, Vec<RunRequest>)>> {
        let mut statement = self.connection().prepare_cached(SESSIONS_WITH_ID)?;
        let rows = statement.query_map([id.to_string()], |row| {
            Ok((SessionId(row.get(0)?), row.get(1)?, row.get::<_, Json<_>>(2)?.0))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Removes the item from a request. Returns `true` if the request has items left.
fn remove_item(run: &mut RunRequest, item: ItemId) -> bool {
    run.items.as_mut().is_none_or(|items| {
        Arc::make_mut(items).remove(&item);
        !items.is_empty()
    })
}
