//! A fake peer with books, and the local copies of their pages.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr::retry::RetryAt;
use syncmgr::{FailureClass, anyhow};
use syncmgr_test::{Check, CheckResult, Kit, Provider, Violation};

/// The books, each with its number of pages.
const BOOKS: [(&str, u32); 3] = [("atlas", 2), ("bestiary", 3), ("cookbook", 1)];

/// The fake peer and the local copies. Both outlive every process that the kit runs.
#[derive(Default)]
pub(crate) struct FakePeer {
    copies: Mutex<BTreeMap<String, String>>,
    failures: Mutex<BTreeMap<String, FailureClass>>,
    pub(crate) connections: AtomicUsize,
}

impl FakePeer {
    pub(crate) fn items(&self) -> Items {
        BOOKS.iter().map(|(name, _)| SyncItem::named(*name)).collect()
    }

    pub(crate) fn pages(&self, name: &str) -> u32 {
        BOOKS.iter().find(|(book, _)| *book == name).map_or(0, |(_, pages)| *pages)
    }

    /// Fetches a page in 10 ms, or fails if a failure of the item is injected.
    pub(crate) async fn fetch(&self, name: &str, page: u32) -> SyncResult<String> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let failure = self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let failed = || Err(anyhow::anyhow!("injected failure"));
        match failure {
            None => Ok(format!("page {page} of {name}")),
            Some(FailureClass::Permanent) => failed().permanent(),
            Some(FailureClass::Gone) => failed().gone(),
            Some(FailureClass::NotBefore(RetryAt::After(delay))) => failed().retry_after(delay),
            Some(_) => failed(),
        }
    }

    /// Stores a copy of a page.
    pub(crate) fn put(&self, name: &str, page: u32, text: String) {
        self.copies().insert(format!("{name}/{page}"), text);
    }

    pub(crate) fn copies(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A provider that creates a new handler for every process.
struct TestProvider<H> {
    peer: Arc<FakePeer>,
    make: fn(Arc<FakePeer>) -> H,
}

impl<H: SyncHandler> Provider for TestProvider<H> {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        Arc::new((self.make)(self.peer.clone()))
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.peer.copies().clone()
    }

    fn resources_in_use(&self) -> usize {
        self.peer.connections.load(Ordering::Relaxed)
    }

    fn inject_failure(&self, item: &SyncItem, class: FailureClass) -> bool {
        self.peer.failures.lock().unwrap_or_else(PoisonError::into_inner).insert(item.name().into(), class);
        true
    }
}

/// Returns a kit for the handler that `make` creates for a fake peer.
pub(crate) fn kit<H: SyncHandler>(make: fn(Arc<FakePeer>) -> H) -> Kit {
    Kit::new(move || TestProvider { peer: Arc::default(), make })
}

/// Returns the violation that a check finds.
#[track_caller]
pub(crate) fn violation(kit: &Kit, check: Check) -> Violation {
    match kit.check(check) {
        CheckResult::Failed(violation) => violation,
        result => panic!("the check `{check}` found no violation: {result:?}"),
    }
}

/// Asserts that the check finds a violation with this text in its headline.
#[track_caller]
pub(crate) fn assert_caught<H: SyncHandler>(make: fn(Arc<FakePeer>) -> H, check: Check, expected: &str) {
    let violation = violation(&kit(make), check);
    assert!(violation.headline().contains(expected), "unexpected headline of `{check}`: {}", violation.headline());
}
