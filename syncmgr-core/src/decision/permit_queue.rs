//! The runs that wait for permits of workers.

use std::collections::BTreeMap;

use super::fair_queue::{FairQueue, Rank, Urgency};
use super::host::RunId;

/// The runs that wait for permits, with at most one request for each.
#[derive(Clone, Debug, Default)]
pub(super) struct PermitQueue {
    requests: FairQueue<PermitRequest>,
    /// The rank of each run's request.
    ranks: BTreeMap<RunId, Rank>,
}

/// A run that waits for permits. One worker needs one permit.
#[derive(Clone, Copy, Debug)]
pub(super) struct PermitRequest {
    pub(super) run: RunId,
    pub(super) workers: usize,
    /// The number of more urgent items that have begun while this run had no permit.
    pub(super) passed_over: u8,
}

impl PermitQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    pub(super) fn contains(&self, run: RunId) -> bool {
        self.ranks.contains_key(&run)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PermitRequest, Urgency)> {
        self.requests.iter()
    }

    pub(super) fn get_mut(&mut self, run: RunId) -> Option<&mut PermitRequest> {
        self.requests.get_mut(*self.ranks.get(&run)?)
    }

    /// Sets the number of permits that a run waits for. The run keeps its place, if it has one.
    pub(super) fn set(&mut self, run: RunId, workers: usize, urgency: impl Into<Urgency>) {
        if workers == 0 {
            self.remove(run);
        } else if let Some(request) = self.get_mut(run) {
            request.workers = workers;
        } else {
            let request = PermitRequest { run, workers, passed_over: 0 };
            self.ranks.insert(run, self.requests.push(request, urgency));
        }
    }

    /// Notes that a run got one of the permits it waits for.
    pub(super) fn serve(&mut self, run: RunId) {
        let Some(request) = self.get_mut(run) else { return };
        request.workers -= 1;
        if request.workers == 0 {
            self.remove(run);
        }
    }

    pub(super) fn remove(&mut self, run: RunId) {
        if let Some(rank) = self.ranks.remove(&run) {
            self.requests.remove(rank);
        }
    }

    /// Removes and returns the first request for which `which` returns `true`.
    pub(super) fn pop_first(&mut self, which: impl Fn(&PermitRequest) -> bool) -> Option<(PermitRequest, Urgency)> {
        let (request, urgency) = self.requests.pop_first(which)?;
        self.ranks.remove(&request.run);
        Some((request, urgency))
    }

    /// Changes the urgency of a run's request.
    pub(super) fn reassign(&mut self, urgency: impl Into<Urgency>, run: RunId) {
        let urgency = urgency.into();
        let Some(rank) = self.ranks.get(&run).copied() else { return };
        if self.requests.urgency(rank) != Some(urgency)
            && let Some(request) = self.requests.remove(rank)
        {
            self.ranks.insert(run, self.requests.push(request, urgency));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::fair_queue::Priority;
    use crate::id::{HandlerId, SessionId};

    fn run(number: u8) -> RunId {
        RunId { session: SessionId(1), handler: HandlerId::from_u128(number.into()) }
    }

    fn queue() -> PermitQueue {
        let mut queue = PermitQueue::default();
        (1..=3).for_each(|number| queue.set(run(number), 2, Priority::Background));
        queue
    }

    fn waiting(queue: &PermitQueue) -> Vec<(RunId, usize)> {
        queue.iter().map(|(request, _)| (request.run, request.workers)).collect()
    }

    #[test]
    fn a_changed_priority_moves_a_request_forward_and_back() {
        let mut queue = queue();
        queue.reassign(Priority::Foreground, run(2));
        assert_eq!(waiting(&queue), [(run(2), 2), (run(1), 2), (run(3), 2)]);
        queue.reassign(Priority::Background, run(2));
        assert_eq!(waiting(&queue), [(run(1), 2), (run(3), 2), (run(2), 2)]);
    }

    #[test]
    fn a_run_has_one_request_and_keeps_its_place_until_it_is_served() {
        let mut queue = queue();
        queue.set(run(1), 1, Priority::Background);
        queue.serve(run(2));
        assert_eq!(waiting(&queue), [(run(1), 1), (run(2), 1), (run(3), 2)]);
        queue.serve(run(1));
        queue.set(run(2), 0, Priority::Background);
        assert_eq!((waiting(&queue), queue.contains(run(1))), (vec![(run(3), 2)], false));
        assert_eq!(queue.pop_first(|_| true).map(|(request, _)| request.run), Some(run(3)));
        assert!(queue.is_empty() && queue.get_mut(run(3)).is_none());
    }
}
