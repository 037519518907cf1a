//! Starts what is due, in one task with one timer.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use syncmgr_core::decision::conditions::{holds, reconnected};
use syncmgr_core::facts::Facts;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;
use syncmgr_core::trigger::Trigger;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::host::Host;
use crate::pending::{Reason, Waiting};
use crate::session::SessionRequest;
use crate::setbacks::Reconnected;

/// The setback of a handler that could not begin is kept under this id, which no item has.
pub(crate) const HANDLER_ITSELF: ItemId = ItemId::from_u128(0);

/// How often the time of day is looked at while waiting: it goes on while the machine sleeps, and our timer does not.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(60);

impl Host {
    /// Has one task start what is due, if anything ever may be and none does. Without a runtime nothing can be started.
    pub(crate) fn attend(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut attending = self.attending();
        if self.tracker.is_closed() || attending.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let task = Attendant { host: self.clone(), due: None }.attend();
        *attending = Some(self.tracker.spawn_on(task, &runtime).abort_handle());
    }

    /// Whether anything may have to be started by itself.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.is_to_resume() || self.setbacks.next_due().is_some() || self.pending.is_waiting()
    }
}

/// Who starts what is due.
struct Attendant {
    host: Arc<Host>,
    /// What is waited for, and until when by our own clock.
    due: Option<(SystemTime, Instant)>,
}

impl Attendant {
    async fn attend(mut self) {
        let host = self.host.clone();
        let mut changes = host.ports.facts.changes().fuse();
        let mut facts = host.ports.facts.now();
        loop {
            self.start_due();
            self.resume();
            self.start_lifted();
            tokio::select! {
                biased;
                () = host.closing.cancelled() => return,
                Some(now) = changes.next() => {
                    if reconnected(facts, now) {
                        self.reconnect();
                    }
                    facts = now;
                }
                () = host.setbacks.changed().notified() => {}
                () = self.next_look() => {}
            }
        }
    }

    /// Resolves when something may be due.
    async fn next_look(&mut self) {
        let Some(due) = self.host.setbacks.next_due() else { return pending().await };
        let at = match self.due {
            Some((known, at)) if known == due => at,
            _ => {
                let left = due.duration_since(self.host.time()).unwrap_or_default();
                crate::attempt::grace::later(Instant::now(), left)
            }
        };
        self.due = Some((due, at));
        sleep_until(at.min(Instant::now() + LOOK_AT_CLOCK)).await;
    }

    /// Starts the items whose time has come, by the time of day or by what was waited.
    fn start_due(&mut self) {
        if let Some((due, at)) = self.due
            && at <= Instant::now()
        {
            self.host.reach(due);
        }
        let due = self.host.setbacks.take_due(self.host.time());
        if !due.is_empty() {
            self.start_items(due, Reason::Retry);
        }
    }

    fn start_items(&self, due: BTreeMap<HandlerId, BTreeSet<ItemId>>, reason: Reason) {
        let (whole, single): (BTreeMap<_, _>, BTreeMap<_, _>) =
            due.into_iter().partition(|(_, items)| items.contains(&HANDLER_ITSELF));
        if !single.is_empty()
            && let Some(request) = self.request(Trigger::Scheduled, reason)
        {
            self.start(single.into_iter().fold(request, |request, (handler, items)| request.items(handler, items)));
        }
        if !whole.is_empty()
            && let Some(request) = self.request(Trigger::Scheduled, reason)
        {
            self.start(request.handlers(whole.into_keys()));
        }
    }

    /// Takes up what was interrupted.
    fn resume(&self) {
        let interrupted = {
            let known = self.host.known();
            self.host.pending.take_to_resume(|handler| known.handlers.contains_key(&handler))
        };
        if !interrupted.is_empty()
            && let Some(request) = self.request(Trigger::Scheduled, Reason::Resumed)
        {
            self.start(request.handlers(interrupted));
        }
    }

    /// The network is back: what backs off is due.
    fn reconnect(&self) {
        let Reconnected { items: cleared, claims } = self.host.setbacks.reconnect();
        for (handler, items) in &cleared {
            let forget = |item: &ItemId| StateChange::Retry { handler: *handler, item: *item, retry: None };
            items.iter().map(forget).for_each(|change| self.host.store(change));
        }
        claims.into_iter().for_each(|claim| self.host.store(StateChange::Resource { claim, retry: None }));
        if !cleared.is_empty() {
            self.start_items(cleared, Reason::Retry);
        }
    }

    /// What the world held, and holds no more, goes on.
    fn start_lifted(&self) {
        let now = self.host.ports.facts.now();
        let lifted = self.host.pending.take_lifted(|waiting| self.is_lifted(waiting, now));
        for Waiting { request, ask, reason, .. } in lifted {
            let reason = if reason == Reason::Resumed { reason } else { Reason::Lifted };
            if let Some(owner) = self.host.owner() {
                self.start(SessionRequest::of(owner, request).unattended().because(reason).asking(ask));
            }
        }
    }

    /// Whether nothing holds a run any more. One whose handler is gone is started too, and fails as it should.
    fn is_lifted(&self, waiting: &Waiting, facts: Facts) -> bool {
        let known = self.host.known();
        let Waiting { request, ask, .. } = waiting;
        let info = known.handlers.get(&request.handler).map(|(_, info)| info);
        info.is_none_or(|info| holds(facts, info.capabilities(), request.trigger, *ask).is_none())
    }

    fn request(&self, trigger: Trigger, reason: Reason) -> Option<SessionRequest> {
        Some(SessionRequest::new(self.host.owner()?, trigger).unattended().because(reason))
    }

    /// Starts a session nobody holds.
    fn start(&self, request: SessionRequest) {
        if let Err(error) = request.start() {
            tracing::warn!(manager = %self.host.id, %error, "what was due could not be started");
        }
    }
}
