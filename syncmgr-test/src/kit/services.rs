//! The host services of a process under test: the user and the network.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Asker, Confirmation, Connection, ConnectionProvider, Interaction, Secret};
use syncmgr_core::sync::Mutex;
use tokio::time::sleep;

/// The behaviour of the user and the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HostServices {
    /// The user answers, and every connection succeeds.
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

/// Creates the user of a session.
pub(super) type MakeUser = Arc<dyn Fn() -> Arc<dyn Interaction> + Send + Sync>;

/// The user of a process. In every session, the script of answers begins again.
#[derive(Clone)]
pub(super) struct SessionUser {
    services: HostServices,
    make: MakeUser,
    current: Arc<Mutex<Arc<dyn Interaction>>>,
}

impl SessionUser {
    pub(super) fn new(services: HostServices, make: &MakeUser) -> Self {
        Self { services, make: make.clone(), current: Arc::new(Mutex::new(make())) }
    }

    /// Replaces the user with a new one.
    pub(super) fn begin_session(&self) {
        let user = (self.make)();
        *self.current.lock() = user;
    }

    /// Returns the user, once the services let the request through.
    async fn current(&self) -> SyncResult<Arc<dyn Interaction>> {
        self.services.answer(()).await?;
        Ok(self.current.lock().clone())
    }
}

#[async_trait]
impl Interaction for SessionUser {
    async fn confirm(&self, asker: &Asker, question: &str) -> SyncResult<Confirmation> {
        self.current().await?.confirm(asker, question).await
    }

    async fn choose(&self, asker: &Asker, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        self.current().await?.choose(asker, question, choices).await
    }

    async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
        self.current().await?.secret(asker, prompt).await
    }
}

/// A user who agrees to every question, chooses the first option, and enters a secret.
pub(super) struct AgreeingUser;

#[async_trait]
impl Interaction for AgreeingUser {
    async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> {
        Ok(Confirmation::Confirm)
    }

    async fn choose(&self, _: &Asker, _: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        Ok((!choices.is_empty()).then_some(0))
    }

    async fn secret(&self, _: &Asker, _: &str) -> SyncResult<Option<Secret>> {
        Ok(Some(Secret::new("secret")))
    }
}

#[async_trait]
impl ConnectionProvider for HostServices {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        self.answer(Box::new(()) as Connection).await
    }
}
