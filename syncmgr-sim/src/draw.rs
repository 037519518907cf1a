//! A script by chance.

use std::time::Duration;

use fastrand::Rng;
use syncmgr_core::facts::{Network, Power, Presence};
use syncmgr_core::trigger::Trigger;

use crate::dice::Dice;
use crate::script::{Commits, Item, Kind, Part, ProviderPlan, Rule};
use crate::step::{Bother, Fault, Place, Scope, Start, Step};

/// How many claims there are.
pub(crate) const CLAIMS: usize = 3;

/// The parts that follow from a seed.
pub(crate) fn parts(seed: u64, handlers: usize) -> Vec<Part> {
    let mut rng = Dice::new(seed).of("script").rng();
    let mut parts: Vec<_> = rules(&mut rng).into_iter().map(Part::Rule).collect();
    let providers = handlers..handlers + rng.usize(1..=3);
    for place in providers.clone() {
        parts.push(Part::ProviderPlan(provider(&mut rng, place)));
        let items = rng.usize(1..=4);
        parts.extend((0..items).map(|item| Part::Item(self::item(&mut rng, place, item))));
    }
    let steps = rng.usize(4..=40);
    for _ in 0..steps {
        parts.extend(some_steps(&mut rng, providers.end).into_iter().map(Part::Step));
    }
    parts
}

fn rules(rng: &mut Rng) -> Vec<Rule> {
    let mut rules = vec![Rule::Shaken];
    if rng.bool() {
        rules.push(Rule::ItemsAtOnce(rng.usize(1..=3)));
    }
    if rng.bool() {
        rules.push(Rule::Capacity(0, 2));
    }
    if rng.bool() {
        rules.push(Rule::ResumeAtOnce);
    }
    if rng.bool() {
        rules.push(Rule::Retry(rng.u64(1..=60), rng.u64(30..=3_600), rng.u32(2..=6)));
    }
    if rng.u8(..4) == 0 {
        rules.push(Rule::Chooser);
    }
    rules
}

fn provider(rng: &mut Rng, place: usize) -> ProviderPlan {
    ProviderPlan {
        place,
        at_once: rng.usize(..4),
        claim: (rng.u8(..4) == 0).then(|| rng.usize(..CLAIMS)),
        network: (rng.u8(..3) == 0).then(|| rng.bool()),
        commits: rng.choice([Commits::EachChunk, Commits::EachChunk, Commits::AtTheEnd]).unwrap_or_default(),
        asks: rng.u8(..5) == 0,
        connects: rng.u8(..4) == 0,
    }
}

fn item(rng: &mut Rng, provider: usize, place: usize) -> Item {
    let kinds =
        [Kind::Plain, Kind::Plain, Kind::Plain, Kind::Decides, Kind::Uninterrupted, Kind::Spawns, Kind::Concurrent];
    let kind = rng.choice(kinds).unwrap_or_default();
    Item { provider, place, chunks: rng.u64(1..=5), claim: (rng.u8(..3) == 0).then(|| rng.usize(..CLAIMS)), kind }
}

/// A step, or a few that mean something together.
fn some_steps(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    if rng.u8(..20) > 0 {
        return vec![step(rng, handlers)];
    }
    let away = Step::Pass(time(rng));
    let pause = Step::Network(Network::Offline);
    vec![pause, step(rng, handlers), away, Step::Network(Network::Online)]
}

fn step(rng: &mut Rng, handlers: usize) -> Step {
    let handler = rng.usize(..handlers);
    let item = Place { handler, item: rng.usize(..4) };
    match rng.u8(..100) {
        0..22 => Step::Pass(time(rng)),
        22..44 => Step::Start(start(rng, handler)),
        44..58 => trouble(rng, handler, item),
        58..66 => ending(rng, handler, item),
        66..72 => Step::Answer { handler, choice: rng.usize(..3) },
        72..82 => world(rng),
        82..86 => Step::Update(item),
        86..94 => {
            rng.choice([Step::Crash(0), Step::Crash(1), Step::Crash(9), Step::ShutDown]).unwrap_or(Step::Crash(0))
        }
        94..98 => store(rng),
        _ => rng
            .choice([
                Step::Unregister(handler),
                Step::Register(handler),
                Step::Register(handler),
                Step::ForgetItem(item),
                Step::Forget(handler),
            ])
            .unwrap_or(Step::Register(handler)),
    }
}

/// Milliseconds as often as days.
fn time(rng: &mut Rng) -> Duration {
    let most = rng.choice([5, 60, 300, 2_000, 20_000, 120_000, 900_000, 7_200_000, 90_000_000]).unwrap_or(1);
    Duration::from_millis(rng.u64(1..=most))
}

fn start(rng: &mut Rng, handler: usize) -> Start {
    use Trigger::*;
    let scope = match rng.u8(..4) {
        0 => Scope::Handler(handler),
        1 => Scope::Items(handler, rng.u8(1..16)),
        _ => Scope::All,
    };
    let trigger = rng.choice([Manual, Manual, Manual, Scheduled, Scheduled, Idle, Connect, Invoke]).unwrap_or(Manual);
    let bother = if rng.u8(..3) == 0 { Bother::Yes } else { Bother::No };
    Start { trigger, scope, bother, insists: rng.u8(..8) == 0 }
}

fn trouble(rng: &mut Rng, handler: usize, item: Place) -> Step {
    use Fault::*;
    let wait = NotBefore(rng.u64(1..=20_000));
    let faults =
        [Transient, Transient, Transient, wait, wait, Permanent, Gone, Unreadable, NeedsUser, Tolerated, Hang, Panic];
    match rng.u8(..12) {
        0 => Step::FailListing(handler, rng.u32(1..=3)),
        1 => Step::Delete(item, rng.u64(1..=40)),
        2 => Step::Toggle(item),
        _ => Step::Fault { item, fault: rng.choice(faults).unwrap_or(Transient), times: rng.u32(1..=8) },
    }
}

fn ending(rng: &mut Rng, handler: usize, item: Place) -> Step {
    match rng.u8(..8) {
        0..4 => Step::Skip(item),
        4 => Step::StopHandler(handler),
        5 => Step::StopSession(rng.usize(..4)),
        6 => Step::Pause,
        _ => Step::Resume,
    }
}

fn world(rng: &mut Rng) -> Step {
    let networks = [Network::Offline, Network::Online, Network::Online, Network::Metered];
    match rng.u8(..8) {
        0..5 => Step::Network(rng.choice(networks).unwrap_or_default()),
        5 => Step::Power(rng.choice([Power::Battery, Power::Mains]).unwrap_or_default()),
        6 => Step::User(rng.choice([Presence::Absent, Presence::Present]).unwrap_or_default()),
        _ => Step::Wall(rng.i64(-100_000..=100_000)),
    }
}

fn store(rng: &mut Rng) -> Step {
    match rng.u8(..8) {
        0..4 => Step::SlowStore(Duration::from_millis(rng.u64(1..=3_000))),
        4 => Step::FailWrite(rng.u64(..6)),
        5 => Step::Lie,
        _ => Step::HealStore,
    }
}
