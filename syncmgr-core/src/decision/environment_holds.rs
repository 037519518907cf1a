//! The holds that depend on the environment: the network, power, the user, what is about to end, and the requirements.

use super::hold::Hold;
use super::needs::{Needs, unmet};
use super::retry::RequestedBy;
use super::surroundings::{Activity, Surroundings};
use crate::capabilities::Capabilities;
use crate::environment::{Connectivity, EndingKind, Environment, Network, Power};
use crate::requirements::ConditionPolicy;
use crate::trigger::Trigger;

/// Returns the reason why a run may not start in this environment. An unknown environment holds no run.
///
/// | hold | environment | held runs |
/// |---|---|---|
/// | ending | the machine is about to sleep or shut down, or the network to go down and the run needs one | automatic runs, except those for this event |
/// | offline | no network, and the run needs one | all but forced runs |
/// | metered | a metered network, and the run needs a network and is not low-data | automatic runs |
/// | user active | the user is active, and the trigger is idle | automatic runs |
/// | on battery | battery power, and the trigger is idle | automatic runs |
/// | those of [requirements](crate::requirements::Requirement) | a requirement is not met | automatic runs |
///
/// ```
/// # use syncmgr_core::{capabilities::Capabilities, decision::{environment_holds::holds, hold::Hold, retry::RequestedBy}};
/// # use syncmgr_core::{environment::{Environment, Network}, trigger::Trigger};
/// let (train, mail) = (Environment::UNKNOWN.with_network(Network::Metered), Capabilities::NEEDS_NETWORK);
/// assert_eq!(holds(&train, mail, Trigger::Scheduled, RequestedBy::Automatic), Some(Hold::Metered));
/// assert_eq!(holds(&train, mail, Trigger::Manual, RequestedBy::User), None);
/// ```
pub fn holds<'a>(
    surroundings: impl Into<Surroundings<'a>>,
    needs: impl Into<Needs>,
    trigger: Trigger,
    requested_by: RequestedBy,
) -> Option<Hold> {
    let (surroundings, Needs { capabilities, requirements }) = (surroundings.into(), needs.into());
    let needs_network = capabilities.contains(Capabilities::NEEDS_NETWORK);
    let is_automatic = requested_by == RequestedBy::Automatic;
    if let Some(hold) = ending_hold(&surroundings, needs_network, trigger).filter(|_| is_automatic) {
        return Some(hold);
    }
    match surroundings.environment.network {
        Network::Offline if needs_network && requested_by != RequestedBy::UserForced => return Some(Hold::Offline),
        Network::Metered if needs_network && is_automatic && !capabilities.contains(Capabilities::LOW_DATA) => {
            return Some(Hold::Metered);
        }
        _ if !is_automatic => return None,
        _ => {}
    }
    let idle = Some(()).filter(|()| trigger == Trigger::Idle).and_then(|()| idle_hold(&surroundings));
    idle.or_else(|| unmet(&requirements, &surroundings))
}

/// Returns the hold of an automatic run because of what is about to end.
fn ending_hold(surroundings: &Surroundings<'_>, needs_network: bool, trigger: Trigger) -> Option<Hold> {
    let kind = surroundings.ending.filter(|_| trigger != Trigger::PendingDisconnect)?;
    (kind != EndingKind::Disconnect || needs_network).then_some(Hold::Ending { kind })
}

/// Returns the hold of an automatic run whose trigger is idle.
fn idle_hold(surroundings: &Surroundings<'_>) -> Option<Hold> {
    match surroundings {
        Surroundings { user: Activity::Active, .. } => Some(Hold::UserActive),
        Surroundings { environment: Environment { power: Power::Battery, .. }, .. } => Some(Hold::OnBattery),
        _ => None,
    }
}

/// Returns the hold that stops a running automatic run, because a condition has ended while it runs.
///
/// | hold | policy `Finish` | policy `Stop` |
/// |---|---|---|
/// | ending | stopped | stopped |
/// | user active, and the trigger is idle | stopped | stopped |
/// | any other | continues | stopped |
pub fn hold_that_stops(
    surroundings: Surroundings<'_>,
    needs: Needs,
    trigger: Trigger,
    policy: ConditionPolicy,
) -> Option<Hold> {
    if policy == ConditionPolicy::Stop {
        return holds(surroundings, needs, trigger, RequestedBy::Automatic);
    }
    // Another hold, under which the run would continue, may hide that of the user.
    let is_idle = trigger == Trigger::Idle && surroundings.user == Activity::Active;
    let needs_network = needs.capabilities.contains(Capabilities::NEEDS_NETWORK);
    ending_hold(&surroundings, needs_network, trigger).or_else(|| is_idle.then_some(Hold::UserActive))
}

/// Returns `true` if the network can be used and was known to be unusable before: offline, or behind a captive portal. The
/// first known state of the network does not count, so it clears no backoff.
pub fn reconnected(before: &Environment, now: &Environment) -> bool {
    let was_down = before.network == Network::Offline || before.connectivity == Connectivity::Portal;
    was_down && is_connected(now)
}

/// Returns `true` if the network is known to be up and no captive portal blocks it.
pub fn is_connected(environment: &Environment) -> bool {
    environment.network.is_up() && environment.connectivity != Connectivity::Portal
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::environment::{Ending, Presence};
    use crate::requirements::{Requirement, Requirements};

    const NETWORKS: [Network; 4] = [Network::Unknown, Network::Offline, Network::Metered, Network::Online];
    const NEEDS: Capabilities = Capabilities::NEEDS_NETWORK;

    fn runs() -> impl Iterator<Item = (Capabilities, Trigger, RequestedBy)> {
        (0..=Capabilities::all().bits()).flat_map(|bits| {
            let capabilities = Capabilities::from_bits_truncate(bits);
            let origins = [RequestedBy::Automatic, RequestedBy::User, RequestedBy::UserForced];
            (1..=6).flat_map(move |event| {
                origins.map(|requested_by| (capabilities, Trigger::from_word(event), requested_by))
            })
        })
    }

    fn with_network(network: Network, capabilities: Capabilities, requested_by: RequestedBy) -> Option<Hold> {
        holds(&Environment::UNKNOWN.with_network(network), capabilities, Trigger::Scheduled, requested_by)
    }

    #[test]
    fn an_unknown_environment_holds_no_run() {
        assert!(runs().all(|(capabilities, trigger, requested_by)| {
            holds(&Environment::UNKNOWN, capabilities, trigger, requested_by).is_none()
        }));
    }

    #[test]
    fn a_run_that_needs_a_network_waits_for_one_unless_it_is_forced() {
        for requested_by in [RequestedBy::Automatic, RequestedBy::User] {
            assert_eq!(with_network(Network::Offline, NEEDS, requested_by), Some(Hold::Offline));
            assert_eq!(
                with_network(Network::Offline, NEEDS | Capabilities::LOW_DATA, requested_by),
                Some(Hold::Offline)
            );
        }
        assert_eq!(with_network(Network::Offline, NEEDS, RequestedBy::UserForced), None);
        assert_eq!(with_network(Network::Offline, Capabilities::default(), RequestedBy::Automatic), None);
    }

    #[test]
    fn a_metered_network_holds_automatic_runs_unless_they_are_low_data() {
        assert_eq!(with_network(Network::Metered, NEEDS, RequestedBy::Automatic), Some(Hold::Metered));
        assert_eq!(with_network(Network::Metered, NEEDS | Capabilities::LOW_DATA, RequestedBy::Automatic), None);
        assert_eq!(with_network(Network::Metered, Capabilities::default(), RequestedBy::Automatic), None);
        assert_eq!(with_network(Network::Metered, NEEDS, RequestedBy::User), None);
    }

    #[test]
    fn battery_power_holds_only_automatic_idle_runs() {
        let battery = Environment::UNKNOWN.with_power(Power::Battery);
        let held = |trigger, requested_by| holds(&battery, Capabilities::default(), trigger, requested_by);
        assert_eq!(held(Trigger::Idle, RequestedBy::Automatic), Some(Hold::OnBattery));
        assert_eq!(held(Trigger::Idle, RequestedBy::User), None);
        assert_eq!(held(Trigger::Scheduled, RequestedBy::Automatic), None);
    }

    #[test]
    fn an_announced_end_holds_automatic_runs_except_those_for_it() {
        let ending = |kind| Environment::UNKNOWN.with_ending(Ending::new(kind, SystemTime::UNIX_EPOCH));
        let automatic = RequestedBy::Automatic;
        for (capabilities, trigger, requested_by) in runs() {
            for kind in [EndingKind::Sleep, EndingKind::Shutdown] {
                let waits = requested_by == automatic && trigger != Trigger::PendingDisconnect;
                let hold = holds(&ending(kind), capabilities, trigger, requested_by);
                assert_eq!(hold, waits.then_some(Hold::Ending { kind }));
            }
        }
        let disconnect = ending(EndingKind::Disconnect);
        let hold = Hold::Ending { kind: EndingKind::Disconnect };
        assert_eq!(holds(&disconnect, NEEDS, Trigger::Scheduled, automatic), Some(hold));
        assert_eq!(holds(&disconnect, Capabilities::default(), Trigger::Scheduled, automatic), None);
    }

    #[test]
    fn an_active_user_holds_only_automatic_idle_runs() {
        let present = Environment::UNKNOWN.with_user(Presence::Present);
        let held = |trigger, requested_by| holds(&present, NEEDS, trigger, requested_by);
        assert_eq!(held(Trigger::Idle, RequestedBy::Automatic), Some(Hold::UserActive));
        assert_eq!(held(Trigger::Idle, RequestedBy::User), None);
        assert_eq!(held(Trigger::Scheduled, RequestedBy::Automatic), None);
    }

    #[test]
    fn requirements_hold_only_automatic_runs() {
        let battery = Environment::UNKNOWN.with_power(Power::Battery);
        let requirements = Requirements::NONE.with(Requirement::Mains);
        let needs = Needs { capabilities: Capabilities::default(), requirements };
        let held = |requested_by| holds(&battery, needs.clone(), Trigger::Scheduled, requested_by);
        assert_eq!(held(RequestedBy::Automatic), Some(Hold::OnBattery));
        assert_eq!([RequestedBy::User, RequestedBy::UserForced].map(held), [None, None]);
    }

    #[test]
    fn the_policy_decides_unless_the_user_returns_or_the_machine_goes_down() {
        let unknown = Environment::UNKNOWN;
        let sleeping = unknown.clone().with_ending(Ending::new(EndingKind::Sleep, SystemTime::UNIX_EPOCH));
        let metered = unknown.clone().with_network(Network::Metered);
        for trigger in (1..=6).map(Trigger::from_word) {
            let stops = |environment: &Environment| {
                let stops = |policy| hold_that_stops(environment.into(), NEEDS.into(), trigger, policy);
                [ConditionPolicy::Finish, ConditionPolicy::Stop].map(stops)
            };
            let [ending, active] = [Hold::Ending { kind: EndingKind::Sleep }, Hold::UserActive].map(Some);
            assert_eq!(
                stops(&sleeping),
                [ending.clone(), ending].map(|hold| hold.filter(|_| trigger != Trigger::PendingDisconnect))
            );
            assert_eq!(stops(&metered), [None, Some(Hold::Metered)]);
            let active = active.filter(|_| trigger == Trigger::Idle);
            assert_eq!(stops(&unknown.clone().with_user(Presence::Present)), [active.clone(), active.clone()]);
            let [finish, _] = stops(&metered.clone().with_user(Presence::Present));
            assert_eq!(finish, active, "the metered network does not hide that the user has returned");
        }
    }

    #[test]
    fn a_network_comes_back_behind_a_portal_once_the_user_has_logged_in() {
        let portal = Environment::UNKNOWN.with_network(Network::Online).with_connectivity(Connectivity::Portal);
        let offline = Environment::UNKNOWN.with_network(Network::Offline);
        assert!(!reconnected(&offline, &portal));
        assert!(reconnected(&portal, &portal.clone().with_connectivity(Connectivity::Full)));
        assert!(!reconnected(&portal, &offline));
    }

    #[test]
    fn a_network_comes_back_only_if_it_was_known_to_be_offline() {
        let environment = |network| Environment::UNKNOWN.with_network(network);
        let back: Vec<_> = NETWORKS
            .into_iter()
            .flat_map(|before| NETWORKS.map(|now| (before, now)))
            .filter(|&(before, now)| reconnected(&environment(before), &environment(now)))
            .collect();
        assert_eq!(back, [(Network::Offline, Network::Metered), (Network::Offline, Network::Online)]);
    }
}
