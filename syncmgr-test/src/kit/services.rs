//! The host services of a process under test: the user and the network.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Asker, Confirmation, Connection, ConnectionProvider, Interaction, Secret};
use tokio::time::sleep;

/// The behaviour of the user and the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HostServices {
    /// The user agrees to every question, and every connection succeeds.
    #[default]
    Working,
    /// Like `Working`, but every answer takes a minute.
    Slow,
    /// Every request to the user or the network fails.
    Failing,
}

impl HostServices {
    async fn answer<T>(self, answer: T) -> SyncResult<T> {
        match self {
            Self::Working => Ok(answer),
            Self::Slow => {
                sleep(Duration::from_secs(60)).await;
                Ok(answer)
            }
            Self::Failing => Err(anyhow!("the kit makes every request to the host fail")),
        }
    }
}

#[async_trait]
impl Interaction for HostServices {
    async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> {
        self.answer(Confirmation::Confirm).await
    }

    async fn choose(&self, _: &Asker, _: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        self.answer((!choices.is_empty()).then_some(0)).await
    }

    async fn secret(&self, _: &Asker, _: &str) -> SyncResult<Option<Secret>> {
        self.answer(()).await.map(|()| Some(Secret::new("secret")))
    }
}

#[async_trait]
impl ConnectionProvider for HostServices {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        self.answer(Box::new(()) as Connection).await
    }
}
