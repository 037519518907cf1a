//! The user's attention as a run holds it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

/// What a run was granted. What its handler forgets to give back is taken back when the run completes (R134).
#[derive(Default)]
pub(super) struct Grants(Mutex<Vec<Arc<Grant>>>);

/// One grant: the permit, until it is given or taken back.
type Grant = Mutex<Option<OwnedSemaphorePermit>>;

/// Gives a grant back when it is dropped.
pub(super) struct Held(Arc<Grant>);

impl Grants {
    pub(super) fn hold(&self, permit: OwnedSemaphorePermit) -> Held {
        let grant = Arc::new(Mutex::new(Some(permit)));
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|grant| grant.lock().unwrap_or_else(PoisonError::into_inner).is_some());
        grants.push(grant.clone());
        Held(grant)
    }

    /// Takes everything back.
    pub(super) fn take_back(&self) {
        let grants = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        grants.iter().for_each(give_back);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        give_back(&self.0);
    }
}

fn give_back(grant: &Arc<Grant>) {
    let permit = grant.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(permit);
}
