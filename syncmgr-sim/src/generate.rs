//! Generation of scripts.

use std::time::Duration;

use fastrand::Rng;
use syncmgr_core::environment::{Network, Power, Presence};
use syncmgr_core::trigger::Trigger;

use crate::endings;
use crate::episode;
use crate::rng::RngSource;
use crate::rule;
use crate::script::{Commits, Item, Kind, Part, ProviderPlan, Setting};
use crate::step::{Fault, ItemIndex, Scope, Start, Step, UserInteraction};

/// The number of different claims.
pub(crate) const CLAIMS: usize = 3;

/// Generates the parts of a seed's script. `handlers` is the number of added handlers, which have the lowest indices.
pub(crate) fn parts(seed: u64, handlers: usize) -> Vec<Part> {
    let seeded = RngSource::new(seed);
    let mut rng = seeded.named("script").rng();
    let mut parts: Vec<_> = settings(&mut rng).into_iter().map(Part::Setting).collect();
    let providers = handlers..handlers + rng.usize(1..=3);
    for index in providers.clone() {
        parts.push(Part::ProviderPlan(provider(&mut rng, seeded, index)));
        let items = rng.usize(1..=4);
        parts.extend((0..items).map(|item| Part::Item(self::item(&mut rng, index, item))));
    }
    let steps = rng.usize(4..=40);
    for _ in 0..steps {
        parts.extend(some_steps(&mut rng, providers.end).into_iter().map(Part::Step));
    }
    parts.extend(episode::steps(seed, providers.end).into_iter().map(Part::Step));
    parts.extend(rule::rules(seed, providers.clone()).into_iter().map(Part::Rule));
    parts.extend(endings::parts(seed, providers));
    parts
}

fn settings(rng: &mut Rng) -> Vec<Setting> {
    let mut settings = vec![Setting::RandomDelays];
    if rng.bool() {
        settings.push(Setting::MaxConcurrentItems(rng.usize(1..=3)));
    }
    if rng.bool() {
        settings.push(Setting::Capacity(0, 2));
    }
    if rng.bool() {
        settings.push(Setting::ResumeImmediately);
    }
    if rng.bool() {
        settings.push(Setting::Retry(rng.u64(1..=60), rng.u64(30..=3_600), rng.u32(2..=6)));
    }
    if rng.u8(..4) == 0 {
        settings.push(Setting::Chooser);
    }
    settings
}

fn provider(rng: &mut Rng, seeded: RngSource, index: usize) -> ProviderPlan {
    ProviderPlan {
        index,
        max_concurrent: rng.usize(..4),
        claim: (rng.u8(..4) == 0).then(|| rng.usize(..CLAIMS)),
        network: (rng.u8(..3) == 0).then(|| rng.bool()),
        commits: rng.choice([Commits::EachChunk, Commits::EachChunk, Commits::AtTheEnd]).unwrap_or_default(),
        asks: rng.u8(..5) == 0,
        connects: rng.u8(..4) == 0,
        runs_at_connect: seeded.named("connect").nth(index).rng().u8(..4) > 0,
    }
}

fn item(rng: &mut Rng, provider: usize, index: usize) -> Item {
    let kinds =
        [Kind::Plain, Kind::Plain, Kind::Plain, Kind::Decides, Kind::Uninterrupted, Kind::Spawns, Kind::Concurrent];
    let kind = rng.choice(kinds).unwrap_or_default();
    Item { provider, index, chunks: rng.u64(1..=5), claim: (rng.u8(..3) == 0).then(|| rng.usize(..CLAIMS)), kind }
}

/// Generates a step, or a short outage of the network around a step.
pub(crate) fn some_steps(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    if rng.u8(..20) > 0 {
        return vec![step(rng, handlers)];
    }
    let duration = Step::AdvanceTime(duration(rng));
    let offline = Step::Network(Network::Offline);
    vec![offline, step(rng, handlers), duration, Step::Network(Network::Online)]
}

fn step(rng: &mut Rng, handlers: usize) -> Step {
    let handler = rng.usize(..handlers);
    let item = ItemIndex { handler, item: rng.usize(..4) };
    match rng.u8(..100) {
        0..22 => Step::AdvanceTime(duration(rng)),
        22..44 => Step::Start(start(rng, handler)),
        44..58 => fault_step(rng, handler, item),
        58..66 => stop_step(rng, handler, item),
        66..72 => Step::Answer { handler, choice: rng.usize(..3) },
        72..82 => environment_step(rng),
        82..86 => Step::Update(item),
        86..94 => {
            rng.choice([Step::Crash(0), Step::Crash(1), Step::Crash(9), Step::ShutDown]).unwrap_or(Step::Crash(0))
        }
        94..98 => store_step(rng),
        _ => rng
            .choice([
                Step::Unregister(handler),
                Step::Register(handler),
                Step::Register(handler),
                Step::ForgetItem(item),
                Step::ForgetHandler(handler),
            ])
            .unwrap_or(Step::Register(handler)),
    }
}

/// Generates a duration; each magnitude from milliseconds to days is equally likely.
fn duration(rng: &mut Rng) -> Duration {
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
    let interaction = if rng.u8(..3) == 0 { UserInteraction::Allowed } else { UserInteraction::Forbidden };
    Start { trigger, scope, interaction, force: rng.u8(..8) == 0 }
}

fn fault_step(rng: &mut Rng, handler: usize, item: ItemIndex) -> Step {
    use Fault::*;
    let wait = NotBefore(rng.u64(1..=20_000));
    let faults =
        [Transient, Transient, Transient, wait, wait, Permanent, Gone, Unreadable, NeedsUser, Tolerated, Hang, Panic];
    match rng.u8(..12) {
        0 => Step::FailListing(handler, rng.u32(1..=3)),
        1 => Step::Delete(item, rng.u64(1..=40)),
        2 => Step::TogglePresence(item),
        _ => Step::FailAttempts { item, fault: rng.choice(faults).unwrap_or(Transient), times: rng.u32(1..=8) },
    }
}

fn stop_step(rng: &mut Rng, handler: usize, item: ItemIndex) -> Step {
    match rng.u8(..8) {
        0..4 => Step::Skip(item),
        4 => Step::StopHandler(handler),
        5 => Step::StopSession(rng.usize(..4)),
        6 => Step::Pause,
        _ => Step::Resume,
    }
}

fn environment_step(rng: &mut Rng) -> Step {
    let networks = [Network::Offline, Network::Online, Network::Online, Network::Metered];
    match rng.u8(..8) {
        0..5 => Step::Network(rng.choice(networks).unwrap_or_default()),
        5 => Step::Power(rng.choice([Power::Battery, Power::Mains]).unwrap_or_default()),
        6 => Step::User(rng.choice([Presence::Absent, Presence::Present]).unwrap_or_default()),
        _ => Step::CorrectClock(rng.i64(-100_000..=100_000)),
    }
}

fn store_step(rng: &mut Rng) -> Step {
    match rng.u8(..8) {
        0..4 => Step::SlowStore(Duration::from_millis(rng.u64(1..=3_000))),
        4 => Step::FailWrite(rng.u64(..6)),
        5 => Step::LoseWrites,
        _ => Step::RecoverStore,
    }
}
