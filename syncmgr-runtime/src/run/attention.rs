//! The permits of a run for the user's attention.

use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::foreign;
use syncmgr_core::id::ItemId;
use syncmgr_core::sync::Mutex;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The permits granted to a run.
#[derive(Default)]
pub(super) struct AttentionPermits {
    permits: Mutex<Vec<Arc<PermitSlot>>>,
    time: Arc<Mutex<AttentionTime>>,
}

/// One slot: the permit, until it is given back or revoked.
struct PermitSlot {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    /// The item whose call requested the permit. `None` for another call of the handler.
    item: Option<ItemId>,
}

/// The time in which the run had the user's attention or waited for it. No deadline counts this time.
#[derive(Default)]
struct AttentionTime {
    before: Duration,
    since: Option<Instant>,
    requests: usize,
}

impl AttentionPermits {
    /// Begins a request for attention. The time runs until the returned guard is dropped.
    pub(super) fn request(&self) -> AttentionRequest {
        let mut time = self.time.lock();
        time.requests += 1;
        time.since.get_or_insert_with(Instant::now);
        AttentionRequest(self.time.clone())
    }

    pub(super) fn hold(
        &self,
        item: Option<ItemId>,
        request: AttentionRequest,
        permit: OwnedSemaphorePermit,
    ) -> HeldPermit {
        let slot = Arc::new(PermitSlot { permit: Mutex::new(Some(permit)), item });
        let mut permits = self.permits.lock();
        permits.retain(|slot| slot.is_held());
        permits.push(slot.clone());
        HeldPermit { slot, _request: request }
    }

    /// Returns `true` if this item or a call of the handler itself holds a permit.
    pub(super) fn is_held_by(&self, item: Option<ItemId>) -> bool {
        let may_be = |slot: &PermitSlot| slot.item.is_none() || slot.item == item;
        self.permits.lock().iter().any(|slot| slot.is_held() && may_be(slot))
    }

    /// Returns `true` if the run waits for a permit.
    pub(super) fn is_awaited(&self) -> bool {
        let held = self.permits.lock().iter().filter(|slot| slot.is_held()).count();
        self.time.lock().requests > held
    }

    /// Returns how long the run has had attention or waited for it.
    pub(super) fn attention_time(&self) -> Duration {
        let time = self.time.lock();
        time.before + time.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Revokes all permits, which the handler may have forgotten to give back.
    pub(super) fn revoke_all(&self) {
        // R134.
        let permits = std::mem::take(&mut *self.permits.lock());
        permits.iter().for_each(|slot| return_permit(slot));
    }
}

impl PermitSlot {
    fn is_held(&self) -> bool {
        self.permit.lock().is_some()
    }
}

/// A request for attention. Counts the time until it is dropped.
pub(super) struct AttentionRequest(Arc<Mutex<AttentionTime>>);

impl Drop for AttentionRequest {
    fn drop(&mut self) {
        let mut time = self.0.lock();
        time.requests -= 1;
        if time.requests == 0 {
            let passed = time.since.take().map(|since| since.elapsed());
            time.before += passed.unwrap_or_default();
        }
    }
}

/// A granted permit, which is given back when this value is dropped.
pub(super) struct HeldPermit {
    slot: Arc<PermitSlot>,
    _request: AttentionRequest,
}

impl Drop for HeldPermit {
    fn drop(&mut self) {
        return_permit(&self.slot);
    }
}

fn return_permit(slot: &PermitSlot) {
    let permit = slot.permit.lock().take();
    // Dropping the permit wakes a handler that waits for it.
    let _ = foreign::discard(permit);
}
