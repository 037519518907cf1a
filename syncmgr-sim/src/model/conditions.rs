//! The conditions that work requires, and the work that waits for them.

use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{Battery, Connectivity, Environment, Network, Power, Presence};
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::requirements::Requirement;

use super::{Finding, Model};
use crate::peer::Key;

impl Model {
    /// Checks that the conditions of an automatic run are met when it starts.
    pub(crate) fn check_run_conditions(&self, handler: HandlerId, environment: &Environment) -> Option<Finding> {
        let unmet = self.unmet(handler, None, environment)?;
        Some(("an automatic run waits for its conditions", format!("{handler:?} starts, but requires {unmet}")))
    }

    /// Checks that the conditions of an automatic attempt are met, unless they have changed since its run started.
    pub(crate) fn check_item_conditions(
        &self,
        key: Key,
        session: SessionId,
        environment: &Environment,
    ) -> Option<Finding> {
        let started = self.run_starts.get(&(session, key.0)).copied()?;
        if self.environment_changed >= started || self.requested_by(session, key.0) != RequestedBy::Automatic {
            return None;
        }
        let unmet = self.unmet(key.0, Some(key.1), environment)?;
        Some(("an automatic attempt waits for its conditions", format!("{key:?} starts, but requires {unmet}")))
    }

    /// Returns a requirement of the handler, or also of the item, that is known not to be met.
    pub(crate) fn unmet(
        &self,
        handler: HandlerId,
        item: Option<ItemId>,
        environment: &Environment,
    ) -> Option<Requirement> {
        let of = |subject| self.settings.requirements.get(&(handler, subject)).into_iter().flatten().copied();
        let of_item = item.into_iter().flat_map(|item| of(Some(item)));
        of(None).chain(of_item).find(|requirement| !is_met(*requirement, environment))
    }

    /// Records the end of an attempt because a condition has ended.
    pub(super) fn observe_stop(&mut self, key: Key, reason: CancelReason) {
        if matches!(reason, CancelReason::ConditionEnded | CancelReason::ItemConditionEnded) {
            self.waits_for_conditions.insert(key);
        }
    }

    /// Records that the report of a session shows an item as held. A report may be late.
    pub(crate) fn observe_hold(&mut self, key: Key, session: SessionId, hold: &Hold) {
        let is_condition =
            matches!(hold, Hold::Metered | Hold::NoInternet | Hold::OnBattery | Hold::BatteryLow | Hold::UserActive);
        let has_run_since = self.attempts.iter().any(|attempt| attempt.key == key && attempt.session > session);
        if is_condition && !has_run_since {
            self.waits_for_conditions.insert(key);
        }
    }

    /// Drops what must run because of a change or the end of a condition, for the matching items.
    pub(crate) fn drop_promises(&mut self, affected: impl Fn(&Key) -> bool) {
        self.waits_for_conditions.retain(|key| !affected(key));
        self.changed.retain(|key, _| !affected(key));
    }

    /// Records a local change of an item.
    pub(crate) fn observe_local_change(&mut self, key: Key, now: Duration) {
        self.changed.insert(key, now);
    }
}

/// Returns `true` if the requirement is met. A condition that is not known counts as met.
fn is_met(requirement: Requirement, environment: &Environment) -> bool {
    let is_offline = environment.network == Network::Offline;
    match requirement {
        Requirement::UnmeteredNetwork => !is_offline && environment.network != Network::Metered,
        Requirement::Internet => {
            !is_offline && matches!(environment.connectivity, Connectivity::Full | Connectivity::Unknown)
        }
        Requirement::Mains => environment.power != Power::Battery,
        Requirement::BatteryNotLow => environment.battery != Battery::Low || environment.power == Power::Mains,
        Requirement::IdleUser => environment.idle_since.is_some() || environment.user != Presence::Present,
        _ => true,
    }
}
