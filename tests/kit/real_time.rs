//! A handler that uses sockets, checked in real time.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr::retry::RetryAt;
use syncmgr::{FailureClass, anyhow};
use syncmgr_test::{Accesses, Check, CheckResult, Kit, Provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::peer::violation;

/// An echo server on the loopback interface, and the texts fetched from it.
struct Echo {
    pages: Pages,
    accesses: Accesses,
    make: fn(Pages) -> Arc<dyn SyncHandler>,
}

impl Echo {
    /// Serves until the test process ends.
    fn serve() -> Self {
        Self::serve_to(|pages| Arc::new(pages))
    }

    fn serve_to(make: fn(Pages) -> Arc<dyn SyncHandler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accesses = Accesses::default();
        let served = accesses.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut byte = [0; 1];
                if stream.read_exact(&mut byte).is_ok() {
                    let name = String::from_utf8_lossy(&byte).into_owned();
                    _ = stream.write_all(answer(&name, served.classify(&name)).as_bytes());
                }
            }
        });
        Self { pages: Pages { address, fetched: Arc::default() }, accesses, make }
    }
}

/// Returns the answer of the server: the name of the page, or the class of a failure. A transient failure is a closed connection.
fn answer(name: &str, failure: Option<FailureClass>) -> String {
    match failure {
        None => name.to_owned(),
        Some(FailureClass::Permanent) => "permanent".into(),
        Some(FailureClass::Gone) => "gone".into(),
        Some(FailureClass::NotBefore(RetryAt::After(delay))) => delay.as_secs().to_string(),
        Some(_) => String::new(),
    }
}

#[derive(Clone)]
struct Pages {
    address: SocketAddr,
    fetched: Arc<Mutex<BTreeMap<String, String>>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a03", name = "Pages over sockets", limits(soft_grace = "10ms"))]
impl SyncHandler for Pages {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["a", "b"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(item.name().as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let refused = || Err(anyhow::anyhow!("the server refuses the page"));
        match text.as_str() {
            "permanent" => return refused().permanent(),
            "gone" => return refused().gone(),
            "" => return refused(),
            text => {
                if let Ok(seconds) = text.parse() {
                    return refused().retry_after(Duration::from_secs(seconds));
                }
            }
        }
        self.copies().insert(item.name().into(), text);
        Ok(())
    }
}

impl Pages {
    fn copies(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Echo {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        (self.make)(self.pages.clone())
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.pages.copies().clone()
    }

    fn accesses(&self) -> Option<&Accesses> {
        Some(&self.accesses)
    }
}

#[test]
fn the_kit_checks_a_handler_in_real_time_and_the_report_says_so() {
    let kit = Kit::new(Echo::serve).real_time();
    let report = kit.report();
    let text = report.to_string();
    assert!(report.is_passed(), "{text}");
    assert!(text.starts_with("Pages over sockets, in real time:"), "{text}");
    assert!(matches!(kit.check(Check::Failures), CheckResult::Passed(passed) if passed.scripts == 8));
}

/// Declares that its work depends on real time.
struct DeclaresRealTime;

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a05",
    name = "Declares real time",
    capabilities(cancellable, real_time)
)]
impl SyncHandler for DeclaresRealTime {
    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    }
}

#[test]
fn a_handler_that_declares_real_time_is_checked_in_the_time_of_the_kit() {
    let report = Kit::new(|| DeclaresRealTime).virtual_time().report();
    assert!(report.is_passed() && report.to_string().starts_with("Declares real time: "), "{report}");
    let kit = Kit::new(|| DeclaresRealTime).script_timeout(Duration::from_millis(200));
    let violation = violation(&kit, Check::Baseline);
    assert!(violation.headline().starts_with("the script does not end"), "{}", violation.headline());
}

/// Locks a page before it connects, and unlocks it only if it gets an answer.
struct LeavesPageLocked(Pages);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a06", name = "Leaves page locked", limits(soft_grace = "10ms"))]
impl SyncHandler for LeavesPageLocked {
    async fn items(&self) -> SyncResult<Items> {
        self.0.items().await
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let lock = format!("{}.lock", item.name());
        if self.0.copies().insert(lock.clone(), String::new()).is_some() {
            return Err(anyhow::anyhow!("the page is locked"));
        }
        self.0.synchronize_item(item).await?;
        self.0.copies().remove(&lock);
        Ok(())
    }
}

#[test]
fn a_fault_is_found_in_real_time() {
    let kit = Kit::new(|| Echo::serve_to(|pages| Arc::new(LeavesPageLocked(pages)))).real_time();
    let violation = violation(&kit, Check::Kill);
    assert_eq!(violation.headline(), "in a run after a kill, `a` ends: failed; without faults it ends: succeeded");
}

/// Builds a new error from the text of the old one, which loses the class.
struct LosesClass(Pages);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a07", name = "Loses class", limits(soft_grace = "10ms"))]
impl SyncHandler for LosesClass {
    async fn items(&self) -> SyncResult<Items> {
        self.0.items().await
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.synchronize_item(item).await.map_err(|error| anyhow::anyhow!("cannot fetch the page: {error}"))
    }
}

#[test]
fn a_failure_class_lost_in_real_time_is_found() {
    let kit = Kit::new(|| Echo::serve_to(|pages| Arc::new(LosesClass(pages)))).real_time();
    let violation = violation(&kit, Check::Failures);
    assert!(violation.headline().ends_with("but the handler returns: transient"), "{}", violation.headline());
}
