//! The host state as examples and properties.

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
    assert_eq!(host.runs_of(run(1, 1).handler), [run(1, 1), run(2, 1)]);
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
fn a_run_that_leaves_the_queue_lets_nobody_else_start() {
    let mut host = HostState::new(4);
    let [going, leaving, waiting] = [1, 2, 3].map(|session| run(session, 1));
    assert_eq!(host.request(going, LOW), [Grant::Start(going)]);
    assert_eq!([host.request(leaving, LOW), host.request(waiting, LOW)], [[], []]);
    assert_eq!([going, leaving, run(9, 9)].map(|run| host.is_current(run)), [true, false, false]);
    assert_eq!(host.leave(leaving), []);
    assert_eq!(host.runs_of(going.handler), [going, waiting]);
}

#[test]
fn a_run_somebody_waits_for_starts_before_background_runs_that_came_earlier() {
    let mut host = HostState::new(4);
    let _ = host.request(run(1, 1), LOW);
    let _ = host.request(run(2, 1), LOW);
    let _ = host.request(run(3, 1), HIGH);
    assert_eq!(host.leave(run(1, 1)), [Grant::Start(run(3, 1))]);
}

#[test]
fn workers_are_lent_in_turn_and_never_more_than_the_limit() {
    let mut host = HostState::new(3);
    assert_eq!(host.want(run(1, 1), 2), [Grant::Lend(run(1, 1), 2)]);
    assert_eq!(host.want(run(1, 2), 5), [Grant::Lend(run(1, 2), 1)]);
    assert_eq!(host.want(run(1, 3), 5), []);
    assert!(host.is_contended());
    assert_eq!(host.give_back(run(1, 1), 2), [Grant::Lend(run(1, 2), 1), Grant::Lend(run(1, 3), 1)]);
    host.want_no_more(run(1, 2));
    assert_eq!(host.give_back(run(1, 2), 1), [Grant::Lend(run(1, 3), 1)]);
}

#[test]
fn what_a_run_wants_now_counts_instead_of_what_it_wanted_before() {
    let mut host = HostState::new(3);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.want(first, 3);
    assert_eq!([host.want(second, 3), host.want(second, 2)], [[], []]);
    assert_eq!(host.give_back(first, 3), [Grant::Lend(second, 2)]);
    assert!(!host.is_contended());
}

#[test]
fn a_run_that_wants_no_worker_waits_for_none_and_overtakes_nobody() {
    let mut host = HostState::new(1);
    let [busy, background, urgent] = [run(1, 1), run(1, 2), run(2, 3)];
    let _ = host.request(urgent, HIGH);
    let _ = host.want(busy, 1);
    assert_eq!(host.want(background, 1), []);
    for _ in 0..100 {
        assert_eq!(host.want(urgent, 0), []);
    }
    assert_eq!(host.want(urgent, 1), []);
    assert_eq!(host.give_back(busy, 1), [Grant::Lend(urgent, 1)]);
    assert_eq!([host.want(background, 0), host.give_back(urgent, 1)], [[], []]);
    assert!(!host.is_contended());
}

#[test]
fn of_those_who_wait_the_first_is_given_way_to_and_the_others_wait_on() {
    let mut host = HostState::new(1);
    let [going, first, second] = [1, 2, 3].map(|handler| run(1, handler));
    let _ = host.want(going, 1);
    let _ = host.want(first, 1);
    let _ = host.want(second, 1);
    assert_eq!(host.give_way(going), Some(Grant::Lend(first, 1)));
    assert_eq!(host.give_way(first), Some(Grant::Lend(second, 1)));
    assert_eq!(host.give_way(second), Some(Grant::Lend(going, 1)));
}

#[test]
fn equals_whose_shares_differ_by_one_share_well_enough() {
    let mut host = HostState::new(3);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.want(first, 100);
    let _ = host.want(second, 100);
    assert_eq!(host.give_way(first), Some(Grant::Lend(second, 1)));
    assert_eq!(host.give_way(first), None, "two and one");
}

#[test]
fn urgent_work_with_workers_to_spare_leaves_background_work_one_at_once() {
    let mut host = HostState::new(3);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(urgent, HIGH);
    let _ = host.want(urgent, 100);
    let _ = host.want(background, 100);
    assert_eq!(host.give_way(urgent), Some(Grant::Lend(background, 1)));
    assert_eq!(host.give_way(urgent), None, "it has one");
}

#[test]
fn equals_share_workers_and_the_sharing_comes_to_rest() {
    let mut host = HostState::new(4);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.want(first, 100);
    let _ = host.want(second, 100);
    assert_eq!(host.give_way(first), Some(Grant::Lend(second, 1)));
    assert_eq!(host.give_way(first), Some(Grant::Lend(second, 1)));
    assert_eq!(host.give_way(first), None, "two each");
    assert_eq!(host.give_way(second), None);
}

#[test]
fn urgent_work_takes_workers_from_background_work_and_leaves_it_one() {
    let mut host = HostState::new(3);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(background, LOW);
    let _ = host.request(urgent, HIGH);
    let _ = host.want(background, 100);
    assert_eq!(host.want(urgent, 100), []);
    assert_eq!(host.give_way(background), Some(Grant::Lend(urgent, 1)));
    assert_eq!(host.give_way(background), Some(Grant::Lend(urgent, 1)));
    assert_eq!(host.give_way(background), None);
    assert_eq!(host.give_way(urgent), None, "background work waits for one, and has one");
}

#[test]
fn with_a_single_worker_urgent_work_goes_first_and_background_work_comes_back_after_it() {
    let mut host = HostState::new(1);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(background, LOW);
    let _ = host.request(urgent, HIGH);
    let _ = host.want(background, 9);
    let _ = host.want(urgent, 1);
    assert_eq!(host.give_way(background), Some(Grant::Lend(urgent, 1)));
    assert_eq!(host.give_way(urgent), None);
    assert_eq!(host.give_back(urgent, 1), [Grant::Lend(background, 1)]);
}

#[test]
fn background_work_without_a_worker_has_its_turn_after_some_urgent_items() {
    let mut host = HostState::new(1);
    let (background, urgent) = (run(1, 1), run(2, 2));
    let _ = host.request(background, LOW);
    let _ = host.request(urgent, HIGH);
    let _ = host.want(urgent, 1);
    let _ = host.want(background, 1);
    let given = (0..MOST_PASSED_OVER).find_map(|_| host.give_way(urgent));
    assert_eq!((given, host.give_way(urgent)), (None, Some(Grant::Lend(background, 1))));
}

#[test]
fn equals_take_turns_at_a_single_worker() {
    let mut host = HostState::new(1);
    let (first, second) = (run(1, 1), run(1, 2));
    let _ = host.want(first, 9);
    let _ = host.want(second, 9);
    assert_eq!(host.give_way(first), Some(Grant::Lend(second, 1)));
    assert_eq!(host.give_way(second), Some(Grant::Lend(first, 1)));
}

#[test]
fn a_background_run_somebody_waits_behind_becomes_urgent() {
    let mut host = HostState::new(1);
    let (background, other) = (run(1, 1), run(2, 2));
    let _ = host.request(other, LOW);
    let _ = host.want(other, 1);
    let _ = host.request(run(3, 3), LOW);
    let _ = host.want(run(3, 3), 1);
    let _ = host.request(background, LOW);
    let _ = host.want(background, 1);
    let _ = host.request(run(9, 1), HIGH);
    assert_eq!(host.give_back(other, 1), [Grant::Lend(background, 1)], "not the run that asked before it");
}

#[test]
fn an_item_that_ends_lets_the_next_with_its_claim_begin() {
    let mut host = HostState::new(4);
    let item = |number| ItemOfRun { run: run(number, 1), item: ItemId::from_u128(1) };
    let account: ClaimSet = [Claim::new("account")].into();
    assert!(host.claim(item(1), account.clone()));
    assert!(!host.claim(item(2), account));
    assert_eq!(host.held()[0].hold, Hold::Claimed { claim: Claim::new("account") });
    assert_eq!(host.release(item(1)), [Grant::Begin(item(2))]);
}

#[test]
fn a_claim_with_room_for_two_makes_the_third_wait_and_what_is_put_back_lets_it_begin() {
    let mut host = HostState::new(4);
    let item = |number| ItemOfRun { run: run(1, 1), item: ItemId::from_u128(number) };
    let account: ClaimSet = [Claim::new("account")].into();
    host.set_capacity(Claim::new("account"), 2);
    assert_eq!([1, 2, 3].map(|number| host.claim(item(number), account.clone())), [true, true, false]);
    assert_eq!(host.put_back(item(1)), [Grant::Begin(item(3))]);
}

#[test]
fn an_abandoned_item_is_held_in_quarantine_and_keeps_its_claims_until_its_work_has_ended() {
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
    assert_eq!(host.lift(handler, abandoned), [Grant::Begin(item(2))]);
    assert_eq!(host.quarantined(), []);
}

#[test]
fn an_item_of_a_hurried_run_begins_where_only_one_it_overtakes_kept_it_back() {
    let mut host = HostState::new(4);
    let [first, second, urgent] = [run(1, 1), run(1, 2), run(2, 2)];
    let item = |run, number| ItemOfRun { run, item: ItemId::from_u128(number) };
    let set = |names: &[&str]| names.iter().map(Claim::new).collect::<ClaimSet>();
    let _ = host.request(first, LOW);
    let _ = host.request(second, LOW);
    assert!(host.claim(item(first, 1), set(&["a"])));
    assert!(!host.claim(item(first, 2), set(&["a", "b"])));
    assert!(!host.claim(item(second, 1), set(&["b"])), "behind one that wants it");
    assert_eq!(host.request(urgent, HIGH), [Grant::Begin(item(second, 1))]);
    assert_eq!(host.release(item(second, 1)), []);
    assert!(!host.claim(item(first, 3), set(&["a"])));
    assert_eq!(host.release(item(first, 1)), [Grant::Begin(item(first, 2))]);
}

#[test]
fn an_item_begins_where_one_that_kept_it_back_is_no_longer_hurried() {
    let mut host = HostState::new(4);
    let [first, second, urgent] = [run(1, 1), run(1, 2), run(2, 1)];
    let item = |run, number| ItemOfRun { run, item: ItemId::from_u128(number) };
    let set = |names: &[&str]| names.iter().map(Claim::new).collect::<ClaimSet>();
    let _ = host.request(first, LOW);
    let _ = host.request(second, LOW);
    let _ = host.request(urgent, HIGH);
    assert!(host.claim(item(second, 1), set(&["a"])));
    assert!(!host.claim(item(first, 1), set(&["a", "b"])));
    assert!(!host.claim(item(second, 2), set(&["b"])), "behind one that wants it");
    assert_eq!(host.leave(urgent), [Grant::Begin(item(second, 2))]);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Request(u128, bool),
    Leave(usize),
    Want(usize, usize),
    GiveBack(usize),
    GiveWay(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0..4_u128, any::<bool>()).prop_map(|(handler, urgent)| Act::Request(handler, urgent)),
        1 => (0..8_usize).prop_map(Act::Leave),
        3 => (0..8_usize, 0..5_usize).prop_map(|(run, workers)| Act::Want(run, workers)),
        3 => (0..8_usize).prop_map(Act::GiveBack),
        2 => (0..8_usize).prop_map(Act::GiveWay),
    ];
    proptest::collection::vec(act, 0..120)
}

/// A host, and what it has granted so far.
struct Watched {
    host: HostState,
    started: Vec<RunId>,
    waiting: Vec<RunId>,
    lent: BTreeMap<RunId, usize>,
}

impl Watched {
    fn take(&mut self, grants: Vec<Grant>) {
        for grant in grants {
            match grant {
                Grant::Start(run) => {
                    assert!(
                        self.started.iter().all(|other| other.handler != run.handler),
                        "one run of a handler at a time"
                    );
                    self.waiting.retain(|waiting| *waiting != run);
                    self.started.push(run);
                }
                Grant::Lend(run, workers) => *self.lent.entry(run).or_default() += workers,
                Grant::Begin(item) => panic!("nothing was claimed, but {item:?} may begin"),
            }
        }
    }

    fn act(&mut self, act: Act, session: u64) {
        let picked = |runs: &Vec<RunId>, at: usize| (!runs.is_empty()).then(|| runs[at % runs.len()]);
        match act {
            Act::Request(handler, urgent) => {
                let run = run(session, handler);
                self.waiting.push(run);
                let grants = self.host.request(run, if urgent { HIGH } else { LOW });
                self.take(grants);
            }
            Act::Leave(at) => {
                if let Some(run) = picked(&self.started, at) {
                    self.end(run);
                }
            }
            Act::Want(at, workers) => {
                if let Some(run) = picked(&self.started, at) {
                    let grants = self.host.want(run, workers);
                    self.take(grants);
                }
            }
            Act::GiveBack(at) => {
                if let Some(run) = picked(&self.started, at) {
                    self.give_back(run);
                }
            }
            Act::GiveWay(at) => {
                if let Some(run) = picked(&self.started, at)
                    && self.lent.get(&run) > Some(&0)
                    && let Some(grant) = self.host.give_way(run)
                {
                    *self.lent.entry(run).or_default() -= 1;
                    self.take(vec![grant]);
                }
            }
        }
    }

    fn give_back(&mut self, run: RunId) {
        if self.lent.get(&run) > Some(&0) {
            *self.lent.entry(run).or_default() -= 1;
            let grants = self.host.give_back(run, 1);
            self.take(grants);
        }
    }

    fn end(&mut self, run: RunId) {
        self.host.want_no_more(run);
        while self.lent.get(&run) > Some(&0) {
            self.give_back(run);
        }
        self.started.retain(|started| *started != run);
        let grants = self.host.leave(run);
        self.take(grants);
    }
}

proptest! {
    #[test]
    fn limits_hold_every_hold_has_a_way_out_and_nobody_waits_for_ever(acts in acts()) {
        const LIMIT: usize = 3;
        let host = HostState::new(LIMIT);
        let mut watched = Watched { host, started: vec![], waiting: vec![], lent: BTreeMap::new() };
        for (act, session) in acts.into_iter().zip(1..) {
            watched.act(act, session);
            let lent: usize = watched.lent.values().sum();
            prop_assert_eq!(lent + watched.host.free, LIMIT, "workers are neither made nor lost");
            prop_assert!(watched.host.free == 0 || !watched.host.is_contended(), "nobody waits while a worker is free");
            for held in watched.host.held() {
                if let Hold::Behind { session } = held.hold {
                    let behind = RunId { session, handler: held.handler };
                    prop_assert!(watched.started.contains(&behind), "what one waits for goes on");
                }
            }
        }
        while let Some(run) = watched.started.first().copied() {
            watched.end(run);
        }
        prop_assert!(watched.waiting.is_empty(), "everybody had a turn");
        prop_assert_eq!(watched.host.held(), vec![]);
    }

    #[test]
    fn every_run_that_waits_is_started_once_those_before_it_leave(handlers in proptest::collection::vec(0_u128..4, 1..30)) {
        let mut host = HostState::new(1);
        let runs: Vec<_> = handlers.iter().zip(1..).map(|(handler, session)| run(session, *handler)).collect();
        let mut going = VecDeque::new();
        for run in &runs {
            going.extend(host.request(*run, LOW));
        }
        let mut started = 0;
        while let Some(Grant::Start(run)) = going.pop_front() {
            started += 1;
            prop_assert!(host.is_current(run), "one at a time");
            going.extend(host.leave(run));
        }
        prop_assert_eq!(started, runs.len());
    }
}
