//! Which runs may start, and how many items they may run at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::id::{HandlerId, SessionId};

/// One run: a handler in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The session.
    pub session: SessionId,
    /// The handler.
    pub handler: HandlerId,
}

/// What a host admits: one run per handler at a time, and so many items over all runs.
///
/// Locked when a run starts or ends and when workers come and go, not for each item.
#[derive(Clone, Debug)]
pub struct HostState {
    free: usize,
    current: BTreeMap<HandlerId, RunId>,
    queue: VecDeque<RunId>,
    wants: VecDeque<(RunId, usize)>,
}

/// Something the host grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The run may start.
    Start(RunId),
    /// The run may use this many more workers.
    Lend(RunId, usize),
}

impl HostState {
    /// A host that runs at most `limit` items at once; 0 counts as 1.
    pub fn new(limit: usize) -> Self {
        Self { free: limit.max(1), current: BTreeMap::new(), queue: VecDeque::new(), wants: VecDeque::new() }
    }

    /// A run asks to start. It waits while another run of its handler is going on.
    #[must_use = "perform the grants"]
    pub fn request(&mut self, run: RunId) -> Vec<Grant> {
        self.queue.push_back(run);
        self.start_waiting()
    }

    /// A run has ended, or no longer wants to start.
    #[must_use = "perform the grants"]
    pub fn leave(&mut self, run: RunId) -> Vec<Grant> {
        self.queue.retain(|waiting| *waiting != run);
        self.wants.retain(|(waiting, _)| *waiting != run);
        if self.current.get(&run.handler) == Some(&run) {
            self.current.remove(&run.handler);
        }
        self.start_waiting()
    }

    /// Whether this run is the one of its handler that may go on.
    pub fn is_current(&self, run: RunId) -> bool {
        self.current.get(&run.handler) == Some(&run)
    }

    /// A run could use this many workers. They are lent as they become free, one each in turn.
    #[must_use = "perform the grants"]
    pub fn want(&mut self, run: RunId, workers: usize) -> Vec<Grant> {
        if workers > 0 {
            self.wants.push_back((run, workers));
        }
        self.lend()
    }

    /// A worker has come back.
    #[must_use = "perform the grants"]
    pub fn give_back(&mut self, workers: usize) -> Vec<Grant> {
        self.free += workers;
        self.lend()
    }

    /// A run has nothing left to begin: workers it still waits for are not lent.
    pub fn want_no_more(&mut self, run: RunId) {
        self.wants.retain(|(waiting, _)| *waiting != run);
    }

    fn start_waiting(&mut self) -> Vec<Grant> {
        let mut started = Vec::new();
        let mut passed_over = BTreeSet::new();
        self.queue.retain(|run| {
            let waits = self.current.contains_key(&run.handler) || !passed_over.insert(run.handler);
            if !waits {
                started.push(*run);
            }
            waits
        });
        for run in &started {
            self.current.insert(run.handler, *run);
        }
        started.into_iter().map(Grant::Start).collect()
    }

    fn lend(&mut self) -> Vec<Grant> {
        let mut lent: BTreeMap<RunId, usize> = BTreeMap::new();
        while self.free > 0
            && let Some((run, wanted)) = self.wants.pop_front()
        {
            self.free -= 1;
            *lent.entry(run).or_default() += 1;
            if wanted > 1 {
                self.wants.push_back((run, wanted - 1));
            }
        }
        lent.into_iter().map(|(run, workers)| Grant::Lend(run, workers)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(session: u64, handler: u128) -> RunId {
        RunId { session: SessionId(session), handler: HandlerId::from_u128(handler) }
    }

    #[test]
    fn a_second_run_of_a_handler_waits_for_the_first() {
        let mut host = HostState::new(4);
        assert_eq!(host.request(run(1, 1)), [Grant::Start(run(1, 1))]);
        assert_eq!(host.request(run(2, 1)), []);
        assert_eq!(host.request(run(2, 2)), [Grant::Start(run(2, 2))]);
        assert_eq!(host.leave(run(1, 1)), [Grant::Start(run(2, 1))]);
    }

    #[test]
    fn a_run_that_leaves_the_queue_is_not_started_later() {
        let mut host = HostState::new(4);
        let _ = host.request(run(1, 1));
        let _ = host.request(run(2, 1));
        assert_eq!(host.leave(run(2, 1)), []);
        assert_eq!(host.leave(run(1, 1)), []);
    }

    #[test]
    fn workers_are_lent_in_turn_and_never_more_than_the_limit() {
        let mut host = HostState::new(3);
        assert_eq!(host.want(run(1, 1), 2), [Grant::Lend(run(1, 1), 2)]);
        assert_eq!(host.want(run(1, 2), 5), [Grant::Lend(run(1, 2), 1)]);
        assert_eq!(host.want(run(1, 3), 5), []);
        assert_eq!(host.give_back(2), [Grant::Lend(run(1, 2), 1), Grant::Lend(run(1, 3), 1)]);
        host.want_no_more(run(1, 2));
        assert_eq!(host.give_back(1), [Grant::Lend(run(1, 3), 1)]);
    }

    proptest! {
        #[test]
        fn every_run_that_waits_is_started_once_those_before_it_leave(handlers in proptest::collection::vec(0_u128..4, 1..30)) {
            let mut host = HostState::new(1);
            let runs: Vec<_> = handlers.iter().zip(1..).map(|(handler, session)| run(session, *handler)).collect();
            let mut going = VecDeque::new();
            for run in &runs {
                going.extend(host.request(*run));
            }
            let mut started = 0;
            while let Some(Grant::Start(run)) = going.pop_front() {
                started += 1;
                prop_assert!(host.current.get(&run.handler) == Some(&run), "one at a time");
                going.extend(host.leave(run));
            }
            prop_assert_eq!(started, runs.len());
        }
    }
}
