//! Handlers with faults in questions to the user.

use std::sync::{Arc, Mutex};

use syncmgr::anyhow;
use syncmgr::environment::{InteractionPermit, Secret};
use syncmgr::prelude::*;
use syncmgr_test::{Check, ScriptedUser};

use super::super::peer::{FakePeer, assert_caught, kit, violation};
use super::super::shelf::{Shelf, shelf_kit};

/// Stores its permit and uses it in later sessions.
struct ReusesPermit {
    peer: Arc<FakePeer>,
    user: Mutex<Option<Arc<InteractionPermit>>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f01", name = "Reuses permit")]
impl SyncHandler for ReusesPermit {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.peer.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let stored = self.user.lock().unwrap().clone();
        let user = match stored {
            Some(user) => user,
            None => Arc::new(run.interaction().await?),
        };
        *self.user.lock().unwrap() = Some(user.clone());
        user.confirm("log in?").await?;
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn reuses_permit(peer: Arc<FakePeer>) -> ReusesPermit {
    ReusesPermit { peer, user: Mutex::default() }
}

#[test]
fn a_prompt_in_an_unattended_session_is_found() {
    assert_caught(reuses_permit, Check::Unattended, "prepare asks `log in?` in an unattended session");
}

#[test]
fn a_permit_held_after_the_call_is_found() {
    assert_caught(reuses_permit, Check::Attention, "prepare returns without releasing the user's attention");
}

/// Requests the user's attention in `initialize`.
struct AsksInInitialize(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f04", name = "Asks in initialize")]
impl SyncHandler for AsksInInitialize {
    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        _ = run.interaction().await;
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
fn a_request_for_attention_in_initialize_is_found() {
    assert_caught(AsksInInitialize, Check::Unattended, "initialize requests the user's attention");
}

/// Does nothing if it cannot ask, and reports success.
struct SkipsWorkWhenRefused(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f05", name = "Skips work when refused")]
impl SyncHandler for SkipsWorkWhenRefused {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let Ok(user) = item.run().interaction().await else { return Ok(()) };
        drop(user);
        self.0.put(item.name(), 0, "a page".into());
        Ok(())
    }
}

#[test]
fn work_skipped_in_an_unattended_session_is_found() {
    assert_caught(SkipsWorkWhenRefused, Check::Unattended, "after an unattended session, the data differ");
}

/// Holds the user's attention while it copies.
struct HoldsPermitWhileCopying(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f06", name = "Holds permit while copying")]
impl SyncHandler for HoldsPermitWhileCopying {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let user = item.run().interaction().await?;
        user.confirm("copy it?").await?;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        Ok(())
    }
}

#[test]
fn attention_held_during_work_is_found() {
    assert_caught(
        HoldsPermitWhileCopying,
        Check::Attention,
        "holds the user's attention for 60 s after its last question",
    );
}

/// Logs in while it holds the user's attention.
struct HoldsPermitThroughLogIn(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f07", name = "Holds permit through log-in")]
impl SyncHandler for HoldsPermitThroughLogIn {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let user = run.interaction().await?;
        let password = user.secret("password?").await?;
        let login = self.0.fetch("login", 0).await?;
        run.keep((login, password.is_some()));
        drop(user);
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn attention_held_through_a_log_in_is_found() {
    assert_caught(
        HoldsPermitThroughLogIn,
        Check::Attention,
        "prepare still holds the user's attention while it waits for something else",
    );
}

/// Copies at once, without a wait, while it holds the user's attention.
struct HoldsPermitDuringAccess(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f08", name = "Holds permit during access")]
impl SyncHandler for HoldsPermitDuringAccess {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let user = item.run().interaction().await?;
        user.confirm("copy it?").await?;
        let text = self.0.fetch_at_once(item.name())?;
        drop(user);
        self.0.put(item.name(), text);
        Ok(())
    }
}

#[test]
fn attention_held_during_an_access_without_a_wait_is_found() {
    let found = violation(&shelf_kit(HoldsPermitDuringAccess), Check::Attention);
    assert!(found.headline().contains("while the peer receives an access to `atlas`"), "{}", found.headline());
}

/// Replaces the host's refusal with another error.
struct ReportsRefusalAsFailure(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f02", name = "Reports refusal as failure")]
impl SyncHandler for ReportsRefusalAsFailure {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let user = item.run().interaction().await.map_err(|_| anyhow::anyhow!("the log-in failed"))?;
        user.confirm("log in?").await?;
        Ok(())
    }
}

#[test]
fn a_refusal_reported_as_a_failure_is_found() {
    assert_caught(ReportsRefusalAsFailure, Check::Unattended, "needs the user, but ends: failed");
}

/// Holds the user's attention for the whole run.
struct KeepsPermitForRun(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f03", name = "Keeps permit for run")]
impl SyncHandler for KeepsPermitForRun {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let user = run.interaction().await?;
        user.confirm("log in?").await?;
        run.keep(user);
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_permit_kept_for_the_run_is_found() {
    assert_caught(KeepsPermitForRun, Check::Attention, "prepare returns without releasing the user's attention");
}

/// A user who enters a wrong password first, and then the right one.
fn mistyping_user() -> ScriptedUser {
    ScriptedUser::new().with_secret(Secret::new("wrong")).with_secret(Secret::new("right"))
}

/// Logs in to the peer in 10 ms.
async fn log_in(password: &Secret) -> bool {
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    password.expose() == "right"
}

/// Asks for the password until the log-in succeeds.
struct AsksAgain(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f09", name = "Asks again")]
impl SyncHandler for AsksAgain {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        loop {
            let password = run.secret("peer", "password?").await?;
            match log_in(&password).await {
                true => return Ok(()),
                false => run.reject_secret("peer", &password).await?,
            }
        }
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_asks_again_after_a_wrong_password_passes_every_check() {
    kit(AsksAgain).user(mistyping_user).assert_conforms();
}

/// Fails if the first password is wrong.
struct AsksOnce(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f0a", name = "Asks once")]
impl SyncHandler for AsksOnce {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let password = run.secret("peer", "password?").await?;
        match log_in(&password).await {
            true => Ok(()),
            false => Err(anyhow::anyhow!("the password is wrong")),
        }
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_does_not_ask_again_after_a_wrong_password_is_found() {
    let found = violation(&kit(AsksOnce).user(mistyping_user), Check::Baseline);
    assert_eq!(found.headline(), "`atlas` ends: failed, although no fault was injected");
}
