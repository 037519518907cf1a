//! Examples and properties of the host's admission state.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const LOW: Priority = Priority::Background;
const HIGH: Priority = Priority::Foreground;

fn run(session: u64, handler: u128) -> RunId {
    RunId { session: SessionId(session), handler: HandlerId::from_u128(handler) }
}

#[test]
fn a_second_run_of_a_handler_waits_for_the_first() {
    let mut host = HostState::new(4);
    assert_eq!(host.request(run(1, 1), LOW), [Grant::Start(run(1, 1))]);
    assert_eq!(host.request(run(2, 1), LOW), []);
    assert_eq!(host.request(run(2, 2), LOW), [Grant::Start(run(2, 2))]);
    assert_eq!(host.held()[0].hold, Hold::Behind { session: SessionId(1) });
    assert_eq!(host.leave(run(1, 1)), [Grant::Start(run(2, 1))]);
    assert_eq!(host.held(), []);
}

#[test]
fn a_run_that_leaves_the_queue_is_not_started_later() {
    let mut host = HostState::new(4);
    let _ = host.request(run(1, 1), LOW);
    let _ = host.request(run(2, 1), LOW);
    assert_eq!(host.leave(run(2, 1)), []);
    assert_eq!(host.leave(run(1, 1)), []);
}

#[test]
fn a_run_that_leaves_the_queue_does_not_start_another_run() {
    let mut host = HostState::new(4);
    let [active, leaving, waiting] = [1, 2, 3].map(|session| run(session, 1));
    assert_eq!(host.request(active, LOW), [Grant::Start(active)]);
    assert_eq!([host.request(leaving, LOW), host.request(waiting, LOW)], [[], []]);
    assert_eq!([active, leaving, run(9, 9)].map(|run| host.is_current(run)), [true, false, false]);
    assert_eq!(host.leave(leaving), []);
    assert_eq!(host.leave(active), [Grant::Start(waiting)]);
}

#[test]
fn a_foreground_run_starts_before_earlier_background_runs() {
    let mut host = HostState::new(4);
    let _ = host.request(run(1, 1), LOW);
    let _ = host.request(run(2, 1), LOW);
    let _ = host.request(run(3, 1), HIGH);
    assert_eq!(host.leave(run(1, 1)), [Grant::Start(run(3, 1))]);
}

#[test]
fn permits_are_granted_in_turn_up_to_the_limit() {
    let mut host = HostState::new(3);
    assert_eq!(host.request_permits(run(1, 1), 2), [Grant::Permits(run(1, 1), 2)]);
    assert_eq!(host.request_permits(run(1, 2), 5), [Grant::Permits(run(1, 2), 1)]);
    assert_eq!(host.request_permits(run(1, 3), 5), []);
    assert!(host.is_contended());
    assert_eq!(host.return_permits(run(1, 1), 2), [Grant::Permits(run(1, 2), 1), Grant::Permits(run(1, 3), 1)]);
    host.cancel_permit_request(run(1, 2));
    assert_eq!(host.return_permits(run(1, 2), 1), [Grant::Permits(run(1, 3), 1)]);
}

fn host_with_handlers(limit: usize, handlers: usize) -> HostState {
    let mut host = HostState::new(limit);
    (0..handlers).for_each(|_| host.add_handler());
    host
}

#[test]
fn a_run_leaves_a_permit_for_each_handler_that_has_none() {
    let mut host = host_with_handlers(64, 3);
    assert_eq!(host.request_permits(run(1, 1), 1_000), [Grant::Permits(run(1, 1), 62)]);
    assert_eq!(host.request_permits(run(1, 2), 1_000), [Grant::Permits(run(1, 2), 1)]);
    assert_eq!(host.request_permits(run(2, 3), 8), [Grant::Permits(run(2, 3), 1)]);
    assert_eq!(host.return_permits(run(2, 3), 1), [Grant::Permits(run(2, 3), 1)]);
}

#[test]
fn at_most_a_quarter_of_the_permits_is_reserved() {
    for (limit, most) in [(1, 1), (2, 1), (3, 2), (8, 6), (64, 48)] {
        let mut host = host_with_handlers(limit, 1_000);
        assert_eq!(host.request_permits(run(1, 1), 1_000), [Grant::Permits(run(1, 1), most)], "of {limit}");
    }
}

#[test]
fn a_run_gets_the_reserved_permits_once_the_other_handlers_are_gone() {
    let mut host = host_with_handlers(8, 2);
    assert_eq!(host.request_permits(run(1, 1), 8), [Grant::Permits(run(1, 1), 7)]);
    assert_eq!(host.remove_handler(), [Grant::Permits(run(1, 1), 1)]);
}

#[test]
fn a_permit_request_replaces_an_earlier_one() {
    let mut host = HostState::new(3);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.request_permits(first, 3);
    assert_eq!([host.request_permits(second, 3), host.request_permits(second, 2)], [[], []]);
    assert_eq!(host.return_permits(first, 3), [Grant::Permits(second, 2)]);
    assert!(!host.is_contended());
}

#[test]
fn a_permit_request_of_zero_does_not_overtake_another_request() {
    let mut host = HostState::new(1);
    let [busy, background, urgent] = [run(1, 1), run(1, 2), run(2, 3)];
    let _ = host.request(urgent, HIGH);
    let _ = host.request_permits(busy, 1);
    assert_eq!(host.request_permits(background, 1), []);
    for _ in 0..100 {
        assert_eq!(host.request_permits(urgent, 0), []);
    }
    assert_eq!(host.request_permits(urgent, 1), []);
    assert_eq!(host.return_permits(busy, 1), [Grant::Permits(urgent, 1)]);
    assert_eq!([host.request_permits(background, 0), host.return_permits(urgent, 1)], [[], []]);
    assert!(!host.is_contended());
}

#[test]
fn the_first_waiting_run_gets_the_permit_of_an_ended_item() {
    let mut host = HostState::new(1);
    let [active, first, second] = [1, 2, 3].map(|handler| run(1, handler));
    let _ = host.request_permits(active, 1);
    let _ = host.request_permits(first, 1);
    let _ = host.request_permits(second, 1);
    assert_eq!(host.yield_permit(active), Some(Grant::Permits(first, 1)));
    assert_eq!(host.yield_permit(first), Some(Grant::Permits(second, 1)));
    assert_eq!(host.yield_permit(second), Some(Grant::Permits(active, 1)));
}

#[test]
fn runs_of_equal_priority_may_differ_by_one_permit() {
    let mut host = HostState::new(3);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.request_permits(first, 100);
    let _ = host.request_permits(second, 100);
    assert_eq!(host.yield_permit(first), Some(Grant::Permits(second, 1)));
    assert_eq!(host.yield_permit(first), None, "the runs have two permits and one");
}

#[test]
fn an_urgent_run_with_two_permits_gives_one_to_a_background_run() {
    let mut host = HostState::new(3);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(urgent, HIGH);
    let _ = host.request_permits(urgent, 100);
    let _ = host.request_permits(background, 100);
    assert_eq!(host.yield_permit(urgent), Some(Grant::Permits(background, 1)));
    assert_eq!(host.yield_permit(urgent), None, "the background run has one permit");
}

#[test]
fn runs_of_equal_priority_share_permits_until_both_have_the_same() {
    let mut host = HostState::new(4);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.request_permits(first, 100);
    let _ = host.request_permits(second, 100);
    assert_eq!(host.yield_permit(first), Some(Grant::Permits(second, 1)));
    assert_eq!(host.yield_permit(first), Some(Grant::Permits(second, 1)));
    assert_eq!(host.yield_permit(first), None, "each run has two permits");
    assert_eq!(host.yield_permit(second), None);
}

#[test]
fn an_urgent_run_takes_all_permits_of_a_background_run_but_one() {
    let mut host = HostState::new(3);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(background, LOW);
    let _ = host.request(urgent, HIGH);
    let _ = host.request_permits(background, 100);
    assert_eq!(host.request_permits(urgent, 100), []);
    assert_eq!(host.yield_permit(background), Some(Grant::Permits(urgent, 1)));
    assert_eq!(host.yield_permit(background), Some(Grant::Permits(urgent, 1)));
    assert_eq!(host.yield_permit(background), None);
    assert_eq!(host.yield_permit(urgent), None, "the background run has one permit and waits for another");
}

#[test]
fn a_single_permit_goes_to_the_urgent_run_first() {
    let mut host = HostState::new(1);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(background, LOW);
    let _ = host.request(urgent, HIGH);
    let _ = host.request_permits(background, 9);
    let _ = host.request_permits(urgent, 1);
    assert_eq!(host.yield_permit(background), Some(Grant::Permits(urgent, 1)));
    assert_eq!(host.yield_permit(urgent), None);
    assert_eq!(host.return_permits(urgent, 1), [Grant::Permits(background, 1)]);
}

#[test]
fn a_background_run_gets_a_turn_after_some_urgent_items() {
    let mut host = HostState::new(1);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(background, LOW);
    let _ = host.request(urgent, HIGH);
    let _ = host.request_permits(urgent, 1);
    let _ = host.request_permits(background, 1);
    let given = (0..MAX_PASSED_OVER).find_map(|_| host.yield_permit(urgent));
    assert_eq!((given, host.yield_permit(urgent)), (None, Some(Grant::Permits(background, 1))));
}

#[test]
fn runs_of_equal_priority_take_turns_with_a_single_permit() {
    let mut host = HostState::new(1);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.request_permits(first, 9);
    let _ = host.request_permits(second, 9);
    assert_eq!(host.yield_permit(first), Some(Grant::Permits(second, 1)));
    assert_eq!(host.yield_permit(second), Some(Grant::Permits(first, 1)));
}

#[test]
fn a_run_inherits_the_priority_of_a_run_that_waits_for_it() {
    let mut host = HostState::new(1);
    let (background, other) = (run(1, 1), run(2, 2));
    let _ = host.request(other, LOW);
    let _ = host.request_permits(other, 1);
    let _ = host.request(run(3, 3), LOW);
    let _ = host.request_permits(run(3, 3), 1);
    let _ = host.request(background, LOW);
    let _ = host.request_permits(background, 1);
    let _ = host.request(run(9, 1), HIGH);
    assert_eq!(host.return_permits(other, 1), [Grant::Permits(background, 1)], "the earlier request got the permit");
}

#[test]
fn the_next_item_with_a_claim_begins_when_the_first_ends() {
    let mut host = HostState::new(4);
    let item = |number| ItemOfRun { run: run(number, 1), item: ItemId::from_u128(1) };
    let account: ClaimSet = [Claim::new("account")].into();
    assert!(host.claim(item(1), account.clone()));
    assert!(!host.claim(item(2), account));
    assert_eq!(host.held()[0].hold, Hold::Claimed { claim: Claim::new("account") });
    assert_eq!(host.release(item(1)), [Grant::Begin(item(2))]);
}

#[test]
fn a_third_item_waits_for_a_claim_with_capacity_two() {
    let mut host = HostState::new(4);
    let item = |number| ItemOfRun { run: run(1, 1), item: ItemId::from_u128(number) };
    let account: ClaimSet = [Claim::new("account")].into();
    host.set_capacity(Claim::new("account"), 2);
    assert_eq!([1, 2, 3].map(|number| host.claim(item(number), account.clone())), [true, true, false]);
    assert_eq!(host.requeue(item(1)), [Grant::Begin(item(3))]);
}

#[test]
fn an_item_in_quarantine_holds_its_claims_until_its_work_has_ended() {
    let mut host = HostState::new(4);
    let item = |number| ItemOfRun { run: run(1, 1), item: ItemId::from_u128(number) };
    let account: ClaimSet = [Claim::new("account")].into();
    assert!(host.claim(item(1), account.clone()));
    host.quarantine(item(1));
    let (handler, abandoned) = (item(1).run.handler, item(1).item);
    assert_eq!(host.quarantined(), [(handler, abandoned)]);
    assert_eq!(host.held(), [Held::new(handler, Hold::Quarantined).with_item(abandoned)]);
    assert!(!host.claim(item(2), account));
    assert_eq!(host.release(item(1)), []);
    assert_eq!(host.end_quarantine(handler, abandoned), [Grant::Begin(item(2))]);
    assert_eq!(host.quarantined(), []);
}

#[test]
fn an_item_begins_when_its_inherited_priority_lets_it_overtake() {
    let mut host = HostState::new(4);
    let [first, second, urgent] = [run(1, 1), run(1, 2), run(2, 2)];
    let item = |run, number| ItemOfRun { run, item: ItemId::from_u128(number) };
    let set = |names: &[&str]| names.iter().map(Claim::new).collect::<ClaimSet>();
    let _ = host.request(first, LOW);
    let _ = host.request(second, LOW);
    assert!(host.claim(item(first, 1), set(&["a"])));
    assert!(!host.claim(item(first, 2), set(&["a", "b"])));
    assert!(!host.claim(item(second, 1), set(&["b"])), "the claim was granted ahead of an item that waits for it");
    assert_eq!(host.request(urgent, HIGH), [Grant::Begin(item(second, 1))]);
    assert_eq!(host.release(item(second, 1)), []);
    assert!(!host.claim(item(first, 3), set(&["a"])));
    assert_eq!(host.release(item(first, 1)), [Grant::Begin(item(first, 2))]);
}

#[test]
fn an_item_begins_when_the_item_ahead_loses_its_inherited_priority() {
    let mut host = HostState::new(4);
    let [first, second, urgent] = [run(1, 1), run(1, 2), run(2, 1)];
    let item = |run, number| ItemOfRun { run, item: ItemId::from_u128(number) };
    let set = |names: &[&str]| names.iter().map(Claim::new).collect::<ClaimSet>();
    let _ = host.request(first, LOW);
    let _ = host.request(second, LOW);
    let _ = host.request(urgent, HIGH);
    assert!(host.claim(item(second, 1), set(&["a"])));
    assert!(!host.claim(item(first, 1), set(&["a", "b"])));
    assert!(!host.claim(item(second, 2), set(&["b"])), "the claim was granted ahead of an item that waits for it");
    assert_eq!(host.leave(urgent), [Grant::Begin(item(second, 2))]);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Request(u128, bool),
    Leave(usize),
    RequestPermits(usize, usize),
    ReturnPermits(usize),
    YieldPermit(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        3 => (0..4_u128, any::<bool>()).prop_map(|(handler, urgent)| Op::Request(handler, urgent)),
        1 => (0..8_usize).prop_map(Op::Leave),
        3 => (0..8_usize, 0..5_usize).prop_map(|(run, workers)| Op::RequestPermits(run, workers)),
        3 => (0..8_usize).prop_map(Op::ReturnPermits),
        2 => (0..8_usize).prop_map(Op::YieldPermit),
    ];
    proptest::collection::vec(op, 0..120)
}

/// A host and its grants so far.
struct GrantedHost {
    host: HostState,
    started: Vec<RunId>,
    waiting: Vec<RunId>,
    permits: BTreeMap<RunId, usize>,
}

impl GrantedHost {
    fn record(&mut self, grants: Vec<Grant>) {
        for grant in grants {
            match grant {
                Grant::Start(run) => {
                    assert!(
                        self.started.iter().all(|other| other.handler != run.handler),
                        "two runs of a handler are active"
                    );
                    self.waiting.retain(|waiting| *waiting != run);
                    self.started.push(run);
                }
                Grant::Permits(run, workers) => *self.permits.entry(run).or_default() += workers,
                Grant::Begin(item) => panic!("nothing was claimed, but {item:?} may begin"),
            }
        }
    }

    fn apply(&mut self, op: Op, session: u64) {
        let picked = |runs: &Vec<RunId>, at: usize| (!runs.is_empty()).then(|| runs[at % runs.len()]);
        match op {
            Op::Request(handler, urgent) => {
                let run = run(session, handler);
                self.waiting.push(run);
                let grants = self.host.request(run, if urgent { HIGH } else { LOW });
                self.record(grants);
            }
            Op::Leave(at) => {
                if let Some(run) = picked(&self.started, at) {
                    self.end(run);
                }
            }
            Op::RequestPermits(at, workers) => {
                if let Some(run) = picked(&self.started, at) {
                    let grants = self.host.request_permits(run, workers);
                    self.record(grants);
                }
            }
            Op::ReturnPermits(at) => {
                if let Some(run) = picked(&self.started, at) {
                    self.return_permit(run);
                }
            }
            Op::YieldPermit(at) => {
                if let Some(run) = picked(&self.started, at)
                    && self.permits.get(&run) > Some(&0)
                    && let Some(grant) = self.host.yield_permit(run)
                {
                    *self.permits.entry(run).or_default() -= 1;
                    self.record(vec![grant]);
                }
            }
        }
    }

    fn return_permit(&mut self, run: RunId) {
        if self.permits.get(&run) > Some(&0) {
            *self.permits.entry(run).or_default() -= 1;
            let grants = self.host.return_permits(run, 1);
            self.record(grants);
        }
    }

    fn end(&mut self, run: RunId) {
        self.host.cancel_permit_request(run);
        while self.permits.get(&run) > Some(&0) {
            self.return_permit(run);
        }
        self.started.retain(|started| *started != run);
        let grants = self.host.leave(run);
        self.record(grants);
    }
}

proptest! {
    #[test]
    fn the_limit_is_kept_and_every_waiting_run_eventually_starts(ops in ops()) {
        const LIMIT: usize = 3;
        let host = HostState::new(LIMIT);
        let mut granted = GrantedHost { host, started: vec![], waiting: vec![], permits: BTreeMap::new() };
        for (op, session) in ops.into_iter().zip(1..) {
            granted.apply(op, session);
            let permits: usize = granted.permits.values().sum();
            prop_assert_eq!(permits + granted.host.free, LIMIT, "the number of permits changed");
            prop_assert!(granted.host.free == 0 || !granted.host.is_contended(), "a run waits for a free permit");
            for held in granted.host.held() {
                if let Hold::Behind { session } = held.hold {
                    let behind = RunId { session, handler: held.handler };
                    prop_assert!(granted.started.contains(&behind), "the run it waits for is not active");
                }
            }
        }
        while let Some(run) = granted.started.first().copied() {
            granted.end(run);
        }
        prop_assert!(granted.waiting.is_empty(), "a run was never started");
        prop_assert_eq!(granted.host.held(), vec![]);
    }

    #[test]
    fn every_waiting_run_starts_once_the_runs_before_it_have_left(handlers in proptest::collection::vec(0_u128..4, 1..30)) {
        let mut host = HostState::new(1);
        let runs: Vec<_> = handlers.iter().zip(1..).map(|(handler, session)| run(session, *handler)).collect();
        let mut active = VecDeque::new();
        for run in &runs {
            active.extend(host.request(*run, LOW));
        }
        let mut started = 0;
        while let Some(Grant::Start(run)) = active.pop_front() {
            started += 1;
            prop_assert!(host.is_current(run), "runs are not started one at a time");
            active.extend(host.leave(run));
        }
        prop_assert_eq!(started, runs.len());
    }
}

#[test]
fn a_nested_run_gets_one_permit_beyond_the_limit_and_gives_it_back() {
    let mut host = HostState::new(1);
    let (outer, nested, other) = (run(1, 1), run(2, 2), run(3, 3));
    assert_eq!(host.request_permits(outer, 1), [Grant::Permits(outer, 1)]);
    host.nest(nested);
    assert_eq!(host.request_permits(nested, 3), [Grant::Permits(nested, 1)]);
    assert_eq!(host.request_permits(other, 1), []);
    assert_eq!(host.yield_permit(nested), None, "the lent permit went to another run");
    assert_eq!(host.return_permits(nested, 1), [Grant::Permits(nested, 1)], "the nested run still waits for two");
    host.cancel_permit_request(nested);
    assert_eq!(host.return_permits(nested, 1), [], "the lent permit was kept");
    assert_eq!(host.leave(nested), []);
    assert_eq!(host.return_permits(outer, 1), [Grant::Permits(other, 1)]);
}

#[test]
fn a_session_without_a_permit_can_get_one_beyond_the_limit() {
    let mut host = HostState::new(2);
    let (hanging, waiting, same_session) = (run(1, 1), run(2, 2), run(2, 3));
    assert_eq!(host.request_permits(hanging, 2), [Grant::Permits(hanging, 2)]);
    assert_eq!(host.lend_permit(waiting), None, "the run does not wait for a permit");
    for run in [waiting, same_session, run(3, 4), run(4, 5)] {
        assert_eq!(host.request_permits(run, 8), []);
    }
    assert_eq!(host.lend_permit(waiting), Some(Grant::Permits(waiting, 1)));
    assert_eq!([host.lend_permit(waiting), host.lend_permit(same_session)], [None, None], "one for each session");
    assert_eq!(host.lend_permit(run(3, 4)), Some(Grant::Permits(run(3, 4), 1)));
    assert_eq!(host.lend_permit(run(4, 5)), None, "at most as many as the limit");
    assert_eq!(host.leave(waiting), []);
    assert_eq!(host.return_permits(waiting, 1), [], "the lent permit was kept");
}
