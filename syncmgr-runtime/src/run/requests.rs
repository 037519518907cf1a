//! Requests for an idle run.

use std::collections::BTreeSet;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::protocol::{Action, Event, Step};
use syncmgr_core::foreign;
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use tokio::sync::oneshot;

use super::Run;
use super::state::{Command, IdleRequest};

/// The number of attempts after which an automatic run runs no more due items. It is limited because a run keeps all of
/// its attempts.
const MAX_ATTEMPTS: usize = 16;

/// The current request, and the callers that wait until the run is idle again.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) target: Option<Target>,
    pub(super) retry: Vec<ItemId>,
    replies: Vec<oneshot::Sender<()>>,
}

/// The subject of a request.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Error(ErrorId),
    Properties(Subject),
}

impl Requests {
    fn reply(&mut self) {
        for reply in self.replies.drain(..) {
            // The receiver may have been dropped, and its waker is foreign.
            let _ = foreign::call(|| reply.send(()));
        }
    }
}

impl Run {
    /// Marks the run as idle, and waits for a request that leads to an action.
    pub(super) async fn next_request(&self, requests: &mut Requests) -> Action {
        if let Some(action) = self.run_due_items(requests) {
            return action;
        }
        loop {
            {
                let mut state = self.lock();
                state.idle = true;
                state.times_idle += 1;
            }
            self.save_log();
            requests.reply();
            self.scope.changed();
            let command = self.next_command().await;
            self.lock().idle = false;
            if let Step::Do(action) = self.accept(command, requests) {
                return action;
            }
        }
    }

    /// Runs the items that became due during an automatic run. If there are none, the run is no longer automatic.
    fn run_due_items(&self, requests: &mut Requests) -> Option<Action> {
        let is_over = self.lock().stop.is_some() || self.host().tracker.is_closed();
        let items = if is_over || self.attempt_count() >= MAX_ATTEMPTS { BTreeSet::new() } else { self.take_along() };
        if !items.is_empty() {
            // These items run as retries, even if an interrupted run had left them unfinished.
            self.lock().unfinished.clear();
            (requests.target, requests.retry) = (None, items.into_iter().collect());
            if let Step::Do(action) = self.open_error() {
                return Some(action);
            }
        }
        self.end_automatic();
        None
    }

    async fn next_command(&self) -> Command {
        loop {
            if let Some(command) = self.lock().commands.pop_front() {
                return command;
            }
            self.requested.notified().await;
        }
    }

    fn accept(&self, command: Command, requests: &mut Requests) -> Step {
        let Command { request, reply } = command;
        requests.replies.push(reply);
        match request {
            IdleRequest::ShowError(error) => {
                requests.target = Some(Target::Error(error));
                self.open_error()
            }
            IdleRequest::Retry(items) => {
                (requests.target, requests.retry) = (None, items);
                self.open_error()
            }
            IdleRequest::ShowProperties(subject) => {
                requests.target = Some(Target::Properties(subject));
                self.on(Event::PropertiesOpened)
            }
            IdleRequest::Close => self.on(Event::Closed),
        }
    }

    /// Opens an error and clears an earlier stop. If the manager shuts down meanwhile, the run is stopped again.
    fn open_error(&self) -> Step {
        let step = {
            let mut state = self.lock();
            let step = state.protocol.on(Event::ErrorOpened);
            if matches!(step, Step::Do(_)) {
                state.stop = None;
            }
            step
        };
        // Nothing is opened after the manager has begun to shut down.
        if self.host().tracker.is_closed() {
            self.stop(CancelReason::ShuttingDown);
        }
        step
    }
}
