//! Episodes: steps that belong together, for situations that random steps rarely reach. A script has at most one of each kind.

use std::time::Duration;

use fastrand::Rng;
use syncmgr_core::trigger::Trigger;

use crate::conditions::{while_conditions_change, while_items_change, while_schedules_fire};
use crate::generate::some_steps;
use crate::rng::RngSource;
use crate::step::{Fault, ItemIndex, Scope, Start, Step, UserInteraction};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Generates the steps of an episode, for this number of handlers.
type Episode = fn(&mut Rng, usize) -> Vec<Step>;

/// Generates the episodes of a script. They come last. Each is drawn from a source of its own, so that it does not change the
/// other parts.
pub(crate) fn steps(seed: u64, handlers: usize) -> Vec<Step> {
    let episodes: [(_, _, Episode); 7] = [
        ("disabled", 1, while_disabled),
        ("killing", 1, while_killed),
        ("unlisted", 1, while_unlisted),
        ("destructor", 1, with_faulty_destructors),
        ("scheduled", 1, while_schedules_fire),
        ("conditions", 2, while_conditions_change),
        ("changes", 2, while_items_change),
    ];
    let generate = |(name, quarters, episode): (&str, u8, Episode)| {
        let mut rng = RngSource::new(seed).named(name).rng();
        if rng.u8(..4) < quarters { episode(&mut rng, handlers) } else { Vec::new() }
    };
    episodes.into_iter().flat_map(generate).collect()
}

/// Generates steps while a handler or an item is disabled.
fn while_disabled(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let (handler, item) = (rng.usize(..handlers), (rng.u8(..3) > 0).then(|| rng.usize(..4)));
    let mut steps = vec![Step::Disable(handler, item)];
    let meanwhile = rng.usize(2..=8);
    (0..meanwhile).for_each(|_| steps.extend(some_steps(rng, handlers)));
    steps.push(Step::Enable(handler, item));
    let afterwards = rng.usize(..4);
    (0..afterwards).for_each(|_| steps.extend(some_steps(rng, handlers)));
    steps
}

/// Generates steps while an item ends its process each time it runs.
fn while_killed(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let item = some_item(rng, handlers);
    let mut steps = vec![Step::FailAttempts { item, fault: Fault::Kill, times: rng.u32(1..=9) }];
    for _ in 0..rng.usize(1..=3) {
        steps.extend([start_all(Trigger::Scheduled), Step::AdvanceTime(HOUR * rng.u32(1..=24))]);
        steps.extend(some_steps(rng, handlers));
    }
    steps
}

/// Generates steps in which an item has failed and is no longer listed.
fn while_unlisted(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let item = some_item(rng, handlers);
    let moment = |rng: &mut Rng| Step::AdvanceTime(Duration::from_millis(rng.u64(1..=10_000)));
    let mut steps = vec![Step::FailAttempts { item, fault: Fault::Transient, times: rng.u32(1..=3) }];
    steps.extend([start_all(Trigger::Manual), moment(rng), Step::TogglePresence(item)]);
    steps.extend([start_all(Trigger::Scheduled), moment(rng)]);
    steps.extend(some_steps(rng, handlers));
    steps.push(Step::AdvanceTime(HOUR * rng.u32(1..=24)));
    steps
}

/// Generates steps while the errors of an item have a faulty destructor.
fn with_faulty_destructors(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let item = some_item(rng, handlers);
    let fault = Step::FailAttempts { item, fault: Fault::PanicOnDrop, times: rng.u32(1..=4) };
    let mut steps = vec![fault, start_all(Trigger::Manual)];
    (0..3).for_each(|_| steps.extend(some_steps(rng, handlers)));
    steps
}

pub(crate) fn some_item(rng: &mut Rng, handlers: usize) -> ItemIndex {
    ItemIndex { handler: rng.usize(..handlers), item: rng.usize(..2) }
}

pub(crate) fn start_all(trigger: Trigger) -> Step {
    Step::Start(Start { trigger, scope: Scope::All, interaction: UserInteraction::Forbidden, force: false })
}
