//! Secrets of a run: stored ones, and ones that the user enters.

use anyhow::Context;

use super::{ItemContext, RunContext};
use crate::error::{NeedsUser, SyncResult, one_line};
use crate::item::SyncItem;
use crate::port::{InteractionPermit, Secret};
use crate::text::Escaped;

impl RunContext {
    /// Returns the secret of this name, such as a password.
    ///
    /// Returns the stored secret if there is one. Otherwise the host asks the user with `prompt`, and stores the answer. Later
    /// sessions get it too, also those that may not ask the user. `name` identifies the secret within the handler, for example
    /// by an account and a server.
    ///
    /// Cancel safe. Time in which the user is asked does not count towards a deadline.
    ///
    /// ```
    /// # use syncmgr_core::{context::{PrepareContext, TestContext}, error::{NeedsUser, SyncResult}, port::Secret};
    /// # struct Connection;
    /// # #[derive(PartialEq)]
    /// # enum Refusal { WrongPassword, NoSuchUser }
    /// # impl Connection {
    /// #     async fn open(password: &str) -> Result<Self, Refusal> {
    /// #         if password == "correct horse" { Ok(Self) } else { Err(Refusal::WrongPassword) }
    /// #     }
    /// # }
    /// async fn prepare(run: &PrepareContext) -> SyncResult {
    ///     const NAME: &str = "ann@example.org";
    ///     let connection = loop {
    ///         let password = run.secret(NAME, "Password for ann@example.org").await?;
    ///         match Connection::open(password.expose()).await {
    ///             Ok(connection) => break connection,
    ///             // The next `secret` asks the user again.
    ///             Err(Refusal::WrongPassword) => run.reject_secret(NAME, &password).await?,
    ///             Err(_) => return Err(anyhow::anyhow!("the server has no such user")),
    ///         }
    ///     };
    ///     run.keep(connection);
    ///     Ok(())
    /// }
    ///
    /// let host = TestContext::new();
    /// host.store_secret("ann@example.org", Secret::new("correct horse"));
    /// futures::executor::block_on(prepare(&host.prepare([])))?;
    ///
    /// host.store_secret("ann@example.org", Secret::new("an old password"));
    /// let refused = futures::executor::block_on(prepare(&host.prepare([])));
    /// assert!(NeedsUser::is_in(&refused.expect_err("a test context cannot ask the user")));
    /// assert!(host.secret("ann@example.org").is_none()); // the old password was deleted
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NeedsUser`] if no secret is stored and the user may not be asked or gives none: return it with `?`. The error of the
    /// store if it cannot be read. [`Cancelled`](crate::cancel::Cancelled) if the handler is stopped while waiting.
    pub async fn secret(&self, name: &str, prompt: &str) -> SyncResult<Secret> {
        SecretRequest { run: self, item: None, name, prompt }.secret().await
    }

    /// Deletes a stored secret that the peer has refused, so that [`secret`](Self::secret) asks the user again.
    ///
    /// Has no effect if another secret has replaced it in the meantime. Cancel safe.
    ///
    /// # Errors
    /// The error of the store if it cannot be written.
    pub async fn reject_secret(&self, name: &str, refused: &Secret) -> SyncResult {
        self.port().secrets()?.reject(self.handler(), name, refused).await
    }
}

impl ItemContext {
    /// Returns the secret of this name: see [`RunContext::secret`]. If the user is asked, the user interface is told that
    /// this item asks.
    ///
    /// # Errors
    /// See [`RunContext::secret`].
    pub async fn secret(&self, name: &str, prompt: &str) -> SyncResult<Secret> {
        let (run, item) = (self.run(), Some(self.item()));
        SecretRequest { run, item, name, prompt }.secret().await
    }

    /// Deletes a stored secret that the peer has refused: see [`RunContext::reject_secret`].
    ///
    /// # Errors
    /// See [`RunContext::reject_secret`].
    pub async fn reject_secret(&self, name: &str, refused: &Secret) -> SyncResult {
        self.run().reject_secret(name, refused).await
    }

    /// Waits for a permit to use the user's attention: see [`RunContext::interaction`]. The user interface is told that this
    /// item asks.
    ///
    /// # Errors
    /// See [`RunContext::interaction`].
    pub async fn interaction(&self) -> SyncResult<InteractionPermit> {
        Ok(self.run().interaction().await?.for_item(self.item()))
    }
}

/// A request for a secret.
struct SecretRequest<'a> {
    run: &'a RunContext,
    item: Option<&'a SyncItem>,
    name: &'a str,
    prompt: &'a str,
}

impl SecretRequest<'_> {
    async fn secret(&self) -> SyncResult<Secret> {
        if let Some(stored) = self.stored().await? {
            return Ok(stored);
        }
        let user = self.run.interaction().await.context(self.prompt.to_string())?;
        // Another item may have asked for the same secret while this one waited for the user's attention.
        match self.stored().await? {
            Some(stored) => Ok(stored),
            None => self.ask(user).await,
        }
    }

    async fn stored(&self) -> SyncResult<Option<Secret>> {
        self.run.port().secrets()?.get(self.run.handler(), self.name).await
    }

    /// Asks the user, and releases the user's attention only once the secret is stored.
    async fn ask(&self, user: InteractionPermit) -> SyncResult<Secret> {
        let user = match self.item {
            Some(item) => user.for_item(item),
            None => user,
        };
        let entered = user.secret(self.prompt).await?;
        let secret = entered.ok_or_else(|| NeedsUser::new(format!("{}: not entered", self.prompt)))?;
        if let Err(error) = self.run.port().secrets()?.put(self.run.handler(), self.name, &secret).await {
            let name = Escaped(self.name);
            self.run.warn(format!("the secret {name} is used, but could not be stored: {}", one_line(&error)));
        }
        Ok(secret)
    }
}
