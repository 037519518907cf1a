//! Changes of the network on systems other than Linux.

use n0_watcher::{Direct, Watcher};
use netwatch::netmon::{Monitor, State};

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
pub(super) enum Change {
    Network,
    /// The machine has been asleep.
    Wake,
}

#[derive(Debug)]
pub(super) struct Changes {
    state: Direct<State>,
    known: State,
    /// Ends its task when it is dropped.
    _monitor: Monitor,
}

impl Changes {
    pub(super) async fn open() -> Result<Self, Error> {
        let monitor = Monitor::new().await.map_err(|error| error.to_string())?;
        let mut state = monitor.interface_state();
        let known = state.get();
        Ok(Self { state, known, _monitor: monitor })
    }

    pub(super) async fn next(&mut self) -> Result<Change, Error> {
        let new = self.state.updated().await?;
        let woke = new.last_unsuspend != self.known.last_unsuspend;
        self.known = new;
        Ok(if woke { Change::Wake } else { Change::Network })
    }
}
