//! Whoever looks at a resting run, and what they want of it.

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::protocol::{Action, Event, Step};
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use tokio::sync::oneshot;

use super::Run;
use super::state::{Command, Wish};

/// What somebody looks at, and who waits for the run to rest again.
#[derive(Default)]
pub(super) struct Looking {
    pub(super) at: Option<Lookout>,
    pub(super) retry: Vec<ItemId>,
    replies: Vec<oneshot::Sender<()>>,
}

#[derive(Clone, Copy)]
pub(super) enum Lookout {
    Error(ErrorId),
    Properties(Subject),
}

impl Looking {
    fn reply(&mut self) {
        for reply in self.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
    }
}

impl Run {
    /// Waits for somebody who looks at the run to want something.
    pub(super) async fn rest(&self, looking: &mut Looking) -> Action {
        loop {
            {
                let mut state = self.lock();
                state.resting = true;
                state.rests += 1;
            }
            self.save_log();
            looking.reply();
            self.scope.changed();
            let command = self.next_command().await;
            self.lock().resting = false;
            if let Step::Do(action) = self.wished(command, looking) {
                return action;
            }
        }
    }

    async fn next_command(&self) -> Command {
        loop {
            if let Some(command) = self.lock().commands.pop_front() {
                return command;
            }
            self.wanted.notified().await;
        }
    }

    fn wished(&self, command: Command, looking: &mut Looking) -> Step {
        let Command { wish, reply } = command;
        looking.replies.push(reply);
        match wish {
            Wish::Open(error) => {
                looking.at = Some(Lookout::Error(error));
                self.open_error()
            }
            Wish::Retry(items) => {
                (looking.at, looking.retry) = (None, items);
                self.open_error()
            }
            Wish::Properties(subject) => {
                looking.at = Some(Lookout::Properties(subject));
                self.on(Event::PropertiesOpened)
            }
            Wish::Close => self.on(Event::Closed),
        }
    }

    /// An error is opened: what was stopped before is over. A session that shuts down meanwhile stops this too.
    fn open_error(&self) -> Step {
        let step = {
            let mut state = self.lock();
            let step = state.protocol.on(Event::ErrorOpened);
            if matches!(step, Step::Do(_)) {
                state.stop = None;
            }
            step
        };
        // Nothing is opened any more once the manager shuts down.
        if self.host().tracker.is_closed() {
            self.stop(CancelReason::ShuttingDown);
        }
        step
    }
}
