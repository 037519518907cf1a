//! The conditions that work requires, and the work that waits for them.

use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{Battery, Connectivity, Environment, Network, Power, Presence};
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::requirements::Requirement;
use syncmgr_core::trigger::Trigger;

use super::{Finding, Model, Moment, TICK, millis};
use crate::peer::Key;

impl Model {
    /// Checks that the conditions of an automatic run are met when it starts.
    pub(crate) fn check_run_conditions(
        &self,
        (handler, trigger): (HandlerId, Trigger),
        environment: &Environment,
        now: Moment,
    ) -> Vec<Finding> {
        let of_requirement = self.unmet(handler, None, environment, now).map(|unmet| format!("requires {unmet}"));
        let is_early = trigger == Trigger::Connect
            && !self.clock_set_back
            && self.up_since.is_some_and(|since| now.elapsed + TICK < since + self.settings.connect_delay);
        let of_network = is_early.then(|| "the network has just come up".to_owned());
        let waits = trigger == Trigger::Idle && self.is_user_active(environment, now) == Some(true);
        let of_user = waits.then(|| "the user is active".to_owned());
        let unmet = of_requirement.into_iter().chain(of_network).chain(of_user);
        let found = unmet.map(|unmet| {
            ("an automatic run waits for its conditions", format!("{handler:?} starts for {trigger:?}, but {unmet}"))
        });
        found.chain(self.check_ending(handler, trigger, now.elapsed)).collect()
    }

    /// Checks that the conditions of an automatic attempt are met, unless they have changed since its run started.
    pub(crate) fn check_item_conditions(
        &self,
        key: Key,
        session: SessionId,
        environment: &Environment,
        now: Moment,
    ) -> Option<Finding> {
        let (started, _) = self.run_starts.get(&(session, key.0)).copied()?;
        if self.environment_changed >= started || self.requested_by(session, key.0) != RequestedBy::Automatic {
            return None;
        }
        let unmet = self.unmet(key.0, Some(key.1), environment, now)?;
        Some(("an automatic attempt waits for its conditions", format!("{key:?} starts, but requires {unmet}")))
    }

    /// Returns a requirement of the handler, or also of the item, that is known not to be met.
    pub(crate) fn unmet(
        &self,
        handler: HandlerId,
        item: Option<ItemId>,
        environment: &Environment,
        now: Moment,
    ) -> Option<Requirement> {
        let of = |subject| self.settings.requirements.get(&(handler, subject)).into_iter().flatten().copied();
        let of_item = item.into_iter().flat_map(|item| of(Some(item)));
        of(None).chain(of_item).find(|requirement| self.is_unmet(*requirement, environment, now))
    }

    /// Returns `true` if the requirement is known not to be met.
    fn is_unmet(&self, requirement: Requirement, environment: &Environment, now: Moment) -> bool {
        let is_offline = environment.network == Network::Offline;
        match requirement {
            Requirement::UnmeteredNetwork => is_offline || environment.network == Network::Metered,
            Requirement::Internet => {
                is_offline || !matches!(environment.connectivity, Connectivity::Full | Connectivity::Unknown)
            }
            Requirement::Mains => environment.power == Power::Battery,
            Requirement::BatteryNotLow => environment.battery == Battery::Low && environment.power != Power::Mains,
            Requirement::IdleUser => self.is_user_active(environment, now) == Some(true),
            _ => false,
        }
    }

    /// Returns `true` if the handler may wait for an idle user.
    pub(crate) fn may_wait_for_user(&self, handler: HandlerId, environment: &Environment, now: Moment) -> bool {
        let required = self.settings.requirements.get(&(handler, None)).into_iter().flatten();
        let waits = required.copied().any(|requirement| requirement == Requirement::IdleUser);
        waits && self.is_user_active(environment, now) != Some(false)
    }

    /// Returns `true` if the user is active: at the machine, or idle for a short time only. `None` if the model does not know.
    pub(crate) fn is_user_active(&self, environment: &Environment, now: Moment) -> Option<bool> {
        let Some(since) = environment.idle_since else {
            return match environment.user {
                Presence::Present => Some(true),
                Presence::Absent => Some(false),
                _ => None,
            };
        };
        let due = since + self.settings.idle_after;
        // After the clock was set back, the manager counts from the latest time that it has reached.
        let is_certain = !self.clock_set_back && millis(due).abs_diff(now.wall) > TICK.as_millis() as u64;
        is_certain.then(|| now.wall < millis(due))
    }

    /// Records the end of an attempt because a condition has ended. A run for an announced end is not repeated.
    pub(super) fn observe_stop(&mut self, key: Key, session: SessionId, reason: CancelReason) {
        let trigger = self.run_starts.get(&(session, key.0)).map(|(_, trigger)| *trigger);
        let is_condition = matches!(reason, CancelReason::ConditionEnded | CancelReason::ItemConditionEnded);
        if is_condition && trigger != Some(Trigger::PendingDisconnect) {
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

    /// Drops what must run because any of it may have been cancelled; of the interrupted items, only the affected ones.
    pub(crate) fn drop_all_promises(&mut self, affected: impl Fn(&Key) -> bool) {
        self.to_resume.retain(|key| !affected(key));
        self.to_connect.clear();
        self.to_end.clear();
        self.drop_promises(|_| true);
    }

    /// Records a local change of an item.
    pub(crate) fn observe_local_change(&mut self, key: Key, now: Duration) {
        self.changed.insert(key, now);
    }
}
