//! Registrations, settings, choices and names.

use std::collections::BTreeMap;

use rusqlite::params;
use syncmgr_core::decision::timetable::LastFiring;
use syncmgr_core::id::{HandlerId, ItemId, Subject};
use syncmgr_core::item::ItemState;
use syncmgr_core::overrides::{Override, OverrideKind};
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::{ItemName, StateChange};
use uuid::Uuid;

use super::{Applier, ApplyResult, unknown_change};
use crate::sqlite::encode::{Json, Time};

const REGISTER: &str = "UPDATE handlers SET description = ?2, registered = ?3 WHERE key = ?1";
const SET_FLAGS: &str = "UPDATE handlers SET flags = ?2 WHERE key = ?1";
const SET_WAITING: &str = "UPDATE handlers SET waiting = ?2 WHERE key = ?1";
const CHOOSE: &str = "INSERT INTO choices (handler, item, checked) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET checked = excluded.checked";
const FORGET_CHOICE: &str = "DELETE FROM choices WHERE handler = ?1 AND item = ?2";
const NAME: &str = "INSERT OR REPLACE INTO names (handler, item, name, checked) VALUES (?1, ?2, ?3, ?4)";
const FORGET_NAME: &str = "DELETE FROM names WHERE handler = ?1 AND item = ?2";
const DISABLE: &str = "INSERT OR REPLACE INTO disabled (handler, item, reason) VALUES (?1, ?2, ?3)";
const SET_FIRING: &str = "INSERT OR REPLACE INTO firings (handler, schedule, fired, started) VALUES (?1, ?2, ?3, ?4)";
const REMOVE_FIRING: &str = "DELETE FROM firings WHERE handler = ?1 AND schedule = ?2";
const OVERRIDE: &str = "INSERT OR REPLACE INTO overrides (handler, item, kind, value) VALUES (?1, ?2, ?3, ?4)";
const RESET: &str = "DELETE FROM overrides WHERE handler = ?1 AND item = ?2 AND kind = ?3";
const ENABLE: &str = "DELETE FROM disabled WHERE handler = ?1 AND item = ?2";

impl Applier {
    pub(super) fn change_handler(&mut self, change: &StateChange) -> ApplyResult {
        match change {
            StateChange::Registered { handler, registration } => {
                let (key, flags) = (self.key(*handler)?, registration.flags.bits());
                self.run(REGISTER, params![key, registration.description, flags]).map(drop)
            }
            StateChange::Flags { handler, flags } => {
                let key = self.key(*handler)?;
                self.run(SET_FLAGS, params![key, flags.bits()]).map(drop)
            }
            StateChange::Waiting { handler, runs } => {
                let key = self.key(*handler)?;
                self.run(SET_WAITING, params![key, Json(runs)]).map(drop)
            }
            StateChange::Choices { handler, items } => self.choose(*handler, items),
            StateChange::Names { handler, items } => self.name_items(*handler, items),
            StateChange::Disabled { handler, subject, reason } => self.disable(*handler, *subject, reason.as_deref()),
            StateChange::Override { handler, subject, kind, value } => {
                self.set_override(*handler, *subject, *kind, value.as_ref())
            }
            StateChange::Fired { handler, firings } => self.set_firings(*handler, firings),
            _ => Err(unknown_change()),
        }
    }

    fn choose(&mut self, handler: HandlerId, items: &BTreeMap<ItemId, Option<ItemState>>) -> ApplyResult {
        let key = self.key(handler)?;
        for (item, state) in items {
            let item = item.guid();
            match state {
                Some(state) => self.run(CHOOSE, params![key, item, *state == ItemState::Checked])?,
                None => self.run(FORGET_CHOICE, params![key, item])?,
            };
        }
        Ok(())
    }

    fn name_items(&mut self, handler: HandlerId, items: &BTreeMap<ItemId, Option<ItemName>>) -> ApplyResult {
        let key = self.key(handler)?;
        for (item, name) in items {
            match name {
                Some(ItemName { name, state, .. }) => {
                    self.run(NAME, params![key, item.guid(), name, *state == ItemState::Checked])?
                }
                None => self.run(FORGET_NAME, params![key, item.guid()])?,
            };
        }
        Ok(())
    }

    fn set_firings(&mut self, handler: HandlerId, firings: &BTreeMap<Schedule, Option<LastFiring>>) -> ApplyResult {
        let key = self.key(handler)?;
        for (schedule, last) in firings {
            let schedule = schedule.to_string();
            match last {
                Some(LastFiring { time, started }) => {
                    self.run(SET_FIRING, params![key, schedule, Time(*time), started.map(Time)])?
                }
                None => self.run(REMOVE_FIRING, params![key, schedule])?,
            };
        }
        Ok(())
    }

    fn disable(&mut self, handler: HandlerId, subject: Subject, reason: Option<&str>) -> ApplyResult {
        let (key, item) = (self.key(handler)?, column(subject));
        match reason {
            Some(reason) => self.run(DISABLE, params![key, item, reason]).map(drop),
            None => self.run(ENABLE, params![key, item]).map(drop),
        }
    }

    fn set_override(
        &mut self,
        handler: HandlerId,
        subject: Subject,
        kind: OverrideKind,
        value: Option<&Override>,
    ) -> ApplyResult {
        let (key, item, kind) = (self.key(handler)?, column(subject), kind.word());
        match value {
            Some(value) => self.run(OVERRIDE, params![key, item, kind, value.to_string()]).map(drop),
            None => self.run(RESET, params![key, item, kind]).map(drop),
        }
    }
}

/// Returns the value of the column `item`. It is nil for the handler.
fn column(subject: Subject) -> Uuid {
    subject.item().map_or(Uuid::nil(), ItemId::guid)
}
