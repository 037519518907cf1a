//! What is about to end: sleep, shutdown, and the end of the network connection.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use futures::stream::BoxStream;
use syncmgr_core::environment::{Ending, EndingKind, Environment};
use syncmgr_core::trigger::Trigger;
use syncmgr_runtime::environment::EnvironmentSource;

use crate::episode::{some_item, start_all};
use crate::generate::some_steps;
use crate::model::Finding;
use crate::process::Process;
use crate::rng::RngSource;
use crate::rule::Rule;
use crate::script::{Part, Setting};
use crate::sim::Sim;
use crate::step::Step;
use syncmgr_test::ManualEnvironment;

/// The source of a process's environment. It records that the manager lets the system go on.
pub(crate) struct SimulatedSystem {
    pub(crate) values: ManualEnvironment,
    pub(crate) sim: Sim,
}

impl EnvironmentSource for SimulatedSystem {
    fn now(&self) -> Environment {
        self.values.now()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        self.values.changes()
    }

    fn release(&self, ending: Ending) {
        self.sim.try_with(|state| {
            state.note(&format!("the system may go on: {:?}", ending.kind));
            let now = state.elapsed();
            for (invariant, details) in state.model.release(ending, now) {
                state.report_violation(invariant, details);
            }
        });
    }
}

impl Process<'_> {
    /// Announces an end in the environment.
    pub(crate) fn announce(&self, kind: EndingKind, time: Duration) {
        let deadline = self.sim.with(|state| state.wall()) + time;
        let registered = self.handlers.keys().filter(|handler| self.manager.registration(**handler).is_some());
        let free = registered.filter(|handler| !self.is_held(**handler)).copied().collect();
        self.set_environment(|environment| environment.with_ending(Ending::new(kind, deadline)));
        self.sim.try_with(|state| {
            let now = state.elapsed();
            state.model.announce(Ending::new(kind, deadline), now, now + time, free);
        });
    }

    pub(crate) fn withdraw(&self) {
        self.sim.try_with(|state| state.model.withdraw());
        self.set_environment(|environment| environment.with_ending(None));
    }

    /// Lets the machine sleep once the manager has released it.
    pub(crate) async fn sleep_machine(&self, time: Duration) {
        let limit = Duration::from_secs(2);
        self.announce(EndingKind::Sleep, limit);
        self.run_until_idle().await;
        if self.sim.with(|state| state.model.is_awaited()) {
            self.advance(limit).await;
        }
        self.check_release().into_iter().for_each(|(invariant, details)| self.sim.report_violation(invariant, details));
        self.correct(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        self.withdraw();
    }

    /// Checks that the system goes on at the deadline, and before that once nothing is left to do.
    pub(crate) fn check_release(&self) -> Option<Finding> {
        let is_idle = || !self.handlers.keys().any(|handler| self.is_handler_active(*handler));
        let (is_awaited, is_over) = self.sim.with(|state| {
            let now = state.elapsed();
            (state.model.is_awaited(), state.model.is_past_deadline(now))
        });
        let is_late = is_awaited && (is_over || is_idle());
        is_late.then(|| ("the system goes on once nothing is left to do", "the manager has not released it".into()))
    }
}

/// Generates the parts of a script that concern waits for the user and the network, and what is about to end. They come last.
pub(crate) fn parts(seed: u64, providers: Range<usize>) -> Vec<Part> {
    let mut rng = RngSource::new(seed).named("endings").rng();
    let some =
        |rng: &mut Rng, setting: fn(u64) -> Setting| rng.bool().then(|| Part::Setting(setting(rng.u64(1..=600))));
    let mut parts: Vec<_> = some(&mut rng, Setting::IdleAfter).into_iter().collect();
    parts.extend(some(&mut rng, Setting::ConnectDelay));
    parts.extend(providers.clone().filter(|_| rng.bool()).map(|provider| Part::Rule(Rule::RunsBeforeEnd(provider))));
    if rng.bool() {
        parts.extend(while_something_ends(&mut rng, providers.end).into_iter().map(Part::Step));
    }
    if rng.u8(..3) == 0 {
        parts.extend(with_last_change(&mut rng, providers.end).into_iter().map(Part::Step));
    }
    parts
}

/// Generates a change on this machine at the end of the script, during or after a run.
fn with_last_change(rng: &mut Rng, handlers: usize) -> [Step; 6] {
    let item = some_item(rng, handlers);
    let change = if rng.bool() { Step::ChangeAny(item.handler) } else { Step::Change(item) };
    let [listed, listed_again] = [60, 120].map(|seconds| Step::AdvanceTime(Duration::from_secs(seconds)));
    let moment = Step::AdvanceTime(Duration::from_millis(rng.u64(1..=600)));
    [start_all(Trigger::Manual), listed, start_all(Trigger::Manual), moment, change, listed_again]
}

/// Generates steps while something is about to end, often during runs.
fn while_something_ends(rng: &mut Rng, handlers: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..rng.usize(1..=4) {
        let trigger = rng.choice([Trigger::Manual, Trigger::Scheduled, Trigger::Idle]).unwrap_or(Trigger::Idle);
        steps.extend([start_all(trigger), Step::AdvanceTime(Duration::from_millis(rng.u64(1..=400)))]);
        let kinds = [EndingKind::Sleep, EndingKind::Shutdown, EndingKind::Disconnect];
        let kind = rng.choice(kinds).unwrap_or(EndingKind::Sleep);
        steps.push(Step::Announce(kind, Duration::from_millis(rng.u64(100..=6_000))));
        if rng.u8(..3) == 0 {
            steps.extend(some_steps(rng, handlers));
        }
        steps.extend([Step::AdvanceTime(Duration::from_millis(rng.u64(1..=8_000))), Step::Withdraw]);
    }
    steps
}
