//! Registrations, settings and choices.

use std::collections::BTreeMap;

use rusqlite::params;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::item::ItemState;
use syncmgr_core::store::StateChange;

use super::{Applier, ApplyResult, unknown_change};

const REGISTER: &str = "UPDATE handlers SET description = ?2, registered = ?3 WHERE key = ?1";
const SET_FLAGS: &str = "UPDATE handlers SET flags = ?2 WHERE key = ?1";
const CHOOSE: &str = "INSERT INTO choices (handler, item, checked) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET checked = excluded.checked";
const FORGET_CHOICE: &str = "DELETE FROM choices WHERE handler = ?1 AND item = ?2";

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
            StateChange::Choices { handler, items } => self.choose(*handler, items),
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
}
