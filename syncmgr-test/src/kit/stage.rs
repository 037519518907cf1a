//! What a program under judgement finds around it: a user and a network, well or not.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Confirmation, Connection, ConnectionProvider, Interaction, Secret};
use tokio::time::sleep;

/// How the world around a program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Weather {
    /// The user agrees to everything, every connection comes up.
    #[default]
    Fair,
    /// Everything does, and takes a minute.
    Slow,
    /// Whatever is asked of the user or the network fails.
    Foul,
}

impl Weather {
    async fn answer<T>(self, answer: T) -> SyncResult<T> {
        match self {
            Self::Fair => Ok(answer),
            Self::Slow => {
                sleep(Duration::from_secs(60)).await;
                Ok(answer)
            }
            Self::Foul => Err(anyhow!("the kit has everything fail that is asked of the host")),
        }
    }
}

#[async_trait]
impl Interaction for Weather {
    async fn confirm(&self, _: &str) -> SyncResult<Confirmation> {
        self.answer(Confirmation::Confirm).await
    }

    async fn choose(&self, _: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        self.answer((!choices.is_empty()).then_some(0)).await
    }

    async fn secret(&self, _: &str) -> SyncResult<Option<Secret>> {
        self.answer(()).await.map(|()| Some(Secret::new("secret")))
    }
}

#[async_trait]
impl ConnectionProvider for Weather {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        self.answer(Box::new(()) as Connection).await
    }
}
