//! The ports of a manager: user interaction, secrets, network and power state, connections, clock, randomness and watchdog.
//!
//! All ports are optional. A program sets a port to let handlers ask the user ([`Interaction`]), to report that the network is
//! down ([`ManualEnvironment`]), to detect handlers that block a thread ([`ThreadWatchdog`]), or to control the clock and
//! randomness in tests.
//!
//! This handler needs a password. The program asks the user once, and the secret is stored for later sessions. Without a store of
//! its own, a manager keeps secrets in memory; the feature `keyring` adds a store in the keyring of the operating system.
//!
//! ```
//! use syncmgr::environment::{Asker, Secret};
//! use syncmgr::prelude::*;
//! use syncmgr::{Interaction, async_trait};
//!
//! struct Dialogs;
//!
//! #[async_trait]
//! impl Interaction for Dialogs {
//!     async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
//!         println!("{asker}: {prompt}"); // "Mail: Password for ann@example.org"
//!         Ok(Some(Secret::new("correct horse"))) // .. as the user entered it
//!     }
//! }
//!
//! struct Mail;
//!
//! #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
//! impl SyncHandler for Mail {
//!     async fn prepare(&self, run: &PrepareContext) -> SyncResult {
//!         // The stored secret, or the user's answer. With neither, the run ends *needs user*.
//!         run.keep(run.secret("ann@example.org", "Password for ann@example.org").await?);
//!         Ok(())
//!     }
//!
//!     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
//!         let password = item.kept::<Secret>()?;
//!         assert_eq!(password.expose(), "correct horse"); // use it to log in
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> SyncResult {
//! let manager = SyncManager::builder().interaction(Dialogs).build();
//! manager.register(Mail)?;
//! let report = manager.update_all()?.finish().await; // this session may ask the user
//! assert!(report.is_success(), "{report}");
//! let report = manager.session(Trigger::Scheduled).start()?.finish().await; // this one may not
//! assert!(report.is_success(), "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! [`Interaction`]: crate::Interaction

#[doc(inline)]
pub use syncmgr_core::{
    environment::{Battery, Connectivity, Ending, EndingKind, Environment, Link, LinkKind, Network, Power, Presence},
    port::{
        Asker, Confirmation, Connection, ConnectionProvider, InteractionPermit, MemorySecrets, Secret, SecretStore,
    },
};
#[cfg(feature = "keyring")]
#[doc(inline)]
pub use syncmgr_runtime::keyring::{self, KeyringSecrets};
#[doc(inline)]
pub use syncmgr_runtime::{
    clock::{Clock, Now, SystemClock},
    environment::{EnvironmentSource, ManualEnvironment},
    random::{Randomness, SystemRandomness},
    watchdog::{Probe, ProbeStatus, ThreadWatchdog, Watchdog},
};
