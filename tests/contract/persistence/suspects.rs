//! Items and handlers that end their process each time they run.

use std::future::pending;
use std::time::Duration;

use futures::FutureExt;
use syncmgr::retry::{Resume, RetryState, RetryStatus};
use syncmgr::store::{Fence, ItemEnd, MemoryStore, StateChange, StateStore};
use syncmgr::{Hold, ItemId, LogLevel, Outcome, Participation, RetryPolicy, SyncManager, SyncManagerBuilder, Trigger};
use syncmgr_test::Transcript;
use tokio::time::sleep;

use crate::choosing::choice::Picker;
use crate::support::awaitable_host::within;
use crate::support::steps::{Steps, nth, register_all, start_manual, wait_until_idle};
use crate::support::test_clock::{TestClock, builder_with_store};
use crate::support::{Scripted, id};

/// A retry every second, three failures at most.
const THREE: RetryPolicy =
    RetryPolicy::DEFAULT.with_initial(Duration::from_secs(1)).with_factor(1).with_jitter(0).with_budget(3, 50);

/// A program with a handler. Its process can be killed.
struct Program {
    clock: TestClock,
    steps: Steps,
    store: MemoryStore,
    items: &'static [&'static str],
    resume: Resume,
    /// The calls of the handler, and the one during which its process is killed.
    calls: Transcript,
    fatal: &'static str,
}

impl Program {
    fn new(items: &'static [&'static str]) -> Self {
        Self {
            clock: TestClock::new(),
            steps: Steps::default(),
            store: MemoryStore::new(),
            items,
            resume: Resume::Immediately,
            calls: Transcript::new(),
            fatal: "",
        }
    }

    fn fatal_in(fatal: &'static str) -> Self {
        let program = Self { fatal, ..Self::new(&["a"]) };
        program.steps.open("a");
        program
    }

    /// Returns the handler. Its fatal call never returns.
    fn handler(&self) -> Scripted {
        let (fatal, steps) = (self.fatal, self.steps.handler(1, self.items).with_transcript(&self.calls));
        let listing = steps.items.clone();
        let in_call = move |call| async move {
            if call == fatal {
                pending().await
            }
        };
        steps
            .on_initialize(move |_| in_call("initialize").map(|()| Ok(Participation::TakePart)).boxed())
            .on_items(move || {
                let items = listing();
                in_call("items").map(|()| items).boxed()
            })
            .on_prepare(move |_| in_call("prepare").map(Ok).boxed())
    }

    /// Starts a process.
    fn start(&self) -> SyncManager {
        self.start_with(builder_with_store(&self.clock, &self.store))
    }

    fn start_with(&self, builder: SyncManagerBuilder) -> SyncManager {
        let builder = builder.resume(self.resume).retry(THREE);
        let manager = register_all(builder.build(), [self.handler()]);
        manager.start_scheduler().expect("inside a runtime");
        manager
    }

    /// Kills the process: only its stored data is left.
    async fn kill(&mut self, process: SyncManager) {
        self.store = self.store.after_crash();
        drop(process);
        wait_until_idle().await;
    }

    /// Starts a process with a manual session and kills it while items run.
    async fn interrupt(&mut self) {
        let process = self.start();
        drop(start_manual(&process, 1));
        wait_until_idle().await;
        self.kill(process).await;
        sleep(Duration::from_secs(2)).await;
    }

    fn status(&self, item: &str) -> Option<(RetryStatus, u32)> {
        let record = self.store.record(nth(1), id(item)).expect("a memory store does not fail");
        record?.retry.map(|retry| (retry.status, retry.failures))
    }

    /// Returns the retry status of the handler itself.
    fn own_status(&self) -> Option<(RetryStatus, u32)> {
        let record = self.store.record(nth(1), ItemId::from_u128(0)).expect("a memory store does not fail");
        record?.retry.map(|retry| (retry.status, retry.failures))
    }

    fn starts_of(&self, item: &str) -> usize {
        self.steps.began().split(' ').filter(|began| *began == item).count()
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_ends_its_process_needs_attention_after_its_budget() {
    let mut program = Program::new(&["good1", "poison", "good2"]);
    ["good1", "good2"].iter().for_each(|good| program.steps.open(good));
    program.interrupt().await;
    for _ in 0..10 {
        let process = program.start();
        sleep(Duration::from_secs(5)).await;
        program.kill(process).await;
    }
    assert_eq!(program.starts_of("poison"), 4, "one attempt, and three that were counted");
    assert_eq!((program.starts_of("good1"), program.starts_of("good2")), (1, 1));
    let explanation = program.start().explain_item(nth(1), id("poison")).unwrap();
    assert_eq!(explanation.holds, [Hold::NeedsAttention { failures: 3 }], "{explanation}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_item_backs_off() {
    let mut program = Program::new(&["poison"]);
    program.interrupt().await;
    let process = program.start();
    wait_until_idle().await;
    assert_eq!(program.starts_of("poison"), 2, "the first interruption is not counted");
    program.kill(process).await;
    let process = program.start();
    sleep(Duration::from_millis(900)).await;
    assert_eq!(program.starts_of("poison"), 2, "the item did not wait");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(program.starts_of("poison"), 3);
    drop(process);
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_of_the_item_that_ends_the_process_is_cleared() {
    let mut program = Program::new(&["long", "poison"]);
    program.interrupt().await;
    let process = program.start();
    sleep(Duration::from_secs(2)).await;
    program.kill(process).await;
    assert_eq!(program.status("long"), Some((RetryStatus::Interrupted, 1)));
    assert_eq!(program.status("poison"), Some((RetryStatus::Interrupted, 1)));
    let process = program.start();
    assert_eq!(program.steps.running().await, "long", "items that were counted run one at a time");
    program.steps.release(&["long"]).await;
    assert_eq!(program.steps.running().await, "poison");
    program.kill(process).await;
    assert_eq!((program.status("long"), program.status("poison")), (None, Some((RetryStatus::Interrupted, 2))));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_not_counted_as_an_interruption() {
    let mut program = Program::new(&["a"]);
    program.interrupt().await;
    let process = program.start();
    wait_until_idle().await;
    assert_eq!(program.status("a"), Some((RetryStatus::Interrupted, 1)), "the item is not counted before it begins");
    within(process.shutdown()).await;
    assert_eq!(program.status("a"), None);
    program.kill(process).await;
    program.steps.open("a");
    let process = program.start();
    wait_until_idle().await;
    assert_eq!((program.starts_of("a"), program.status("a")), (3, None));
    drop(process);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_ends_its_process_needs_attention_after_its_budget() {
    let mut program = Program::new(&["poison"]);
    program.resume = Resume::AtNextTrigger;
    let due =
        RetryState::new(RetryStatus::Backoff, program.clock.wall(), Some(program.clock.wall())).with_failures(1, 1);
    let items = vec![(id("poison"), ItemEnd::new(Outcome::Failed).with_retry(due))];
    let failed = StateChange::Ended { handler: nth(1), fence: Fence::default(), time: program.clock.wall(), items };
    within(program.store.write(vec![failed])).await.expect("a memory store does not fail");
    for _ in 0..6 {
        let process = program.start();
        sleep(Duration::from_secs(5)).await;
        program.kill(process).await;
    }
    assert_eq!(program.starts_of("poison"), 3);
    let process = program.start();
    assert_eq!(program.status("poison"), Some((RetryStatus::NeedsAttention, 3)));
    let log = within(process.log(nth(1))).await.expect("a memory store does not fail");
    let questions: Vec<_> = log.iter().filter(|record| record.entry.has_question_for(id("poison"))).collect();
    let [asked] = questions[..] else { panic!("{log:?}") };
    let text = "needs attention: failed 3 times, the last time because the program ended, no more automatic attempts";
    assert_eq!((&*asked.entry.text, asked.entry.level), (text, LogLevel::Warning));
    program.steps.open("poison");
    let error = asked.entry.id.expect("a question has an id");
    let again = process.answer(nth(1), error, 0).expect("the question is open");
    assert!(within(again.finish()).await.is_success());
    assert_eq!(within(process.log(nth(1))).await.expect("a memory store does not fail").len(), 0);
    assert_eq!(program.status("poison"), None);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_item_is_counted_after_a_claim_held_it_back() {
    let mut program = Program::new(&["poison:account"]);
    program.interrupt().await;
    let (now, claim) = (program.clock.wall(), "account".into());
    let busy = RetryState::new(RetryStatus::NotBefore, now, Some(now + Duration::from_secs(5))).with_failures(1, 1);
    let held = StateChange::Resource { claim, retry: Some(busy) };
    within(program.store.write(vec![held])).await.expect("a memory store does not fail");
    let process = program.start();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(program.starts_of("poison"), 1, "the claim is held back");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(program.starts_of("poison"), 2);
    program.kill(process).await;
    assert_eq!(program.status("poison"), Some((RetryStatus::Interrupted, 1)));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_item_that_the_user_did_not_choose_is_counted_later() {
    let mut program = Program::new(&["poison"]);
    program.resume = Resume::AtNextTrigger;
    program.interrupt().await;
    let nothing = Picker::these(&[], &Transcript::new());
    let process = program.start_with(builder_with_store(&program.clock, &program.store).chooser(nothing));
    within(process.session(Trigger::Manual).may_bother_user().start().unwrap().finish()).await;
    assert_eq!(program.starts_of("poison"), 1, "it was not chosen");
    drop(process.session(Trigger::Manual).items(nth(1), [id("poison")]).start());
    wait_until_idle().await;
    program.kill(process).await;
    assert_eq!((program.starts_of("poison"), program.status("poison")), (2, Some((RetryStatus::Interrupted, 1))));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ends_its_process_needs_attention_after_its_budget() {
    for fatal in ["initialize", "items", "prepare"] {
        let mut program = Program::fatal_in(fatal);
        program.interrupt().await;
        for _ in 0..10 {
            let process = program.start();
            sleep(Duration::from_secs(5)).await;
            program.kill(process).await;
        }
        assert_eq!(program.calls.of(&[fatal]).len(), 4, "{fatal}: one call, and three that were counted");
        let explanation = program.start().explain_handler(nth(1)).unwrap();
        assert_eq!(program.own_status(), Some((RetryStatus::NeedsAttention, 3)), "{fatal}");
        assert_eq!(explanation.holds, [Hold::NeedsAttention { failures: 3 }], "{fatal}: {explanation}");
        program.fatal = "";
        let process = program.start();
        within(start_manual(&process, 1).finish()).await;
        assert_eq!((program.starts_of("a"), program.own_status()), (1, None), "{fatal}");
        assert_eq!(within(process.log(nth(1))).await.unwrap().len(), 0, "{fatal}: the question is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_process_goes_on_is_not_counted() {
    for fatal in ["initialize", "items", "prepare"] {
        let mut program = Program::fatal_in(fatal);
        program.interrupt().await;
        let process = program.start();
        wait_until_idle().await;
        assert_eq!(program.own_status(), Some((RetryStatus::Interrupted, 1)), "{fatal}: not counted in time");
        within(process.shutdown()).await;
        assert_eq!(program.own_status(), None, "{fatal}: a shutdown is no interruption");
        program.kill(process).await;
        program.fatal = "";
        let process = program.start();
        wait_until_idle().await;
        assert_eq!((program.starts_of("a"), program.own_status()), (1, None), "{fatal}");
        drop(process);
    }
}
