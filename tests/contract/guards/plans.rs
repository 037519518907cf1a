//! Plans: guard violations, plan decisions, and the answers of the user.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::guard::{GuardPolicy, PlanRemedy, Side, UnattendedPolicy};
use syncmgr::log::{Action, ErrorId};
use syncmgr::store::MemoryStore;
use syncmgr::{Hold, LogEntry, LogLevel, Outcome, Plan, PlanError, Report, SyncManager, Trigger};
use syncmgr_test::Transcript;

use crate::persistence::settings::texts;
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{assert_succeeds, hold_of, outcome, register_all};
use crate::support::test_clock::{TestClock, builder_with_clock};
use crate::support::{HANDLER, Scripted, id, stored_log};

/// The next plan of an item, and the decisions on its plans.
#[derive(Clone)]
pub(crate) struct Planning {
    plan: Arc<Mutex<Plan>>,
    pub(crate) decisions: Transcript,
}

impl Planning {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan: Arc::new(Mutex::new(plan)), decisions: Transcript::new() }
    }

    pub(crate) fn set(&self, plan: Plan) {
        *self.plan.lock().expect("not poisoned") = plan;
    }

    /// Returns a handler. Its item `a` proposes the plan, notes the decision, and needs the user if the plan is held.
    /// Its item `b` does nothing.
    pub(crate) fn handler(&self) -> Scripted {
        let planning = self.clone();
        Scripted::new(&["a", "b"]).on_item(move |item| {
            let planning = planning.clone();
            async move {
                if item.name() == "a" {
                    let plan = planning.plan.lock().expect("not poisoned").clone();
                    let decision = item.propose(&plan);
                    planning.decisions.note(match &decision {
                        Ok(()) => "Proceed".to_string(),
                        Err(PlanError::Held(_)) => "Held".to_string(),
                        Err(other) => format!("{other:?}"),
                    });
                    return match decision {
                        Err(PlanError::Revert | PlanError::Side(_)) => Ok(()), // carried out
                        decision => Ok(decision?),
                    };
                }
                Ok(())
            }
            .boxed()
        })
    }
}

/// Returns a plan that deletes 20 of 30 entries, of a handler that can restore them.
pub(crate) fn many_deletions() -> Plan {
    Plan::new().with_deletes(20, 30).with_remedies([PlanRemedy::Revert])
}

pub(crate) fn with_store(store: &MemoryStore, planning: &Planning) -> SyncManager {
    register_all(SyncManager::builder().store(store.clone()).build(), [planning.handler()])
}

pub(crate) fn questions(report: &Report) -> Vec<&LogEntry> {
    report.runs[0].log.iter().map(|entry| &**entry).filter(|entry| entry.is_link()).collect()
}

/// Returns the last question in the stored log.
pub(crate) fn question(manager: &SyncManager) -> ErrorId {
    stored_log(manager, HANDLER).iter().rev().find_map(|record| record.entry.id).expect("the log has a question")
}

#[tokio::test(start_paused = true)]
async fn a_harmless_plan_proceeds_without_a_log_entry() {
    for plan in [
        Plan::new(),
        Plan::new().with_deletes(10, 10),
        Plan::new().with_deletes(500, 1000),
        Plan::new().with_bytes(1 << 50),
    ] {
        let planning = Planning::new(plan);
        let report = assert_succeeds(begin(&with_store(&MemoryStore::new(), &planning))).await;
        assert_eq!(planning.decisions.lines(), ["Proceed"]);
        assert!(report.runs[0].log.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_too_many_deletions_is_held_with_one_question() {
    let planning = Planning::new(many_deletions());
    let manager = with_store(&MemoryStore::new(), &planning);
    let report = within(begin(&manager).finish()).await;
    assert_eq!((outcome(&report, id("a")), outcome(&report, id("b"))), (Outcome::NeedsUser, Outcome::Succeeded));
    assert!(report.runs[0].log.iter().all(|entry| entry.level < LogLevel::Error), "{report}");
    let [entry] = questions(&report)[..] else { panic!("expected one question: {report}") };
    let Some(Action::Decide(question)) = &entry.action else { panic!("expected a question") };
    assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(id("a"))));
    assert_eq!(question.remedies[0], syncmgr::log::Remedy::Allow);
    assert_eq!(question.choices.len(), question.remedies.len());
    assert!(question.text.contains("20 of 30"), "{}", question.text);
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    let held = within(session.finish()).await;
    assert_eq!(hold_of(&held, id("a")), Some(syncmgr::Hold::NeedsUser), "a scheduled session ran the item");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_proposes_twice_leaves_one_question() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        let held = (item.propose(&many_deletions()), item.propose(&many_deletions()));
        async move {
            assert!(matches!(held, (Err(PlanError::Held(_)), Err(PlanError::Held(_)))), "{held:?}");
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(SyncManager::new(), [handler]);
    let report = within(begin(&manager).finish()).await;
    assert_eq!((outcome(&report, id("a")), questions(&report).len()), (Outcome::NeedsUser, 1));
}

#[tokio::test(start_paused = true)]
async fn each_answer_reaches_the_item_as_its_plan_decision() {
    for (choice, decisions, ending) in [
        (0, &["Held", "Proceed"][..], Outcome::Succeeded),
        (1, &["Held", "Revert"], Outcome::Succeeded),
        (2, &["Held"], Outcome::NeedsUser),
    ] {
        let planning = Planning::new(many_deletions());
        let manager = with_store(&MemoryStore::new(), &planning);
        let session = begin(&manager);
        let report = within(session.report()).await;
        let error = questions(&report)[0].id.unwrap();
        within(session.answer(HANDLER, error, choice)).await.unwrap();
        let report = within(session.finish()).await;
        assert_eq!(planning.decisions.lines(), decisions);
        assert_eq!(outcome(&report, id("a")), ending);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_applies_after_the_session_and_after_a_restart() {
    for restarted in [false, true] {
        let (store, planning) = (MemoryStore::new(), Planning::new(many_deletions()));
        let mut manager = with_store(&store, &planning);
        within(begin(&manager).finish()).await;
        if restarted {
            manager = with_store(&store.after_crash(), &planning);
        }
        let report = assert_succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
        assert_eq!(report.items().count(), 1);
        assert_eq!(planning.decisions.lines(), ["Held", "Proceed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_consumes_the_answer() {
    let planning = Planning::new(many_deletions());
    let manager = with_store(&MemoryStore::new(), &planning);
    within(begin(&manager).finish()).await;
    assert_succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    let report = within(begin(&manager).finish()).await;
    assert_eq!((outcome(&report, id("a")), questions(&report).len()), (Outcome::NeedsUser, 1));
    assert_eq!(planning.decisions.lines(), ["Held", "Proceed", "Held"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_asks_again_only_if_its_deletions_or_sides_change() {
    let changed = [
        (many_deletions().with_creates(7).with_updates(9).with_bytes(1 << 30), "Proceed"),
        (Plan::new().with_deletes(21, 30), "Held"),
        (Plan::new().with_deletes(20, 31), "Held"),
        (many_deletions().with_side(Side::new("there", 5)), "Held"),
    ];
    for (plan, decision) in changed {
        let planning = Planning::new(many_deletions());
        let manager = with_store(&MemoryStore::new(), &planning);
        within(begin(&manager).finish()).await;
        planning.set(plan.clone());
        let report = within(manager.answer(HANDLER, question(&manager), 0).unwrap().finish()).await;
        assert_eq!(planning.decisions.lines(), ["Held", decision], "{plan:?}");
        assert_eq!(questions(&report).len(), usize::from(decision == "Held"), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_unattended_policy_decides_without_a_user() {
    for (policy, decision) in [(UnattendedPolicy::Refuse, "Held"), (UnattendedPolicy::Allow, "Proceed")] {
        let planning = Planning::new(many_deletions());
        let guards = GuardPolicy::DEFAULT.with_unattended(policy);
        let manager = register_all(SyncManager::builder().guards(guards).build(), [planning.handler()]);
        within(begin(&manager).finish()).await;
        assert_eq!(planning.decisions.lines(), [decision]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_sets_the_guard_limits() {
    let guards = GuardPolicy::DEFAULT.with_deletions(2, 10);
    for (plan, decision) in [(Plan::new().with_deletes(3, 29), "Held"), (Plan::new().with_deletes(3, 30), "Proceed")] {
        let planning = Planning::new(plan);
        let manager = register_all(SyncManager::builder().guards(guards).build(), [planning.handler()]);
        within(begin(&manager).finish()).await;
        assert_eq!(planning.decisions.lines(), [decision]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_guard_policy_of_a_handler_precedes_that_of_the_manager() {
    let planning = Planning::new(many_deletions());
    let trusting = GuardPolicy::DEFAULT.with_unattended(UnattendedPolicy::Allow);
    let handler = planning.handler().info(move |info| info.with_guards(trusting));
    let manager = register_all(SyncManager::builder().guards(GuardPolicy::DEFAULT).build(), [handler]);
    within(begin(&manager).finish()).await;
    assert_eq!(planning.decisions.lines(), ["Proceed"]);
}

#[tokio::test(start_paused = true)]
async fn the_question_of_a_guard_is_stored_until_it_is_answered() {
    let planning = Planning::new(many_deletions());
    let manager = with_store(&MemoryStore::new(), &planning);
    within(begin(&manager).finish()).await;
    assert_eq!(texts(&manager).iter().filter(|text| text.contains("20 of 30")).count(), 1);
    assert_succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    assert!(manager.log(HANDLER).await.unwrap().iter().all(|record| !record.entry.is_link()), "{:?}", texts(&manager));
}

#[tokio::test(start_paused = true)]
async fn a_refused_plan_can_be_allowed_later() {
    let planning = Planning::new(many_deletions());
    let manager = with_store(&MemoryStore::new(), &planning);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 2).unwrap().finish()).await;
    within(begin(&manager).finish()).await;
    let open = manager.log(HANDLER).await.unwrap().iter().filter(|record| record.entry.is_link()).count();
    assert_eq!(open, 1, "expected one open question: {:?}", texts(&manager));
}

#[tokio::test(start_paused = true)]
async fn a_held_plan_is_not_retried() {
    let (clock, planning) = (TestClock::new(), Planning::new(many_deletions()));
    let manager = register_all(builder_with_clock(&clock).build(), [planning.handler()]);
    within(begin(&manager).finish()).await;
    tokio::time::sleep(crate::support::test_clock::DAY).await;
    assert_eq!(planning.decisions.lines(), ["Held"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_held_in_several_sessions_leaves_one_open_question() {
    let planning = Planning::new(many_deletions());
    let manager = with_store(&MemoryStore::new(), &planning);
    for _ in 0..3 {
        within(begin(&manager).finish()).await;
    }
    let open = manager.log(HANDLER).await.unwrap().iter().filter(|record| record.entry.is_link()).count();
    assert_eq!(open, 1, "{:?}", texts(&manager));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_only_returns_the_error_never_carries_out_a_refused_plan() {
    for (choice, carried_out, ending) in
        [(0, 1, Outcome::Succeeded), (1, 0, Outcome::Failed), (2, 0, Outcome::NeedsUser)]
    {
        let deletions = Transcript::new();
        let noting = deletions.clone();
        let handler = Scripted::new(&["a"]).on_item(move |item| {
            let (noting, proposed) = (noting.clone(), item.propose(&many_deletions()));
            async move {
                proposed?;
                noting.note("deleted");
                Ok(())
            }
            .boxed()
        });
        let manager = register_all(SyncManager::new(), [handler]);
        let session = begin(&manager);
        let report = within(session.report()).await;
        assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
        within(session.answer(HANDLER, questions(&report)[0].id.unwrap(), choice)).await.unwrap();
        let report = within(session.finish()).await;
        assert_eq!((deletions.lines().len(), outcome(&report, id("a"))), (carried_out, ending), "choice {choice}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_offers_only_the_remedies_of_the_handler() {
    let planning = Planning::new(Plan::new().with_deletes(20, 30));
    let report = within(begin(&with_store(&MemoryStore::new(), &planning)).finish()).await;
    let Some(Action::Decide(question)) = &questions(&report)[0].action else { panic!("expected a question") };
    assert_eq!(*question.remedies, [syncmgr::log::Remedy::Allow, syncmgr::log::Remedy::Refuse]);
}

#[tokio::test(start_paused = true)]
async fn the_question_of_an_open_session_is_over_once_a_later_one_has_succeeded() {
    let (store, planning) = (MemoryStore::new(), Planning::new(many_deletions()));
    let manager = with_store(&store, &planning);
    let asked = begin(&manager);
    within(asked.report()).await;
    let holds = || manager.explain_item(HANDLER, id("a")).unwrap().holds;
    assert!(holds().contains(&Hold::Guarded));
    planning.set(Plan::new());
    assert_succeeds(begin(&manager)).await;
    assert_eq!(holds(), []);
    drop(asked);
}
