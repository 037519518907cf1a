//! A live list of the items of two handlers, one of which asks for a password ("correct horse" is right):
//! `cargo run --example items -- STATE`. A second run with the same file starts with the results of the first one.
use std::fmt::Write;
use std::io::{IsTerminal, stdin, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use syncmgr::anyhow::{anyhow, ensure};
use syncmgr::environment::{Asker, Confirmation, Secret};
use syncmgr::prelude::*;
use syncmgr::session::ItemStatus;
use syncmgr::store::SqliteStore;
use syncmgr::{Interaction, async_trait};

/// Transfers something in 8 steps.
async fn transfer(item: &ItemContext) -> SyncResult {
    for step in 1..=8 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        item.progress(step, 8)?;
    }
    Ok(())
}

struct Photos;

#[sync_handler(id = "6d9a7b1c-0f5e-4a44-9a57-3f7c2f9d1e20", name = "Photos", limits(items = 2))]
impl SyncHandler for Photos {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["Autumn", "Harbour", "Mountains"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        transfer(item).await
    }
}

struct Mail;

#[sync_handler(id = "b3f1c5d2-7a0e-4f0c-8d3b-91e6a2c47f55", name = "Mail")]
impl SyncHandler for Mail {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["Inbox", "Sent"].map(SyncItem::named).into_iter().collect())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let password = run.interaction().await?.secret("Password for ann@example.org").await?;
        run.keep(password.ok_or_else(|| NeedsUser::new("the password of ann@example.org"))?);
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let password = item.kept::<Secret>()?;
        ensure!(password.expose() == "correct horse", "the server refused the password");
        transfer(item).await
    }
}

/// Asks the user on the terminal. Clones share the open prompt, which is part of the list.
#[derive(Clone, Default)]
struct Terminal {
    prompt: Arc<Mutex<String>>,
}

impl Terminal {
    fn set_prompt(&self, prompt: String) {
        *self.prompt.lock().unwrap_or_else(PoisonError::into_inner) = prompt;
    }

    /// Shows all items, and the open prompt below them.
    async fn show(&self, manager: &SyncManager) -> SyncResult {
        let mut list = String::from(if stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" });
        for handler in manager.handlers() {
            writeln!(list, "{}", handler.name())?;
            for item in manager.items(handler.id()).await? {
                writeln!(list, "  {}", line(&item))?;
            }
        }
        println!("{list}{}", self.prompt.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// A bar for a running item, and the last result and the next run of any other.
fn line(item: &ItemStatus) -> String {
    match item.progress.as_ref().and_then(|progress| progress.fraction()) {
        Some(fraction) => format!("{}: [{:<24}]", item.name, "=".repeat((fraction * 24.0) as usize)),
        None => item.to_string(),
    }
}

#[async_trait]
impl Interaction for Terminal {
    async fn confirm(&self, _asker: &Asker, _question: &str) -> SyncResult<Confirmation> {
        Ok(Confirmation::Refuse)
    }

    async fn choose(&self, _asker: &Asker, _question: &str, _choices: &[String]) -> SyncResult<Option<usize>> {
        Ok(None)
    }

    async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
        self.set_prompt(format!("{asker}: {prompt}: "));
        println!("{asker}: {prompt}: ");
        let read = tokio::task::spawn_blocking(|| stdin().lines().next()).await?;
        self.set_prompt(String::new());
        Ok(read.transpose()?.map(Secret::new))
    }
}

#[tokio::main]
async fn main() -> SyncResult {
    let path = std::env::args_os().nth(1).ok_or_else(|| anyhow!("usage: items STATE"))?;
    let terminal = Terminal::default();
    let manager = SyncManager::builder().store(SqliteStore::open(path)?).interaction(terminal.clone()).build();
    manager.register(Photos)?;
    manager.register(Mail)?;
    terminal.show(&manager).await?; // the results of the last run
    let mut events = manager.events();
    let session = manager.update_all()?; // may ask the user
    while let Some(ManagerEvent { event, .. }) = events.next().await {
        terminal.show(&manager).await?;
        if event == SessionEvent::Idle {
            break;
        }
    }
    println!("{}", session.finish().await);
    manager.shutdown().await;
    Ok(())
}

#[test]
fn the_photos_pass_the_conformance_check() {
    syncmgr_test::assert_conforms(|| Photos);
}
