//! Secrets in the keyring of the operating system, through the crate [`keyring_core`]. Needs the feature `keyring`.
//!
//! The program brings the store of its platform, and nothing global is set:
//!
//! | platform | crate | needs |
//! |---|---|---|
//! | Linux desktop | `zbus-secret-service-keyring-store` | a session bus, and an unlocked collection |
//! | Linux server, container | `linux-keyutils-keyring-store` | a kernel with keyrings; the secrets are lost at the next boot |
//! | macOS, iOS | `apple-native-keyring-store` | |
//! | Windows | `windows-native-keyring-store` | |

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use keyring_core::{Entry, Error};
use syncmgr_core::error::{Classify, NeedsUser, SyncResult};
use syncmgr_core::id::HandlerId;
use syncmgr_core::port::{Secret, SecretStore};
use syncmgr_core::sync::Mutex;

pub use keyring_core::{self, CredentialStore};

/// Secrets in the keyring of the operating system.
///
/// Each secret is an entry of the keyring. A further entry per handler lists the names of its secrets, so that
/// [`SyncManager::forget`](crate::manager::SyncManager::forget) finds them. Calls run on threads that may block.
///
/// ```
/// use syncmgr_runtime::keyring::{KeyringSecrets, keyring_core};
/// use syncmgr_runtime::manager::SyncManager;
///
/// let platform = keyring_core::mock::Store::new()?; // a program uses the store of its platform
/// let secrets = KeyringSecrets::new("org.example.mail", platform);
/// let manager = SyncManager::builder().secrets(secrets).build();
/// # let _ = manager;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyringSecrets(Arc<Keyring>);

struct Keyring {
    service: String,
    store: Arc<CredentialStore>,
    /// Held while the entries of a handler change.
    changing: Mutex<()>,
}

impl KeyringSecrets {
    /// Uses the entries of `service` in this store. Choose a service that no other program uses.
    pub fn new(service: impl Into<String>, store: Arc<CredentialStore>) -> Self {
        Self(Arc::new(Keyring { service: service.into(), store, changing: Mutex::default() }))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Keyring) -> SyncResult<T> + Send + 'static,
    ) -> SyncResult<T> {
        let keyring = self.0.clone();
        tokio::task::spawn_blocking(move || call(&keyring)).await?
    }
}

#[async_trait]
impl SecretStore for KeyringSecrets {
    async fn get(&self, handler: HandlerId, name: &str) -> SyncResult<Option<Secret>> {
        let user = user_of(handler, name);
        self.blocking(move |keyring| keyring.read(&user)).await
    }

    async fn put(&self, handler: HandlerId, name: &str, secret: &Secret) -> SyncResult {
        let (name, secret) = (name.to_owned(), secret.clone());
        self.blocking(move |keyring| keyring.put(handler, name, &secret)).await
    }

    async fn reject(&self, handler: HandlerId, name: &str, refused: &Secret) -> SyncResult {
        let (user, refused) = (user_of(handler, name), refused.clone());
        self.blocking(move |keyring| keyring.reject(&user, &refused)).await
    }

    async fn forget(&self, handler: HandlerId) -> SyncResult {
        self.blocking(move |keyring| keyring.forget(handler)).await
    }
}

/// The name of the entry for a secret.
fn user_of(handler: HandlerId, name: &str) -> String {
    format!("{handler}/{name}")
}

impl Keyring {
    fn entry(&self, user: &str) -> SyncResult<Entry> {
        Entry::new_in_store(&self.store, &self.service, user).map_err(for_people)
    }

    fn read(&self, user: &str) -> SyncResult<Option<Secret>> {
        match self.entry(user)?.get_password() {
            Ok(secret) => Ok(Some(Secret::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(for_people(error)),
        }
    }

    fn write(&self, user: &str, secret: &str) -> SyncResult {
        self.entry(user)?.set_password(secret).map_err(for_people)
    }

    fn delete(&self, user: &str) -> SyncResult {
        match self.entry(user)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(for_people(error)),
        }
    }

    fn names(&self, handler: HandlerId) -> SyncResult<BTreeSet<String>> {
        let names = self.read(&handler.to_string())?;
        // An unreadable list is replaced.
        Ok(names.and_then(|names| serde_json::from_str(names.expose()).ok()).unwrap_or_default())
    }

    /// Lists the name before it writes the secret, so that no secret is missing in the list.
    fn put(&self, handler: HandlerId, name: String, secret: &Secret) -> SyncResult {
        let _changing = self.changing.lock();
        let mut names = self.names(handler)?;
        let user = user_of(handler, &name);
        if names.insert(name) {
            self.write(&handler.to_string(), &serde_json::to_string(&names)?)?;
        }
        self.write(&user, secret.expose())
    }

    fn reject(&self, user: &str, refused: &Secret) -> SyncResult {
        let _changing = self.changing.lock();
        match self.read(user)? {
            Some(stored) if stored.expose() == refused.expose() => self.delete(user),
            _ => Ok(()),
        }
    }

    fn forget(&self, handler: HandlerId) -> SyncResult {
        let _changing = self.changing.lock();
        for name in self.names(handler)? {
            self.delete(&user_of(handler, &name))?;
        }
        self.delete(&handler.to_string())
    }
}

/// Keeps only the text of an error, because some variants contain the secret.
fn for_people(error: Error) -> anyhow::Error {
    let text = match &error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "an entry has an unknown format; delete it".to_string(),
        Error::NoStorageAccess(cause) => {
            return NeedsUser::new(format!("unlock the keyring of the operating system: {cause}")).into();
        }
        error => error.to_string(),
    };
    let error_of_keyring = anyhow!("the keyring of the operating system: {text}");
    match error {
        Error::PlatformFailure(_) => error_of_keyring,
        _ => Err::<(), _>(error_of_keyring).permanent().expect_err("just made"),
    }
}

impl fmt::Debug for KeyringSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyringSecrets({})", self.0.service)
    }
}
