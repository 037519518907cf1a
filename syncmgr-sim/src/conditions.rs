//! Episodes of schedules, conditions and local changes.

use std::time::Duration;

use fastrand::Rng;
use syncmgr_core::environment::{Battery, Connectivity, Network, Power, Presence};
use syncmgr_core::trigger::Trigger;

use crate::episode::{some_item, start_all};
use crate::generate::some_steps;
use crate::step::Step;

const MINUTE: Duration = Duration::from_secs(60);

/// Generates steps during which schedules fire: while the machine sleeps, no process runs, or the clock is corrected.
pub(crate) fn while_schedules_fire(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let mut steps = vec![start_all(Trigger::Manual), Step::AdvanceTime(MINUTE)];
    for _ in 0..rng.usize(3..=10) {
        steps.push(match rng.u8(..12) {
            0..4 => Step::AdvanceTime(MINUTE * rng.u32(1..=2_000)),
            4..6 => Step::Sleep(MINUTE * rng.u32(1..=2_000)),
            6 => Step::CorrectClock(rng.i64(-9_000..=9_000)),
            7 => Step::CorrectClock(rng.i64(-100_000..=100_000)),
            8 => rng.choice([Step::Crash(0), Step::Crash(9), Step::ShutDown]).unwrap_or(Step::ShutDown),
            9 => Step::Unregister(rng.usize(..handlers)),
            10 => Step::Register(rng.usize(..handlers)),
            _ => condition(rng),
        });
        steps.push(Step::AdvanceTime(MINUTE * rng.u32(1..=300)));
        if rng.u8(..3) == 0 {
            steps.extend(some_steps(rng, handlers));
        }
    }
    steps
}

/// Generates steps while conditions come and go.
pub(crate) fn while_conditions_change(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..rng.usize(1..=5) {
        steps.extend(all(if rng.u8(..4) > 0 { Conditions::Good } else { Conditions::Bad }));
        let trigger = rng.choice([Trigger::Scheduled, Trigger::Scheduled, Trigger::Idle]).unwrap_or(Trigger::Idle);
        steps.extend([start_all(trigger), Step::AdvanceTime(Duration::from_millis(rng.u64(1..=900)))]);
        match rng.u8(..4) {
            0 => steps.push(condition(rng)),
            1 => steps.extend(some_steps(rng, handlers)),
            _ => steps.extend(all(Conditions::Bad)),
        }
    }
    steps
}

/// Generates steps while items change on this machine, often during their runs.
pub(crate) fn while_items_change(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let mut steps = vec![start_all(Trigger::Manual), Step::AdvanceTime(MINUTE)];
    for _ in 0..rng.usize(2..=5) {
        let item = some_item(rng, handlers);
        for _ in 0..rng.usize(1..=4) {
            let change = if rng.u8(..5) == 0 { Step::ChangeAny(item.handler) } else { Step::Change(item) };
            steps.extend([change, Step::AdvanceTime(Duration::from_millis(rng.u64(300..=1_200)))]);
        }
        match rng.u8(..4) {
            0 => steps.extend(some_steps(rng, handlers)),
            1 => steps.push(condition(rng)),
            _ => steps.push(Step::AdvanceTime(MINUTE)),
        }
    }
    steps
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Conditions {
    Good,
    Bad,
}

/// Sets all conditions.
fn all(conditions: Conditions) -> [Step; 5] {
    match conditions {
        Conditions::Good => [
            Step::Network(Network::Online),
            Step::Connectivity(Connectivity::Full),
            Step::Power(Power::Mains),
            Step::Battery(Battery::Normal),
            Step::GoIdle,
        ],
        Conditions::Bad => [
            Step::Network(Network::Metered),
            Step::Connectivity(Connectivity::Limited),
            Step::Power(Power::Battery),
            Step::Battery(Battery::Low),
            Step::BecomeActive,
        ],
    }
}

fn condition(rng: &mut Rng) -> Step {
    let networks = [Network::Offline, Network::Metered, Network::Online];
    let reaches = [Connectivity::Portal, Connectivity::Limited, Connectivity::Full];
    match rng.u8(..6) {
        0 => Step::Network(rng.choice(networks).unwrap_or_default()),
        1 => Step::Connectivity(rng.choice(reaches).unwrap_or_default()),
        2 => Step::Power(rng.choice([Power::Battery, Power::Mains]).unwrap_or_default()),
        3 => Step::Battery(rng.choice([Battery::Low, Battery::Normal]).unwrap_or_default()),
        4 => Step::User(rng.choice([Presence::Absent, Presence::Present]).unwrap_or_default()),
        _ => rng.choice([Step::GoIdle, Step::BecomeActive]).unwrap_or(Step::GoIdle),
    }
}
