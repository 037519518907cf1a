//! Secrets, and the port that stores them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::error::SyncResult;
use crate::id::HandlerId;
use crate::sync::Mutex;

/// A secret, such as a password. The host never shows or logs it, and stores it only in its [`SecretStore`].
///
/// Clones share one buffer, which is overwritten with zeros when the last clone is dropped.
///
/// ```
/// # use syncmgr_core::port::Secret;
/// let password = Secret::new("correct horse");
/// assert_eq!(password.expose().len(), 13);
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps a secret. A `String` is not copied.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(secret.into())))
    }

    /// Returns the secret itself. The caller is responsible for its further use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A store for the secrets of handlers, such as the keyring of the operating system.
///
/// Handlers use it through [`RunContext::secret`](crate::context::RunContext::secret). Every method has to be cancel safe, and
/// may be called from several tasks at the same time. A name is unique within its handler.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Returns the secret of this name. `None` if there is none.
    ///
    /// # Errors
    /// If the store cannot be read. The handler receives the error.
    async fn get(&self, handler: HandlerId, name: &str) -> SyncResult<Option<Secret>>;

    /// Stores a secret. Replaces an earlier one.
    ///
    /// # Errors
    /// If the store cannot be written. The host logs the error, and the user is asked again in the next session.
    async fn put(&self, handler: HandlerId, name: &str, secret: &Secret) -> SyncResult;

    /// Deletes the secret of this name if it is still `refused`, and not one that has replaced it.
    ///
    /// # Errors
    /// If the store cannot be written. The handler receives the error.
    async fn reject(&self, handler: HandlerId, name: &str, refused: &Secret) -> SyncResult;

    /// Deletes all secrets of a handler.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn forget(&self, handler: HandlerId) -> SyncResult;
}

/// Secrets in memory. Clones share their content.
///
/// ```
/// # use syncmgr_core::{id::HandlerId, port::{MemorySecrets, Secret, SecretStore}};
/// # let mail = HandlerId::from_u128(1);
/// let secrets = MemorySecrets::new();
/// # futures::executor::block_on(async {
/// secrets.put(mail, "ann@example.org", &Secret::new("correct horse")).await?;
/// assert!(secrets.get(mail, "ann@example.org").await?.is_some());
/// secrets.forget(mail).await?;
/// assert!(secrets.get(mail, "ann@example.org").await?.is_none());
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemorySecrets(Arc<Mutex<BTreeMap<HandlerId, NamedSecrets>>>);

type NamedSecrets = BTreeMap<Arc<str>, Secret>;

impl MemorySecrets {
    /// Creates a store without secrets.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn insert(&self, handler: HandlerId, name: &str, secret: Secret) {
        self.0.lock().entry(handler).or_default().insert(name.into(), secret);
    }

    pub(crate) fn find(&self, handler: HandlerId, name: &str) -> Option<Secret> {
        self.0.lock().get(&handler)?.get(name).cloned()
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn get(&self, handler: HandlerId, name: &str) -> SyncResult<Option<Secret>> {
        Ok(self.find(handler, name))
    }

    async fn put(&self, handler: HandlerId, name: &str, secret: &Secret) -> SyncResult {
        self.insert(handler, name, secret.clone());
        Ok(())
    }

    async fn reject(&self, handler: HandlerId, name: &str, refused: &Secret) -> SyncResult {
        if let Some(secrets) = self.0.lock().get_mut(&handler) {
            secrets.retain(|stored, secret| **stored != *name || secret.expose() != refused.expose());
        }
        Ok(())
    }

    async fn forget(&self, handler: HandlerId) -> SyncResult {
        self.0.lock().remove(&handler);
        Ok(())
    }
}

impl fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemorySecrets({})", self.0.lock().values().map(BTreeMap::len).sum::<usize>())
    }
}
