//! Mistakes about hosts.

use std::sync::Arc;

use syncmgr::anyhow::Context;
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::world::{World, caught};

/// Takes for granted that the user answers.
struct Trusting(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1101", name = "Trusting")]
impl SyncHandler for Trusting {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let user = run.interaction().await?;
        let secret = user.secret("password?").await.unwrap().expect("a password");
        drop((user, secret));
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_panic_on_a_host_that_fails_is_noticed() {
    caught(Trusting, Check::Hosts, "prepare panics:");
}

/// Reads a page's name from whatever an invocation brings along.
struct Gullible(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1102", name = "Gullible")]
impl SyncHandler for Gullible {
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
fn a_panic_on_the_bytes_of_an_invocation_is_noticed() {
    caught(Gullible, Check::Cookie, "initialize panics:");
}

/// Cannot be used again once a connection was refused.
struct Sulks {
    world: Arc<World>,
    refused: std::sync::OnceLock<()>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1103", name = "Sulks", flags(may_establish_connection))]
impl SyncHandler for Sulks {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.world.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        if self.world.shelf().contains_key("refused") {
            return Err(syncmgr::anyhow::anyhow!("the connection was refused before"));
        }
        let connected = run.establish_connection(None).await;
        if connected.is_err() {
            self.world.shelf().insert("refused".into(), String::new());
            _ = self.refused.set(());
        }
        connected.context("no connection")
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_never_recovers_from_a_refused_connection_is_noticed() {
    caught(|world| Sulks { world, refused: Default::default() }, Check::Hosts, "in a run after a bad host");
}
