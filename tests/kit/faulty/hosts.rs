//! Handlers that rely on the answers of hosts.

use std::sync::Arc;

use syncmgr::anyhow::Context;
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::peer::{FakePeer, assert_caught};

/// Unwraps the user's answer.
struct UnwrapsUserAnswer(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1101", name = "Unwraps user answer")]
impl SyncHandler for UnwrapsUserAnswer {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let user = run.interaction().await?;
        let secret = user.secret("password?").await.unwrap().expect("the user answers");
        drop((user, secret));
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_panic_on_a_failing_host_is_found() {
    assert_caught(UnwrapsUserAnswer, Check::Hosts, "prepare panics:");
}

/// Unwraps the cookie as UTF-8.
struct UnwrapsCookie(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1102", name = "Unwraps cookie")]
impl SyncHandler for UnwrapsCookie {
    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        if let Some(cookie) = run.cookie() {
            let _page = std::str::from_utf8(cookie).unwrap();
        }
        Ok(Participation::TakePart)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_panic_on_the_cookie_of_an_invocation_is_found() {
    assert_caught(UnwrapsCookie, Check::Cookie, "initialize panics:");
}

/// Fails every run after a refused connection.
struct NeverRecoversFromRefusal {
    peer: Arc<FakePeer>,
    refused: std::sync::OnceLock<()>,
}

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1103",
    name = "Never recovers from refusal",
    flags(may_establish_connection)
)]
impl SyncHandler for NeverRecoversFromRefusal {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.peer.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        if self.peer.copies().contains_key("refused") {
            return Err(syncmgr::anyhow::anyhow!("the connection was refused before"));
        }
        let connected = run.establish_connection(None).await;
        if connected.is_err() {
            self.peer.copies().insert("refused".into(), String::new());
            _ = self.refused.set(());
        }
        connected.context("no connection")
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_never_recovers_from_a_refusal_is_found() {
    assert_caught(
        |peer| NeverRecoversFromRefusal { peer, refused: Default::default() },
        Check::Hosts,
        "in a run after a slow or failing host",
    );
}
