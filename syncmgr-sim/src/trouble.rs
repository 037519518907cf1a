//! What the peer and the store do, performed.

use crate::process::Process;
use crate::step::{Place, Step};

impl Process<'_> {
    /// What the peer and the store do.
    pub(crate) fn trouble(&self, step: &Step) {
        let store = &self.disk.store;
        match step {
            Step::SlowStore(time) => store.slow_down(*time),
            Step::FailWrite(after) => store.fail_write(store.writes() + after + 1),
            Step::HealStore => self.heal_store(),
            Step::Lie => {
                store.lie();
                self.world.reach(|state| state.books.lies = true);
            }
            step => self.peer(step),
        }
    }

    fn peer(&self, step: &Step) {
        let at = |place: &Place| self.key(*place);
        self.world.reach(|state| {
            let theirs = &mut state.sides.theirs;
            match step {
                Step::Update(place) => theirs.get_mut(&at(place)).into_iter().for_each(|theirs| theirs.version += 1),
                Step::Delete(place, entries) => {
                    theirs.get_mut(&at(place)).into_iter().for_each(|theirs| theirs.deletes = *entries)
                }
                Step::Toggle(place) => {
                    if let Some(theirs) = theirs.get_mut(&at(place)) {
                        theirs.is_there = !theirs.is_there;
                        state.books.item(at(place)).was_absent = true;
                    }
                }
                Step::Fault { item, fault, times } => {
                    if let Some(theirs) = theirs.get_mut(&at(item)) {
                        theirs.faults.extend((0..*times).map(|_| *fault));
                    }
                }
                Step::FailListing(handler, times) => {
                    state.sides.unlisted.insert(self.handler(*handler), *times);
                }
                _ => {}
            }
        });
    }

    pub(crate) fn heal_store(&self) {
        self.disk.store.flush();
        self.disk.store.heal();
        self.world.reach(|state| state.books.lies = false);
    }
}
