//! A handler that uses sockets, checked in real time.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use syncmgr::prelude::*;
use syncmgr_test::{Check, CheckResult, Kit, Provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An echo server on the loopback interface, and the texts fetched from it.
struct Echo {
    address: SocketAddr,
    fetched: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Echo {
    /// Serves until the test process ends.
    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut byte = [0; 1];
                if stream.read_exact(&mut byte).is_ok() {
                    _ = stream.write_all(&byte);
                }
            }
        });
        Self { address, fetched: Arc::default() }
    }
}

struct Pages {
    address: SocketAddr,
    fetched: Arc<Mutex<BTreeMap<String, String>>>,
}

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a03",
    name = "Pages over sockets",
    capabilities(cancellable, real_time),
    limits(soft_grace = "10ms")
)]
impl SyncHandler for Pages {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["a", "b"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(item.name().as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).insert(item.name().into(), text);
        Ok(())
    }
}

impl Provider for Echo {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        Arc::new(Pages { address: self.address, fetched: self.fetched.clone() })
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[test]
fn the_report_says_that_a_handler_was_checked_in_real_time() {
    let kit = Kit::new(Echo::serve);
    let report = kit.report();
    let text = report.to_string();
    assert!(report.is_passed(), "{text}");
    assert!(text.starts_with("Pages over sockets, in real time:"), "{text}");
    assert!(matches!(kit.check(Check::Failures), CheckResult::Skipped(reason) if reason.contains("real time")));
}
