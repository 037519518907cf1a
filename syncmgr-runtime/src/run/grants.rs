//! The user's attention as a run holds it.

use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::sync::Mutex;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// What a run was granted. What its handler forgets to give back is taken back when the run completes (R134).
#[derive(Default)]
pub(super) struct Grants {
    permits: Mutex<Vec<Arc<Grant>>>,
    attended: Arc<Mutex<Attended>>,
}

/// One grant: the permit, until it is given or taken back.
type Grant = Mutex<Option<OwnedSemaphorePermit>>;

/// How long the run has had the user's attention or waited for it. That time counts against no deadline.
#[derive(Default)]
struct Attended {
    before: Duration,
    since: Option<Instant>,
    askers: usize,
}

impl Grants {
    /// Somebody asks for attention; the time runs until what is returned is dropped.
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

    /// How long the run has had attention so far, or waited for it.
    pub(super) fn attended(&self) -> Duration {
        let attended = self.attended.lock();
        attended.before + attended.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Takes everything back.
    pub(super) fn take_back(&self) {
        let permits = std::mem::take(&mut *self.permits.lock());
        permits.iter().for_each(give_back);
    }
}

/// Counts the time until it is dropped.
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

/// Gives a grant back when it is dropped.
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
