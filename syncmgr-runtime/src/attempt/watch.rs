//! Watches over the items that run: what makes no progress is stalled, what never comes back loses its seat.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::id::Subject;
use syncmgr_core::info::WhenStalled;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::status::Status;
use tokio::time::{Instant, sleep_until};

use super::Attempt;
use super::state::{Evicted, Slot, Working};
use super::worker::abandoned;
use crate::clock::later;

/// Since when each running item is quiet, and the run as a whole.
#[derive(Default)]
struct Quiet {
    items: BTreeMap<usize, Since>,
    /// How long the journal is while the handler runs its items itself, and since when.
    run: Option<(usize, Since)>,
    attended: Duration,
}

/// Since when something is quiet, and whether that was told.
#[derive(Clone, Copy)]
struct Since {
    quiet: Instant,
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    No,
    Yes,
}

/// What a worker is given beyond its graces before it loses its seat: it may only have been polled late.
const SPARE: Duration = Duration::from_millis(100);

impl Attempt {
    /// Watches over the attempt until dropped.
    pub(crate) async fn watch(&self) {
        let mut quiet = Quiet::default();
        let every = self.limits.stall_after() / 4;
        let mut look = later(Instant::now(), every);
        let mut timer = pin!(sleep_until(look));
        loop {
            let due = self.next_overdue().map_or(look, |overdue| overdue.min(look));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                () = self.changed() => continue,
                () = &mut timer => {}
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

    /// When the next worker should long have come back from a cancelled item.
    fn next_overdue(&self) -> Option<Instant> {
        let state = self.lock();
        state.slots.iter().filter_map(|slot| self.overdue(slot)).min()
    }

    /// When a seat is taken from its worker: a little after the worker would have abandoned the item, had it looked.
    fn overdue(&self, slot: &Slot) -> Option<Instant> {
        let patience = self.limits.hard_grace().saturating_add(self.limits.soft_grace()).saturating_add(SPARE);
        slot.place.and(slot.heard.or(slot.cancelled)).map(|since| later(since, patience))
    }

    /// Takes the seats of workers that never came back from a cancelled item: they block their thread, or wait behind one
    /// who does.
    pub(crate) fn evict_overdue(&self, now: Instant) {
        let is_overdue = |slot: &Slot| self.overdue(slot).is_some_and(|due| now >= due);
        if !self.lock().slots.iter().any(is_overdue) {
            return;
        }
        let evicted = self.change(|state| {
            let overdue: Vec<_> = (0..state.slots.len()).filter(|index| is_overdue(&state.slots[*index])).collect();
            overdue.into_iter().filter_map(|index| state.evict(index)).collect::<Vec<_>>()
        });
        for Evicted { place, cell, asked } in evicted {
            let item = self.selection()[place].id();
            self.link.ends(item, &cell);
            let blocks = if cell.poll_under_way().is_some() { "; it blocks its thread" } else { "" };
            let text = format!("{}{blocks}", abandoned(self));
            self.link.log(LogEntry::new(LogLevel::Error, text).with_item(item));
            self.note_stopped(asked);
            self.abandon(item, &cell);
            self.link.give_back_workers(1);
        }
        // Others take the places of those that were lost; an attempt that is over has no use for them.
        let _ = self.want_workers();
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
        let mut anything = false;
        for (place, cell) in running {
            let fresh = cell.take_fresh();
            anything |= fresh;
            let known = before.get(&place).copied().filter(|_| !fresh);
            let mut since = known.unwrap_or(Since { quiet: now, told: Told::No });
            if since.told == Told::No
                && now - since.quiet >= self.limits.stall_after()
                && cell.cancel().reason().is_none()
            {
                since.told = Told::Yes;
                self.stalled(place, &cell);
            }
            quiet.items.insert(place, since);
        }
        self.look_for_stalled_run(quiet, now, anything);
    }

    fn stalled(&self, place: usize, cell: &Arc<ItemCell>) {
        let (item, quiet) = (self.selection()[place].id(), self.limits.stall_after());
        match self.limits.stall_policy() {
            WhenStalled::Report => {
                let text = format!("no progress for {quiet:?}; it goes on");
                self.link.log(LogEntry::new(LogLevel::Warning, text).with_item(item));
            }
            _ => {
                let text = format!("stalled: no progress for {quiet:?}; cancelled. Report progress more often");
                self.link.log(LogEntry::new(LogLevel::Error, text).with_item(item));
                self.signal(cell, CancelReason::TimedOut);
            }
        }
    }

    /// A handler that runs its items itself has to go on too: where nothing at all happens, its call is cut.
    fn look_for_stalled_run(&self, quiet: &mut Quiet, now: Instant, anything: bool) {
        let (length, by_itself) = {
            let state = self.lock();
            (state.run.journal_len(), state.served == 0 && state.working == Working::Now)
        };
        let before = quiet.run.take().filter(|(known, _)| by_itself && !anything && *known == length);
        let (_, mut since) = before.unwrap_or((length, Since { quiet: now, told: Told::No }));
        if since.told == Told::No && now - since.quiet >= self.limits.stall_after() {
            since.told = Told::Yes;
            self.stalled_run();
        }
        quiet.run = by_itself.then_some((length, since));
    }

    fn stalled_run(&self) {
        let quiet = self.limits.stall_after();
        match self.limits.stall_policy() {
            WhenStalled::Report => {
                self.link.log(LogEntry::new(LogLevel::Warning, format!("nothing happened for {quiet:?}; it goes on")));
            }
            _ => self.time_out(),
        }
    }

    /// The call of the handler under way took too long: it is told, and cut after the soft grace.
    pub(crate) fn time_out(&self) {
        let token = self.cancel.cancel(CancelReason::TimedOut);
        if let Some(token) = token {
            token.cancel();
        }
        self.push(Subject::Handler, Status::Stopped);
    }
}
