//! Plans: what the host objects to, what an item is told, and how an answer reaches it.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::guard::{GuardPolicy, Side, WhenGuarded};
use syncmgr::log::{Action, ErrorId};
use syncmgr::store::MemoryStore;
use syncmgr::{Clearance, LogEntry, LogLevel, Outcome, Plan, Report, SyncManager, Trigger};
use syncmgr_test::Transcript;

use crate::remembered::settings::texts;
use crate::support::daytime::{Daytime, timed};
use crate::support::steps::{hold_of, outcome, registered, succeeds};
use crate::support::watched::{begin, within};
use crate::support::{HANDLER, Scripted, id};

/// What an item is about to do next; tests change it.
#[derive(Clone)]
pub(crate) struct Planning {
    plan: Arc<Mutex<Plan>>,
    pub(crate) told: Transcript,
}

impl Planning {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan: Arc::new(Mutex::new(plan)), told: Transcript::new() }
    }

    pub(crate) fn set(&self, plan: Plan) {
        *self.plan.lock().expect("nobody panics with it") = plan;
    }

    /// Its item `a` declares the plan, notes what it is told, and leaves where it is held. `b` does nothing.
    pub(crate) fn handler(&self) -> Scripted {
        let planning = self.clone();
        Scripted::new(&["a", "b"]).on_item(move |item| {
            let planning = planning.clone();
            async move {
                if item.name() == "a" {
                    let plan = planning.plan.lock().expect("nobody panics with it").clone();
                    let clearance = item.clear(&plan);
                    planning.told.note(match &clearance {
                        Clearance::Held(_) => "Held".to_string(),
                        told => format!("{told:?}"),
                    });
                    drop(clearance.or_leave()?);
                }
                Ok(())
            }
            .boxed()
        })
    }
}

/// Twenty of thirty entries go.
pub(crate) fn many() -> Plan {
    Plan::new().with_deletes(20, 30)
}

pub(crate) fn over(store: &MemoryStore, planning: &Planning) -> SyncManager {
    registered(SyncManager::builder().store(store.clone()).build(), [planning.handler()])
}

pub(crate) fn asked(report: &Report) -> Vec<&LogEntry> {
    report.runs[0].log.iter().map(|entry| &**entry).filter(|entry| entry.is_link()).collect()
}

/// The question in the stored log that was asked last.
pub(crate) fn question(manager: &SyncManager) -> ErrorId {
    let log = manager.log(HANDLER).expect("it can be read");
    log.iter().rev().find_map(|record| record.entry.error).expect("something is asked")
}

#[tokio::test(start_paused = true)]
async fn a_harmless_plan_goes_and_is_not_mentioned() {
    for plan in [
        Plan::new(),
        Plan::new().with_deletes(10, 10),
        Plan::new().with_deletes(500, 1000),
        Plan::new().with_bytes(1 << 50),
    ] {
        let planning = Planning::new(plan);
        let report = succeeds(begin(&over(&MemoryStore::new(), &planning))).await;
        assert_eq!(planning.told.lines(), ["Go"]);
        assert!(report.runs[0].log.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_deletions_are_held_and_the_item_needs_the_user_with_one_question() {
    let planning = Planning::new(many());
    let manager = over(&MemoryStore::new(), &planning);
    let report = within(begin(&manager).finish()).await;
    assert_eq!((outcome(&report, id("a")), outcome(&report, id("b"))), (Outcome::NeedsUser, Outcome::Succeeded));
    assert!(report.runs[0].log.iter().all(|entry| entry.level < LogLevel::Error), "{report}");
    let [entry] = asked(&report)[..] else { panic!("one question: {report}") };
    let Some(Action::Decide(question)) = &entry.action else { panic!("a question") };
    assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(id("a"))));
    assert_eq!(question.remedies[0], syncmgr::log::Remedy::Allow);
    assert_eq!(question.choices.len(), question.remedies.len());
    assert!(question.text.contains("20 of 30"), "{}", question.text);
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    let held = within(session.finish()).await;
    assert_eq!(hold_of(&held, id("a")), Some(syncmgr::Hold::NeedsUser), "nobody asked for it");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_asks_twice_leaves_one_question() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        let held = (item.clear(&many()), item.clear(&many()));
        async move {
            assert!(matches!(held, (Clearance::Held(_), Clearance::Held(_))), "{held:?}");
            Ok(())
        }
        .boxed()
    });
    let manager = registered(SyncManager::new(), [handler]);
    let report = within(begin(&manager).finish()).await;
    assert_eq!((outcome(&report, id("a")), asked(&report).len()), (Outcome::NeedsUser, 1));
}

#[tokio::test(start_paused = true)]
async fn each_answer_reaches_the_item_in_the_session_as_what_it_says() {
    for (choice, told, ending) in [
        (0, &["Held", "Go"][..], Outcome::Succeeded),
        (1, &["Held", "Revert"], Outcome::Succeeded),
        (2, &["Held"], Outcome::NeedsUser),
    ] {
        let planning = Planning::new(many());
        let manager = over(&MemoryStore::new(), &planning);
        let session = begin(&manager);
        let report = within(session.report()).await;
        let error = asked(&report)[0].error.unwrap();
        within(session.answer(HANDLER, error, choice)).await.unwrap();
        let report = within(session.finish()).await;
        assert_eq!(planning.told.lines(), told);
        assert_eq!(outcome(&report, id("a")), ending);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_after_the_session_and_after_a_restart() {
    for restarted in [false, true] {
        let (store, planning) = (MemoryStore::new(), Planning::new(many()));
        let mut manager = over(&store, &planning);
        within(begin(&manager).finish()).await;
        if restarted {
            manager = over(&store.left_behind(), &planning);
        }
        let report = succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
        assert_eq!(report.items().count(), 1);
        assert_eq!(planning.told.lines(), ["Held", "Go"]);
    }
}

#[tokio::test(start_paused = true)]
async fn success_uses_the_answer_up() {
    let planning = Planning::new(many());
    let manager = over(&MemoryStore::new(), &planning);
    within(begin(&manager).finish()).await;
    succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    let report = within(begin(&manager).finish()).await;
    assert_eq!((outcome(&report, id("a")), asked(&report).len()), (Outcome::NeedsUser, 1));
    assert_eq!(planning.told.lines(), ["Held", "Go", "Held"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_changed_asks_again_and_one_that_only_moves_more_does_not() {
    let changed = [
        (many().with_creates(7).with_updates(9).with_bytes(1 << 30), "Go"),
        (Plan::new().with_deletes(21, 30), "Held"),
        (Plan::new().with_deletes(20, 31), "Held"),
        (many().with_side(Side::new("there", 5)), "Held"),
    ];
    for (plan, told) in changed {
        let planning = Planning::new(many());
        let manager = over(&MemoryStore::new(), &planning);
        within(begin(&manager).finish()).await;
        planning.set(plan.clone());
        let report = within(manager.answer(HANDLER, question(&manager), 0).unwrap().finish()).await;
        assert_eq!(planning.told.lines(), ["Held", told], "{plan:?}");
        assert_eq!(asked(&report).len(), usize::from(told == "Held"), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_answers_the_policy_does() {
    for (policy, told) in [(WhenGuarded::Refuse, "Held"), (WhenGuarded::Allow, "Go")] {
        let planning = Planning::new(many());
        let guards = GuardPolicy::DEFAULT.with_headless(policy);
        let manager = registered(SyncManager::builder().guards(guards).build(), [planning.handler()]);
        within(begin(&manager).finish()).await;
        assert_eq!(planning.told.lines(), [told]);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_are_the_hosts_to_set() {
    let guards = GuardPolicy::DEFAULT.with_deletions(2, 10);
    for (plan, told) in [(Plan::new().with_deletes(3, 29), "Held"), (Plan::new().with_deletes(3, 30), "Go")] {
        let planning = Planning::new(plan);
        let manager = registered(SyncManager::builder().guards(guards).build(), [planning.handler()]);
        within(begin(&manager).finish()).await;
        assert_eq!(planning.told.lines(), [told]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_entry_of_a_guard_is_stored_and_gone_once_it_was_answered() {
    let planning = Planning::new(many());
    let manager = over(&MemoryStore::new(), &planning);
    within(begin(&manager).finish()).await;
    assert_eq!(texts(&manager).iter().filter(|text| text.contains("20 of 30")).count(), 1);
    succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    assert!(manager.log(HANDLER).unwrap().iter().all(|record| !record.entry.is_link()), "{:?}", texts(&manager));
}

#[tokio::test(start_paused = true)]
async fn somebody_who_refused_can_change_their_mind() {
    let planning = Planning::new(many());
    let manager = over(&MemoryStore::new(), &planning);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 2).unwrap().finish()).await;
    within(begin(&manager).finish()).await;
    let open = manager.log(HANDLER).unwrap().iter().filter(|record| record.entry.is_link()).count();
    assert_eq!(open, 1, "what is held can be allowed: {:?}", texts(&manager));
}

#[tokio::test(start_paused = true)]
async fn a_held_plan_that_is_not_asked_for_waits_and_nothing_is_retried() {
    let (clock, planning) = (Daytime::new(), Planning::new(many()));
    let manager = registered(timed(&clock).build(), [planning.handler()]);
    within(begin(&manager).finish()).await;
    tokio::time::sleep(crate::support::daytime::DAY).await;
    assert_eq!(planning.told.lines(), ["Held"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_held_again_in_another_session_is_one_open_question() {
    let planning = Planning::new(many());
    let manager = over(&MemoryStore::new(), &planning);
    for _ in 0..3 {
        within(begin(&manager).finish()).await;
    }
    let open = manager.log(HANDLER).unwrap().iter().filter(|record| record.entry.is_link()).count();
    assert_eq!(open, 1, "{:?}", texts(&manager));
}
