//! The holds that depend on the environment: no network, a metered network, battery power.

use super::hold::Hold;
use super::retry::Ask;
use crate::capabilities::Capabilities;
use crate::facts::{Facts, Network, Power};
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
/// # use syncmgr_core::{capabilities::Capabilities, decision::{conditions::holds, hold::Hold, retry::Ask}};
/// # use syncmgr_core::{facts::{Facts, Network}, trigger::Trigger};
/// let (train, mail) = (Facts::UNKNOWN.with_network(Network::Metered), Capabilities::NEEDS_NETWORK);
/// assert_eq!(holds(train, mail, Trigger::Scheduled, Ask::Automatic), Some(Hold::Metered));
/// assert_eq!(holds(train, mail, Trigger::Manual, Ask::ByHand), None);
/// ```
pub fn holds(facts: Facts, capabilities: Capabilities, trigger: Trigger, ask: Ask) -> Option<Hold> {
    let needs_network = capabilities.contains(Capabilities::NEEDS_NETWORK);
    match facts.network {
        Network::Offline if needs_network && ask != Ask::Forced => return Some(Hold::Offline),
        Network::Metered if needs_network && ask == Ask::Automatic && !capabilities.contains(Capabilities::FRUGAL) => {
            return Some(Hold::Metered);
        }
        _ => {}
    }
    let spare_battery = trigger == Trigger::Idle && ask == Ask::Automatic && facts.power == Power::Battery;
    spare_battery.then_some(Hold::OnBattery)
}

/// Returns `true` if the network came back: it was known to be offline before. The first known state of the network does not
/// count, so it clears no backoff.
pub fn reconnected(before: Facts, now: Facts) -> bool {
    before.network == Network::Offline && now.network.is_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORKS: [Network; 4] = [Network::Unknown, Network::Offline, Network::Metered, Network::Online];
    const NEEDS: Capabilities = Capabilities::NEEDS_NETWORK;

    fn runs() -> impl Iterator<Item = (Capabilities, Trigger, Ask)> {
        (0..=Capabilities::all().bits()).flat_map(|bits| {
            let capabilities = Capabilities::from_bits_truncate(bits);
            let asks = [Ask::Automatic, Ask::ByHand, Ask::Forced];
            (1..=6).flat_map(move |event| asks.map(|ask| (capabilities, Trigger::from_word(event), ask)))
        })
    }

    fn with_network(network: Network, capabilities: Capabilities, ask: Ask) -> Option<Hold> {
        holds(Facts::UNKNOWN.with_network(network), capabilities, Trigger::Scheduled, ask)
    }

    #[test]
    fn an_unknown_environment_holds_no_run() {
        assert!(runs().all(|(capabilities, trigger, ask)| holds(Facts::UNKNOWN, capabilities, trigger, ask).is_none()));
    }

    #[test]
    fn a_run_that_needs_a_network_waits_for_one_unless_it_is_forced() {
        for ask in [Ask::Automatic, Ask::ByHand] {
            assert_eq!(with_network(Network::Offline, NEEDS, ask), Some(Hold::Offline));
            assert_eq!(with_network(Network::Offline, NEEDS | Capabilities::FRUGAL, ask), Some(Hold::Offline));
        }
        assert_eq!(with_network(Network::Offline, NEEDS, Ask::Forced), None);
        assert_eq!(with_network(Network::Offline, Capabilities::default(), Ask::Automatic), None);
    }

    #[test]
    fn a_metered_network_holds_automatic_runs_unless_they_are_low_data() {
        assert_eq!(with_network(Network::Metered, NEEDS, Ask::Automatic), Some(Hold::Metered));
        assert_eq!(with_network(Network::Metered, NEEDS | Capabilities::FRUGAL, Ask::Automatic), None);
        assert_eq!(with_network(Network::Metered, Capabilities::default(), Ask::Automatic), None);
        assert_eq!(with_network(Network::Metered, NEEDS, Ask::ByHand), None);
    }

    #[test]
    fn battery_power_holds_only_automatic_idle_runs() {
        let battery = Facts::UNKNOWN.with_power(Power::Battery);
        let held = |trigger, ask| holds(battery, Capabilities::default(), trigger, ask);
        assert_eq!(held(Trigger::Idle, Ask::Automatic), Some(Hold::OnBattery));
        assert_eq!(held(Trigger::Idle, Ask::ByHand), None);
        assert_eq!(held(Trigger::Scheduled, Ask::Automatic), None);
    }

    #[test]
    fn a_network_comes_back_only_if_it_was_known_to_be_offline() {
        let environment = |network| Facts::UNKNOWN.with_network(network);
        let back: Vec<_> = NETWORKS
            .into_iter()
            .flat_map(|before| NETWORKS.map(|now| (before, now)))
            .filter(|&(before, now)| reconnected(environment(before), environment(now)))
            .collect();
        assert_eq!(back, [(Network::Offline, Network::Metered), (Network::Offline, Network::Online)]);
    }
}
