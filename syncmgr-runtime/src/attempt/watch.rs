//! Watches over the items that run: what makes no progress is stalled, what never comes back loses its seat.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::info::WhenStalled;
use syncmgr_core::log::{LogEntry, LogLevel};
use tokio::time::{Instant, sleep_until};

use super::Attempt;
use super::grace::later;
use super::state::{Slot, Working};
use super::worker::abandoned;

/// Since when each running item is quiet, and the run as a whole.
#[derive(Default)]
struct Quiet {
    items: BTreeMap<usize, Instant>,
    /// How long the journal is while no item runs, and since when.
    run: Option<(usize, Instant)>,
    attended: Duration,
}

impl Attempt {
    /// Watches over the attempt until dropped.
    pub(crate) async fn watch(&self) {
        let mut quiet = Quiet::default();
        let every = self.limits.stall_after() / 4;
        let mut look = later(Instant::now(), every);
        loop {
            let due = self.next_overdue().map_or(look, |overdue| overdue.min(look));
            tokio::select! {
                biased;
                () = self.changed() => continue,
                () = sleep_until(due) => {}
            }
            let now = Instant::now();
            self.evict_overdue(now);
            if now >= look {
                look = later(now, every);
                self.look_for_stalled(&mut quiet, now);
            }
        }
    }

    /// Resolves when workers come or go, or something is cancelled.
    async fn changed(&self) {
        let mut waits = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut waits, true) {
                return Poll::Ready(());
            }
            self.wake_at_change(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// When the next cancelled item should long have ended: a little after its worker would have abandoned it.
    fn next_overdue(&self) -> Option<Instant> {
        let state = self.lock();
        let since = state.slots.iter().filter(|slot| slot.place.is_some()).filter_map(|slot| slot.cancelled).min()?;
        Some(self.overdue(since))
    }

    /// When an item cancelled then loses its seat.
    fn overdue(&self, since: Instant) -> Instant {
        later(since, self.limits.hard_grace().saturating_add(self.limits.soft_grace()))
    }

    /// Takes the seats of workers that never came back from a cancelled item: they block their thread.
    pub(crate) fn evict_overdue(&self, now: Instant) {
        let is_late = |since| now >= self.overdue(since);
        let is_overdue = |slot: &Slot| slot.place.is_some() && slot.cancelled.is_some_and(is_late);
        if !self.lock().slots.iter().any(is_overdue) {
            return;
        }
        let evicted = self.change(|state| {
            let overdue: Vec<_> = (0..state.slots.len()).filter(|index| is_overdue(&state.slots[*index])).collect();
            overdue.into_iter().filter_map(|index| state.evict(index)).collect::<Vec<_>>()
        });
        for (place, cell) in evicted {
            let item = self.facts.selection[place].id();
            self.link.ends(item, &cell);
            let text = format!("{}; it blocks its thread", abandoned(self));
            self.link.log(LogEntry::new(LogLevel::Error, text).about(item));
            self.abandon(item, &cell);
            self.link.give_back_workers(1);
        }
    }

    /// Reports the items that made no progress for too long, and cancels them if that is the policy.
    fn look_for_stalled(&self, quiet: &mut Quiet, now: Instant) {
        let attended = self.link.attended();
        if std::mem::replace(&mut quiet.attended, attended) != attended {
            // Somebody is being asked something: that takes as long as it takes.
            (quiet.items, quiet.run) = (BTreeMap::new(), None);
            return;
        }
        let running: Vec<_> = self.lock().running().map(|(place, cell)| (place, cell.clone())).collect();
        let before = std::mem::take(&mut quiet.items);
        for (place, cell) in running {
            let since = if cell.take_fresh() { now } else { before.get(&place).copied().unwrap_or(now) };
            if now - since < self.limits.stall_after() {
                quiet.items.insert(place, since);
            } else if cell.cancel().reason().is_none() {
                self.stalled(place, &cell);
            }
        }
        self.look_for_stalled_run(quiet, now);
    }

    fn stalled(&self, place: usize, cell: &Arc<ItemCell>) {
        let (item, quiet) = (self.facts.selection[place].id(), self.limits.stall_after());
        match self.limits.stall_policy() {
            WhenStalled::Report => {
                let text = format!("no progress for {quiet:?}; it goes on");
                self.link.log(LogEntry::new(LogLevel::Warning, text).about(item));
            }
            _ => {
                let text = format!("stalled: no progress for {quiet:?}; cancelled. Report progress more often");
                self.link.log(LogEntry::new(LogLevel::Error, text).about(item));
                self.signal(cell, CancelReason::TimedOut);
            }
        }
    }

    /// A handler that runs its items itself, and has none running, has to go on too.
    fn look_for_stalled_run(&self, quiet: &mut Quiet, now: Instant) {
        let (length, idle) = {
            let state = self.lock();
            (state.run.journal().len(), state.served == 0 && state.by_hand.is_empty() && state.working == Working::Now)
        };
        quiet.run = match quiet.run.filter(|_| idle) {
            _ if !idle => None,
            Some((before, since)) if before == length => Some((before, since)),
            _ => Some((length, now)),
        };
        if quiet.run.is_some_and(|(_, since)| now - since >= self.limits.stall_after()) {
            self.time_out();
        }
    }

    /// The call of the handler under way took too long: it is told, and cut after the soft grace.
    pub(crate) fn time_out(&self) {
        let token = self.cancel.cancel(CancelReason::TimedOut);
        if let Some(token) = token {
            token.cancel();
        }
        self.change(|_| ());
    }
}
