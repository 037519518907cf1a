//! A case: a manager, its handlers and the actions of its users. Running a case returns the violations that it finds.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use syncmgr::{Report, SyncManager};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use super::actions::{TimedAction, UserAction, actions};
use super::model::Model;
use super::planning::plan;
use super::plans::HandlerPlan;
use super::setup::{Setting, setting};
use super::users::Users;
use super::{checks, probe};

/// The time limit of a whole case.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The time limit of work that ends by itself.
const TEN_MINUTES: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) setting: Setting,
    pub(crate) handlers: Vec<HandlerPlan>,
    pub(crate) actions: Vec<TimedAction>,
    pub(crate) before_shutdown: BeforeShutdown,
    /// Actions after the shutdown.
    pub(crate) late: Vec<TimedAction>,
}

/// The phase before the manager is shut down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BeforeShutdown {
    /// The shutdown stops all work.
    Nothing,
    /// The users stop their work, and the case then checks for leaks.
    StopAll,
    /// All work ends by itself, and the case then checks for leaks.
    WaitForEnd,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let late = prop_oneof![2 => Just(Vec::new()), 1 => actions(4)];
    let before =
        prop_oneof![Just(BeforeShutdown::Nothing), Just(BeforeShutdown::StopAll), Just(BeforeShutdown::WaitForEnd)];
    (setting(), vec(plan(), 1..=4), actions(40), before, late).prop_map(
        |(setting, handlers, actions, before_shutdown, late)| {
            Case { setting, handlers, actions, before_shutdown, late }.into_terminating()
        },
    )
}

impl Case {
    /// With [`BeforeShutdown::WaitForEnd`], removes all work that only a user could end.
    fn into_terminating(self) -> Self {
        if self.before_shutdown != BeforeShutdown::WaitForEnd {
            return self;
        }
        let handlers = self.handlers.into_iter().map(HandlerPlan::into_terminating).collect();
        let pauses = |timed: &TimedAction| matches!(timed.action, UserAction::PauseSession(_));
        let actions = self.actions.into_iter().filter(|timed| !pauses(timed)).collect();
        Self { setting: self.setting.into_terminating(), handlers, actions, ..self }
    }
}

/// Runs a case in a runtime of its own and returns the violations.
pub(crate) fn run(case: &Case) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is built");
    let model = Model::default();
    let manager = case.setting.manager(&model);
    let stage = Cell::new("");
    let finished = runtime.block_on(async { timeout(A_DAY, perform(case, &manager, &model, &stage)).await });
    if finished.is_err() {
        model.violation(format!("hangs while {}: {:?}", stage.get(), manager.held()));
        return std::mem::take(&mut model.lock().violations);
    }
    checks::model_state(&model.lock())
}

async fn perform(case: &Case, manager: &SyncManager, model: &Model, stage: &Cell<&'static str>) {
    let mut users = Users::new(manager.clone(), case.handlers.clone(), model.clone(), case.before_shutdown);
    stage.set("users act");
    for timed in &case.actions {
        users.act(timed).await;
    }
    stage.set("work ends");
    match case.before_shutdown {
        BeforeShutdown::Nothing => {}
        BeforeShutdown::StopAll => stop_all(&mut users, model).await,
        BeforeShutdown::WaitForEnd => wait_for_end(&mut users, model).await,
    }
    if case.before_shutdown != BeforeShutdown::Nothing {
        stage.set("checking for leaks");
        let held = manager.held();
        if !held.is_empty() {
            model.violation(format!("the manager lists holds although all work has ended: {held:?}"));
        }
        probe::leak(manager, &case.setting).await.into_iter().for_each(|leak| model.violation(leak));
    }
    stage.set("shutting down");
    for still_running in manager.shutdown().await {
        model.violation(format!("{still_running} ({still_running:?})"));
    }
    stage.set("users act after the shutdown");
    for timed in &case.late {
        users.act(timed).await;
    }
    stage.set("users wait for answers");
    for session in users.open_sessions() {
        check_report(&session.report().await, &users, model);
    }
    wait_for_answers(&mut users, model).await;
    // Classic handlers may still call their callbacks.
    sleep(Duration::from_secs(2)).await;
    check_end(manager, model);
}

/// Stops all work with the calls available to users.
async fn stop_all(users: &mut Users, model: &Model) {
    loop {
        users.stop_all();
        // Sessions that have not ended after a second are stopped again.
        if timeout(Duration::from_secs(1), wait_for_answers(users, model)).await.is_ok() {
            break;
        }
    }
}

/// Waits until all work ends by itself.
async fn wait_for_end(users: &mut Users, model: &Model) {
    users.leave();
    if timeout(TEN_MINUTES, wait_for_answers(users, model)).await.is_err() {
        model.violation(format!("some work does not end by itself: {:?}", users.manager.held()));
        users.waiting.abort_all();
    }
}

/// Waits until every caller has its answer and every watched session has ended.
async fn wait_for_answers(users: &mut Users, model: &Model) {
    while let Some(reports) = answer(&mut users.waiting, model).await {
        reports.iter().for_each(|report| check_report(report, users, model));
    }
    while let Some(trace) = answer(&mut users.watching, model).await {
        trace.violations().into_iter().for_each(|violation| model.violation(violation));
    }
}

/// Returns the next answer; `None` once all tasks have ended.
async fn answer<T: Default + 'static>(tasks: &mut JoinSet<T>, model: &Model) -> Option<T> {
    let joined = tasks.join_next().await?;
    let unanswered = |error| model.violation(format!("a caller received no answer: {error:?}"));
    Some(joined.map_err(unanswered).unwrap_or_default())
}

fn check_report(report: &Report, users: &Users, model: &Model) {
    let missing = checks::requested_items(report, &users.plans, &users.requested);
    let violations: Vec<_> = checks::report(report, model).into_iter().chain(missing).collect();
    violations.into_iter().for_each(|violation| model.violation(violation));
}

fn check_end(manager: &SyncManager, model: &Model) {
    let alive = Handle::current().metrics().num_alive_tasks();
    if alive > 0 {
        model.violation(format!("{alive} tasks are still running"));
    }
    let held = manager.held();
    if !held.is_empty() {
        model.violation(format!("the manager lists holds after the shutdown: {held:?}"));
    }
}
