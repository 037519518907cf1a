//! The holds that depend on the environment: no network, a metered network, battery power.

use super::hold::Hold;
use super::retry::RequestedBy;
use crate::capabilities::Capabilities;
use crate::environment::{Environment, Network, Power};
use crate::trigger::Trigger;

/// Returns the reason why a run may not start in this environment. An unknown environment holds no run.
///
/// | hold | environment | held runs |
/// |---|---|---|
/// | offline | no network, and the run needs one | all but forced runs |
/// | metered | a metered network, and the run needs a network and is not low-data | automatic runs |
/// | on battery | battery power, and the trigger is idle | automatic runs |
///
/// ```
/// # use syncmgr_core::{capabilities::Capabilities, decision::{environment_holds::holds, hold::Hold, retry::RequestedBy}};
/// # use syncmgr_core::{environment::{Environment, Network}, trigger::Trigger};
/// let (train, mail) = (Environment::UNKNOWN.with_network(Network::Metered), Capabilities::NEEDS_NETWORK);
/// assert_eq!(holds(&train, mail, Trigger::Scheduled, RequestedBy::Automatic), Some(Hold::Metered));
/// assert_eq!(holds(&train, mail, Trigger::Manual, RequestedBy::User), None);
/// ```
pub fn holds(
    environment: &Environment,
    capabilities: Capabilities,
    trigger: Trigger,
    requested_by: RequestedBy,
) -> Option<Hold> {
    let needs_network = capabilities.contains(Capabilities::NEEDS_NETWORK);
    match environment.network {
        Network::Offline if needs_network && requested_by != RequestedBy::UserForced => return Some(Hold::Offline),
        Network::Metered
            if needs_network
                && requested_by == RequestedBy::Automatic
                && !capabilities.contains(Capabilities::LOW_DATA) =>
        {
            return Some(Hold::Metered);
        }
        _ => {}
    }
    let spare_battery =
        trigger == Trigger::Idle && requested_by == RequestedBy::Automatic && environment.power == Power::Battery;
    spare_battery.then_some(Hold::OnBattery)
}

/// Returns `true` if the network is up and was known to be offline before. The first known state of the network does not
/// count, so it clears no backoff.
pub fn reconnected(before: &Environment, now: &Environment) -> bool {
    before.network == Network::Offline && now.network.is_up()
}

#[cfg(test)]
mod tests {
    use super::*;

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
