//! Injection of faults into the peer and the store.

use crate::process::Process;
use crate::step::{ItemIndex, Step};

impl Process<'_> {
    /// Performs a step that affects the store or the peer.
    pub(crate) fn perform_fault_step(&self, step: &Step) {
        let store = &self.disk.store;
        match step {
            Step::SlowStore(time) => store.slow_down(*time),
            Step::FailWrite(after) => store.fail_write(store.writes() + after + 1),
            Step::RecoverStore => self.recover_store(),
            Step::LoseWrites => {
                store.drop_writes();
                self.sim.try_with(|state| state.model.writes_lost = true);
            }
            step => self.perform_peer_step(step),
        }
    }

    fn perform_peer_step(&self, step: &Step) {
        let at = |index: &ItemIndex| self.key(*index);
        self.sim.try_with(|state| {
            let peer = &mut state.sides.peer;
            match step {
                Step::Update(index) => {
                    peer.get_mut(&at(index)).into_iter().for_each(|peer_item| peer_item.version += 1)
                }
                Step::Delete(index, entries) => {
                    peer.get_mut(&at(index)).into_iter().for_each(|peer_item| peer_item.deletes = *entries)
                }
                Step::TogglePresence(index) => {
                    if let Some(peer_item) = peer.get_mut(&at(index)) {
                        peer_item.exists = !peer_item.exists;
                        state.model.item(at(index)).was_absent = true;
                    }
                }
                Step::FailAttempts { item, fault, times } => {
                    if let Some(peer_item) = peer.get_mut(&at(item)) {
                        peer_item.faults.extend((0..*times).map(|_| *fault));
                    }
                }
                Step::FailListing(handler, times) => {
                    state.sides.failing_listings.insert(self.handler(*handler), *times);
                }
                _ => {}
            }
        });
    }

    pub(crate) fn recover_store(&self) {
        self.disk.store.flush();
        self.disk.store.recover();
        self.sim.try_with(|state| state.model.writes_lost = false);
    }
}
