//! The permits of a run for the user's attention.

use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::sync::Mutex;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The permits granted to a run.
#[derive(Default)]
pub(super) struct Grants {
    permits: Mutex<Vec<Arc<Grant>>>,
    attended: Arc<Mutex<Attended>>,
}

/// One grant: the permit, until it is given back or revoked.
type Grant = Mutex<Option<OwnedSemaphorePermit>>;

/// The time in which the run had the user's attention or waited for it. It counts against no deadline.
#[derive(Default)]
struct Attended {
    before: Duration,
    since: Option<Instant>,
    askers: usize,
}

impl Grants {
    /// Begins a request for attention. The time runs until the returned guard is dropped.
    pub(super) fn ask(&self) -> Asking {
        let mut attended = self.attended.lock();
        attended.askers += 1;
        attended.since.get_or_insert_with(Instant::now);
        Asking(self.attended.clone())
    }

    pub(super) fn hold(&self, asking: Asking, permit: OwnedSemaphorePermit) -> Held {
        let grant = Arc::new(Mutex::new(Some(permit)));
        let mut permits = self.permits.lock();
        permits.retain(|grant| grant.lock().is_some());
        permits.push(grant.clone());
        Held { grant, _asking: asking }
    }

    /// Returns how long the run has had attention or waited for it.
    pub(super) fn attention_time(&self) -> Duration {
        let attended = self.attended.lock();
        attended.before + attended.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Revokes all permits, which the handler may have forgotten to give back.
    pub(super) fn take_back(&self) {
        // R134.
        let permits = std::mem::take(&mut *self.permits.lock());
        permits.iter().for_each(give_back);
    }
}

/// A request for attention. Counts the time until it is dropped.
pub(super) struct Asking(Arc<Mutex<Attended>>);

impl Drop for Asking {
    fn drop(&mut self) {
        let mut attended = self.0.lock();
        attended.askers -= 1;
        if attended.askers == 0 {
            let passed = attended.since.take().map(|since| since.elapsed());
            attended.before += passed.unwrap_or_default();
        }
    }
}

/// A granted permit. Gives it back when dropped.
pub(super) struct Held {
    grant: Arc<Grant>,
    _asking: Asking,
}

impl Drop for Held {
    fn drop(&mut self) {
        give_back(&self.grant);
    }
}

fn give_back(grant: &Arc<Grant>) {
    let permit = grant.lock().take();
    drop(permit);
}
