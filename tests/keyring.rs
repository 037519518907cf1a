//! Secrets in a keyring, with the feature `keyring`. The mock of `keyring-core` stands in for the platform's store.

use std::sync::Arc;

use syncmgr::environment::keyring::keyring_core::{Entry, Error, mock};
use syncmgr::environment::{KeyringSecrets, Secret, SecretStore};
use syncmgr::{HandlerId, NeedsUser};

const MAIL: HandlerId = HandlerId::from_u128(7);

fn keyring() -> (KeyringSecrets, Arc<mock::Store>) {
    let store = mock::Store::new().expect("the mock works");
    (KeyringSecrets::new("org.example", store.clone()), store)
}

async fn stored(secrets: &KeyringSecrets, name: &str) -> Option<String> {
    let secret = secrets.get(MAIL, name).await.expect("the keyring can be read");
    secret.map(|secret| secret.expose().to_string())
}

#[tokio::test]
async fn a_secret_is_stored_replaced_refused_and_forgotten() {
    let (secrets, _) = keyring();
    assert_eq!(stored(&secrets, "ann").await, None);
    for secret in ["one", "two"] {
        secrets.put(MAIL, "ann", &Secret::new(secret)).await.unwrap();
    }
    secrets.put(MAIL, "bob", &Secret::new("three")).await.unwrap();
    secrets.reject(MAIL, "ann", &Secret::new("one")).await.unwrap();
    assert_eq!(stored(&secrets, "ann").await.as_deref(), Some("two"));
    secrets.reject(MAIL, "ann", &Secret::new("two")).await.unwrap();
    assert_eq!(stored(&secrets, "ann").await, None);
    secrets.forget(MAIL).await.unwrap();
    assert_eq!(stored(&secrets, "bob").await, None);
}

#[tokio::test]
async fn a_locked_keyring_needs_the_user_and_a_broken_entry_is_not_shown() {
    let (secrets, store) = keyring();
    secrets.put(MAIL, "ann", &Secret::new("horse")).await.unwrap();
    let fail = |error| {
        let store: Arc<syncmgr::environment::keyring::CredentialStore> = store.clone();
        let entry = Entry::new_in_store(&store, "org.example", &format!("{MAIL}/ann")).unwrap();
        entry.as_any().downcast_ref::<mock::Cred>().expect("a mock").set_error(error);
    };
    fail(Error::NoStorageAccess("it is locked".into()));
    let locked = secrets.get(MAIL, "ann").await.expect_err("locked");
    assert!(NeedsUser::is_in(&locked), "{locked:?}");
    fail(Error::BadEncoding(b"horse".to_vec()));
    let broken = secrets.get(MAIL, "ann").await.expect_err("broken");
    assert!(!format!("{broken:?}").contains(&format!("{:?}", b"horse")), "{broken:?}");
}
