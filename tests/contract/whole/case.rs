//! A case: a manager, its handlers, and what people do; and what was broken when it is over.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use syncmgr::{Report, SyncManager};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use super::acts::{Act, Deed, acts};
use super::ledger::Ledger;
use super::people::People;
use super::planning::plan;
use super::plans::Plan;
use super::world::{Setting, setting};
use super::{checks, probe};

/// Longer than anything may take.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than anything takes that is not stuck.
const TEN_MINUTES: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) setting: Setting,
    pub(crate) handlers: Vec<Plan>,
    pub(crate) acts: Vec<Act>,
    pub(crate) before_shutdown: Before,
    /// What people try when it is too late.
    pub(crate) late: Vec<Act>,
}

/// What comes before the manager is shut down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Before {
    /// Nothing: whatever goes on is cut short.
    Nothing,
    /// People end what they have begun, and somebody looks at what is left.
    Tidying,
    /// Everything is let come to its end by itself, and somebody looks at what is left.
    Patience,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let late = prop_oneof![2 => Just(Vec::new()), 1 => acts(4)];
    let before = prop_oneof![Just(Before::Nothing), Just(Before::Tidying), Just(Before::Patience)];
    (setting(), vec(plan(), 1..=4), acts(40), before, late).prop_map(
        |(setting, handlers, acts, before_shutdown, late)| {
            Case { setting, handlers, acts, before_shutdown, late }.that_may_end()
        },
    )
}

impl Case {
    /// Where everybody is patient, nothing is without an end that only a person could set.
    fn that_may_end(self) -> Self {
        if self.before_shutdown != Before::Patience {
            return self;
        }
        let handlers = self.handlers.into_iter().map(Plan::that_ends).collect();
        let stays_paused = |act: &Act| matches!(act.deed, Deed::PauseSession(_));
        let acts = self.acts.into_iter().filter(|act| !stays_paused(act)).collect();
        Self { setting: self.setting.that_ends(), handlers, acts, ..self }
    }
}

/// Plays a case in a runtime of its own, and says what was broken.
pub(crate) fn play(case: &Case) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let ledger = Ledger::default();
    let manager = case.setting.manager(&ledger);
    let stage = Cell::new("");
    let played = runtime.block_on(async { timeout(A_DAY, perform(case, &manager, &ledger, &stage)).await });
    if played.is_err() {
        ledger.broken(format!("hangs while {}: {:?}", stage.get(), manager.held()));
        return std::mem::take(&mut ledger.books().broken);
    }
    checks::books(&ledger.books())
}

async fn perform(case: &Case, manager: &SyncManager, ledger: &Ledger, stage: &Cell<&'static str>) {
    let mut people = People::new(manager.clone(), case.handlers.clone(), ledger.clone(), case.before_shutdown);
    stage.set("people act");
    for act in &case.acts {
        people.act(act).await;
    }
    stage.set("everything is to come to its end");
    match case.before_shutdown {
        Before::Nothing => {}
        Before::Tidying => tidy(&mut people, ledger).await,
        Before::Patience => come_to_an_end(&mut people, ledger).await,
    }
    if case.before_shutdown != Before::Nothing {
        stage.set("somebody looks what is left");
        let held = manager.held();
        if !held.is_empty() {
            ledger.broken(format!("held although nobody wants anything: {held:?}"));
        }
        probe::missing(manager, &case.setting).await.into_iter().for_each(|missing| ledger.broken(missing));
    }
    stage.set("shutting down");
    for unstopped in manager.shutdown().await {
        ledger.broken(format!("{unstopped} ({unstopped:?})"));
    }
    stage.set("people act too late");
    for act in &case.late {
        people.act(act).await;
    }
    stage.set("those who asked wait");
    for session in people.held() {
        look_at(&session.report().await, &people, ledger);
    }
    hear(&mut people, ledger).await;
    // Handlers in the call/completed style may have something to say yet.
    sleep(Duration::from_secs(2)).await;
    at_the_end(manager, ledger);
}

/// Ends everything by the means people have.
async fn tidy(people: &mut People, ledger: &Ledger) {
    loop {
        people.give_up();
        // What has not ended by then is told once more.
        if timeout(Duration::from_secs(1), hear(people, ledger)).await.is_ok() {
            break;
        }
    }
}

/// Waits for what everything comes to by itself.
async fn come_to_an_end(people: &mut People, ledger: &Ledger) {
    people.leave();
    if timeout(TEN_MINUTES, hear(people, ledger)).await.is_err() {
        ledger.broken(format!("does not end by itself: {:?}", people.manager.held()));
        people.waiting.abort_all();
    }
}

/// Waits until everybody who asked was answered, and everybody who watches has seen the end.
async fn hear(people: &mut People, ledger: &Ledger) {
    while let Some(reports) = answer(&mut people.waiting, ledger).await {
        reports.iter().for_each(|report| look_at(report, people, ledger));
    }
    while let Some(story) = answer(&mut people.watching, ledger).await {
        story.faults().into_iter().for_each(|fault| ledger.broken(fault));
    }
}

/// The next of them that has an answer; `None` once all have.
async fn answer<T: Default + 'static>(tasks: &mut JoinSet<T>, ledger: &Ledger) -> Option<T> {
    let joined = tasks.join_next().await?;
    let unanswered = |error| ledger.broken(format!("somebody who asked was not answered: {error:?}"));
    Some(joined.map_err(unanswered).unwrap_or_default())
}

fn look_at(report: &Report, people: &People, ledger: &Ledger) {
    let asked = checks::asked(report, &people.plans, &people.asked);
    let faults: Vec<_> = checks::report(report, ledger).into_iter().chain(asked).collect();
    faults.into_iter().for_each(|fault| ledger.broken(fault));
}

fn at_the_end(manager: &SyncManager, ledger: &Ledger) {
    let alive = Handle::current().metrics().num_alive_tasks();
    if alive > 0 {
        ledger.broken(format!("{alive} tasks go on"));
    }
    let held = manager.held();
    if !held.is_empty() {
        ledger.broken(format!("held after the shutdown: {held:?}"));
    }
}
