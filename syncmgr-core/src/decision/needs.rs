//! What a run needs from its environment.

use super::hold::Hold;
use super::surroundings::{Activity, Surroundings};
use crate::capabilities::Capabilities;
use crate::environment::{Battery, Connectivity, Network, Power};
use crate::info::HandlerInfo;
use crate::requirements::{Requirement, Requirements};
use crate::schedule::Opening;

/// The capabilities and the requirements of a handler, or of some of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The capabilities.
    pub capabilities: Capabilities,
    /// The requirements of automatic runs.
    pub requirements: Requirements,
}

impl From<Capabilities> for Needs {
    fn from(capabilities: Capabilities) -> Self {
        Self { capabilities, requirements: Requirements::NONE }
    }
}

impl From<&HandlerInfo> for Needs {
    fn from(info: &HandlerInfo) -> Self {
        Self { capabilities: info.capabilities(), requirements: info.requirements().clone() }
    }
}

impl Needs {
    /// Returns the needs of items that have these requirements too.
    #[must_use]
    pub fn with_requirements_of(&self, items: &Requirements) -> Self {
        Self { capabilities: self.capabilities, requirements: self.requirements.and(items) }
    }
}

/// Returns the hold for the first requirement that is not met. A condition that is not known counts as met. Windows come last:
/// their hold says when the work may run.
pub fn unmet(requirements: &Requirements, now: &Surroundings<'_>) -> Option<Hold> {
    unmet_condition(requirements, now).or_else(|| hold_of_windows(requirements.opening(now.clock)))
}

/// Returns the hold for the first condition that is not met.
pub(super) fn unmet_condition(requirements: &Requirements, now: &Surroundings<'_>) -> Option<Hold> {
    if requirements.contradiction().is_some() {
        return Some(Hold::Contradictory);
    }
    requirements.iter().find_map(|requirement| hold_of(requirement, now))
}

/// Returns the hold for windows that are not open.
pub(super) fn hold_of_windows(opening: Opening) -> Option<Hold> {
    match opening {
        Opening::Open => None,
        Opening::At(until) => Some(Hold::OutsideWindow { until }),
        Opening::Never => Some(Hold::Contradictory),
    }
}

fn hold_of(requirement: Requirement, Surroundings { environment, user, .. }: &Surroundings<'_>) -> Option<Hold> {
    let offline = environment.network == Network::Offline;
    match requirement {
        Requirement::UnmeteredNetwork | Requirement::Internet if offline => Some(Hold::Offline),
        Requirement::UnmeteredNetwork => (environment.network == Network::Metered).then_some(Hold::Metered),
        Requirement::Internet => {
            let reaches_it = matches!(environment.connectivity, Connectivity::Full | Connectivity::Unknown);
            (!reaches_it).then_some(Hold::NoInternet)
        }
        Requirement::Mains => (environment.power == Power::Battery).then_some(Hold::OnBattery),
        Requirement::BatteryNotLow => {
            let is_low = environment.battery == Battery::Low && environment.power != Power::Mains;
            is_low.then_some(Hold::BatteryLow)
        }
        Requirement::IdleUser => (*user == Activity::Active).then_some(Hold::UserActive),
        Requirement::ActiveUser => (*user == Activity::Idle).then_some(Hold::UserIdle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, Presence};

    fn held(requirement: Requirement, environment: &Environment) -> Option<Hold> {
        unmet(&Requirements::NONE.with(requirement), &environment.into())
    }

    #[test]
    fn an_unknown_environment_meets_every_requirement() {
        assert!(Requirement::ALL.into_iter().all(|requirement| held(requirement, &Environment::UNKNOWN).is_none()));
    }

    #[test]
    fn each_requirement_has_its_hold_and_a_condition_that_ends_it() {
        use Requirement::{ActiveUser, BatteryNotLow, IdleUser, Internet, Mains, UnmeteredNetwork};
        let unknown = || Environment::UNKNOWN;
        let network = |network| unknown().with_network(network);
        let low = unknown().with_battery(Battery::Low);
        let online = network(Network::Online);
        let reach = |reach| network(Network::Online).with_connectivity(reach);
        let [present, absent] = [Presence::Present, Presence::Absent].map(|user| unknown().with_user(user));
        for (requirement, environment, hold, met) in [
            (UnmeteredNetwork, network(Network::Metered), Hold::Metered, online.clone()),
            (UnmeteredNetwork, network(Network::Offline), Hold::Offline, online.clone()),
            (Internet, network(Network::Offline), Hold::Offline, online),
            (Internet, reach(Connectivity::Portal), Hold::NoInternet, reach(Connectivity::Full)),
            (Internet, reach(Connectivity::Limited), Hold::NoInternet, reach(Connectivity::Unknown)),
            (Internet, reach(Connectivity::None), Hold::NoInternet, reach(Connectivity::Full)),
            (Mains, unknown().with_power(Power::Battery), Hold::OnBattery, unknown().with_power(Power::Mains)),
            (BatteryNotLow, low.clone(), Hold::BatteryLow, low.clone().with_power(Power::Mains)),
            (BatteryNotLow, low.with_power(Power::Battery), Hold::BatteryLow, unknown().with_battery(Battery::Normal)),
            (IdleUser, present.clone(), Hold::UserActive, absent.clone()),
            (ActiveUser, absent, Hold::UserIdle, present),
        ] {
            assert_eq!(held(requirement, &environment), Some(hold), "{requirement:?} {environment:?}");
            assert_eq!(held(requirement, &met), None, "{requirement:?} {met:?}");
        }
    }

    #[test]
    fn contradictory_requirements_are_never_met() {
        let both = Requirements::NONE.with(Requirement::IdleUser).with(Requirement::ActiveUser);
        assert_eq!(unmet(&both, &Surroundings::from(&Environment::UNKNOWN)), Some(Hold::Contradictory));
    }
}
