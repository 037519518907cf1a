//! Secrets of handlers: stored, entered by the user, refused by the peer, forgotten.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::environment::{MemorySecrets, Secret, SecretStore};
use syncmgr::prelude::*;
use syncmgr::session::RunFault;
use syncmgr::{HandlerId, Outcome, Report, RunContext, RunEnding};
use syncmgr_test::ScriptedUser;
use tokio::sync::Semaphore;

use crate::support::awaitable_host::within;
use crate::support::{HANDLER, Scripted, id};

const NAME: &str = "ann@example.org";

/// A handler that logs in until the password is this one.
fn logging_in_with(right: &'static str) -> Scripted {
    Scripted::new(&["a", "b"]).on_prepare(move |run| log_in(run, right).boxed())
}

async fn log_in(run: &RunContext, right: &str) -> SyncResult {
    loop {
        let password = run.secret(NAME, "Password?").await?;
        if password.expose() == right {
            return Ok(());
        }
        run.reject_secret(NAME, &password).await?;
    }
}

fn user_with(secrets: &[&str]) -> ScriptedUser {
    secrets.iter().fold(ScriptedUser::new(), |user, secret| user.with_secret(Secret::new(*secret)))
}

async fn attended(manager: &SyncManager) -> Report {
    within(manager.session(Trigger::Manual).may_bother_user().start().expect("inside a runtime").finish()).await
}

async fn unattended(manager: &SyncManager) -> Report {
    within(manager.session(Trigger::Scheduled).start().expect("inside a runtime").finish()).await
}

#[tokio::test(start_paused = true)]
async fn an_unattended_run_uses_the_secret_that_the_user_entered_before() {
    let user = user_with(&["horse"]);
    let manager = SyncManager::builder().interaction(user.clone()).build();
    manager.register(logging_in_with("horse")).unwrap();
    let before = unattended(&manager).await;
    assert_eq!(before.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::NeedsUser)));
    assert!(before.runs[0].log[0].text.contains("Password?"), "{before}");
    assert!(attended(&manager).await.is_success());
    assert!(unattended(&manager).await.is_success());
    assert_eq!(user.transcript().lines(), ["secret Password?"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_secret_is_deleted_and_the_user_is_asked_for_another() {
    let secrets = MemorySecrets::new();
    secrets.put(HANDLER, NAME, &Secret::new("old")).await.unwrap();
    let user = user_with(&["wrong", "horse"]);
    let manager = SyncManager::builder().interaction(user.clone()).secrets(secrets.clone()).build();
    manager.register(logging_in_with("horse")).unwrap();
    assert!(attended(&manager).await.is_success());
    assert_eq!(user.transcript().count("secret"), 2);
    assert_eq!(secrets.get(HANDLER, NAME).await.unwrap().unwrap().expose(), "horse");
}

#[tokio::test]
async fn a_refusal_does_not_delete_the_secret_that_has_replaced_the_refused_one() {
    let secrets = MemorySecrets::new();
    secrets.put(HANDLER, NAME, &Secret::new("new")).await.unwrap();
    secrets.reject(HANDLER, NAME, &Secret::new("old")).await.unwrap();
    assert_eq!(secrets.get(HANDLER, NAME).await.unwrap().unwrap().expose(), "new");
}

#[tokio::test(start_paused = true)]
async fn two_items_that_need_a_secret_ask_the_user_once_and_the_user_sees_who_asks() {
    let user = user_with(&["horse"]);
    let manager = SyncManager::builder().interaction(user.clone()).build();
    let handler =
        Scripted::new(&["a", "b"]).on_item(|item| item.secret(NAME, "Password?").map(|got| got.map(drop)).boxed());
    manager.register(handler).unwrap();
    assert!(attended(&manager).await.is_success());
    let askers = user.askers();
    assert_eq!(askers.len(), 1);
    assert_eq!((askers[0].handler, askers[0].to_string()), (HANDLER, "Scripted: a".to_string()));
    assert_eq!(askers[0].item.as_ref().map(SyncItem::id), Some(id("a")));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_enters_no_secret_leaves_the_run_waiting_for_the_user() {
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    manager.register(logging_in_with("horse")).unwrap();
    let report = attended(&manager).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::NeedsUser)));
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_deletes_its_secrets_and_no_others() {
    let (secrets, other) = (MemorySecrets::new(), HandlerId::from_u128(99));
    secrets.put(other, NAME, &Secret::new("kept")).await.unwrap();
    let manager = SyncManager::builder().interaction(user_with(&["horse"])).secrets(secrets.clone()).build();
    manager.register(logging_in_with("horse")).unwrap();
    attended(&manager).await;
    assert!(secrets.get(HANDLER, NAME).await.unwrap().is_some());
    within(manager.forget(HANDLER)).await.unwrap();
    assert!(secrets.get(HANDLER, NAME).await.unwrap().is_none());
    assert!(secrets.get(other, NAME).await.unwrap().is_some());
}

/// A store that can only be read.
struct ReadOnly;

#[async_trait]
impl SecretStore for ReadOnly {
    async fn get(&self, _: HandlerId, _: &str) -> SyncResult<Option<Secret>> {
        Ok(None)
    }

    async fn put(&self, _: HandlerId, _: &str, _: &Secret) -> SyncResult {
        Err(syncmgr::anyhow::anyhow!("the keyring is read-only"))
    }

    async fn reject(&self, _: HandlerId, _: &str, _: &Secret) -> SyncResult {
        Ok(())
    }

    async fn forget(&self, _: HandlerId) -> SyncResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_stored_is_used_and_the_log_has_a_warning() {
    let manager = SyncManager::builder().interaction(user_with(&["horse"])).secrets(ReadOnly).build();
    manager.register(logging_in_with("horse")).unwrap();
    let report = attended(&manager).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded);
    let entry = &report.runs[0].log[0];
    assert_eq!(entry.level, LogLevel::Warning);
    let wanted = "the secret ann@example.org is used, but could not be stored: the keyring is read-only";
    assert_eq!(&*entry.text, wanted);
}

#[tokio::test]
async fn no_debug_output_shows_a_secret() {
    let secrets = MemorySecrets::new();
    secrets.put(HANDLER, NAME, &Secret::new("horse")).await.unwrap();
    let user = ScriptedUser::new().with_secret(Secret::new("horse"));
    let shown = format!("{:?} {secrets:?} {user:?}", Secret::new("horse"));
    assert!(!shown.contains("horse"), "{shown}");
}

/// Secrets whose deletion waits until it is allowed.
#[derive(Clone)]
struct SlowDeletion {
    secrets: MemorySecrets,
    allowed: Arc<Semaphore>,
}

#[async_trait]
impl SecretStore for SlowDeletion {
    async fn get(&self, handler: HandlerId, name: &str) -> SyncResult<Option<Secret>> {
        self.secrets.get(handler, name).await
    }

    async fn put(&self, handler: HandlerId, name: &str, secret: &Secret) -> SyncResult {
        self.secrets.put(handler, name, secret).await
    }

    async fn reject(&self, handler: HandlerId, name: &str, refused: &Secret) -> SyncResult {
        self.secrets.reject(handler, name, refused).await
    }

    async fn forget(&self, handler: HandlerId) -> SyncResult {
        let _allowed = self.allowed.acquire().await?;
        self.secrets.forget(handler).await
    }
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_deletes_its_secrets_and_none_of_the_next_registration() {
    let slow = SlowDeletion { secrets: MemorySecrets::new(), allowed: Arc::new(Semaphore::new(0)) };
    slow.put(HANDLER, "old", &Secret::new("old")).await.unwrap();
    let builder = SyncManager::builder().interaction(user_with(&["horse"])).secrets(slow.clone());
    let manager = builder.build();
    manager.register(logging_in_with("horse")).unwrap();
    assert!(manager.forget(HANDLER).now_or_never().is_none(), "the deletion waits"); // and is dropped
    manager.register(logging_in_with("horse")).unwrap();
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    slow.allowed.add_permits(1);
    assert!(within(session.finish()).await.is_success());
    let stored = async |name| slow.get(HANDLER, name).await.unwrap().is_some();
    assert_eq!((stored("old").await, stored(NAME).await), (false, true));
}
