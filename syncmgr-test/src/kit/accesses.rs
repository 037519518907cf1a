//! The accesses of a fake peer: counted, recorded, and failed by the kit.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use syncmgr_core::error::{Classify, FailureClass, RetryAt, SyncResult};
use syncmgr_core::sync::Mutex;

use super::events::{Event, EventLog};

/// The accesses of a fake peer. The kit counts them and makes one of them fail. Clones share one count.
///
/// A peer registers each access to an item when it receives the request, with [`register`](Self::register) or
/// [`classify`](Self::classify). The provider shows the accesses to the kit with
/// [`Provider::accesses`](crate::Provider::accesses).
///
/// ```
/// use syncmgr_test::Accesses;
///
/// #[derive(Default)]
/// struct FakePeer {
///     accesses: Accesses,
/// }
///
/// impl FakePeer {
///     fn fetch(&self, name: &str, page: u32) -> anyhow::Result<String> {
///         self.accesses.register(name)?; // fails if the kit has chosen this access
///         Ok(format!("page {page} of {name}"))
///     }
/// }
///
/// # let peer = FakePeer::default();
/// assert_eq!(peer.fetch("atlas", 1)?, "page 1 of atlas");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Accesses(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<String, u32>,
    failing: Option<Failing>,
    log: Option<EventLog>,
}

/// The access that fails.
#[derive(Debug)]
struct Failing {
    item: String,
    number: u32,
    class: FailureClass,
}

impl Accesses {
    /// Registers an access to the item of this name, for a peer whose errors the handler passes on as they are.
    ///
    /// # Errors
    /// If the kit has chosen this access to fail, with an error that is marked with the class of the failure.
    pub fn register(&self, item: &str) -> SyncResult {
        let Some(class) = self.classify(item) else { return Ok(()) };
        let failed: SyncResult = Err(anyhow!("the kit makes this access to `{item}` fail"));
        match class {
            FailureClass::Permanent => failed.permanent(),
            FailureClass::Gone => failed.gone(),
            FailureClass::UnreadableState => failed.unreadable_state(),
            FailureClass::NotBefore(RetryAt::After(delay)) => failed.retry_after(delay),
            FailureClass::NotBefore(RetryAt::At(time)) => failed.not_before(time),
            _ => failed,
        }
    }

    /// Registers an access to the item of this name. Returns the class of the failure that the peer must answer with, if the kit has
    /// chosen this access: for a web server, status 404 for [`Gone`](FailureClass::Gone), 429 for
    /// [`NotBefore`](FailureClass::NotBefore), and so on.
    pub fn classify(&self, item: &str) -> Option<FailureClass> {
        let mut state = self.0.lock();
        let count = state.counts.entry(item.to_owned()).or_default();
        *count += 1;
        let number = *count;
        let failing = state.failing.take_if(|failing| failing.item == item && failing.number == number);
        if let Some(log) = &state.log {
            log.record(Event::Accessed {
                item: item.into(),
                number,
                failure: failing.as_ref().map(|failing| failing.class),
            });
        }
        failing.map(|failing| failing.class)
    }

    /// Makes the access with this number fail, counted from now on.
    pub(super) fn fail(&self, item: &str, number: u32, class: FailureClass) {
        let mut state = self.0.lock();
        let before = state.counts.get(item).copied().unwrap_or_default();
        state.failing = Some(Failing { item: item.to_owned(), number: before + number, class });
    }

    /// Records further accesses as events.
    pub(super) fn record_to(&self, log: &EventLog) {
        self.0.lock().log = Some(log.clone());
    }

    /// Returns the number of accesses to an item so far.
    pub(super) fn count(&self, item: &str) -> u32 {
        self.0.lock().counts.get(item).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_access_fails_once_and_the_others_succeed() {
        let accesses = Accesses::default();
        assert_eq!(accesses.classify("atlas"), None);
        accesses.fail("atlas", 2, FailureClass::Gone);
        assert_eq!(
            ["atlas", "bestiary", "atlas", "atlas"].map(|item| accesses.classify(item)),
            [None, None, Some(FailureClass::Gone), None]
        );
        assert_eq!((accesses.count("atlas"), accesses.count("cookbook")), (4, 0));
    }

    #[test]
    fn the_error_of_the_chosen_access_has_the_class_of_the_failure() {
        let accesses = Accesses::default();
        accesses.fail("atlas", 1, FailureClass::Permanent);
        let failed = accesses.register("atlas").map_err(|error| FailureClass::of(&error));
        assert_eq!(failed, Err(FailureClass::Permanent));
    }
}
