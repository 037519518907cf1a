#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "network", feature = "networkmanager", feature = "logind", feature = "upower")),
    allow(dead_code, unused_imports, reason = "what the sources have in common is unused without one")
)]

#[cfg(all(unix, feature = "dbus"))]
mod bus;
#[cfg(all(target_os = "linux", feature = "files"))]
mod files;
#[cfg(all(unix, feature = "logind"))]
mod logind;
#[cfg(feature = "network")]
mod network;
#[cfg(all(unix, feature = "networkmanager"))]
mod networkmanager;
mod running;
mod settings;
mod system;
#[cfg(all(unix, feature = "upower"))]
mod upower;

#[cfg(all(unix, feature = "dbus"))]
pub use bus::{Bus, BusAddressError};
#[cfg(all(target_os = "linux", feature = "files"))]
pub use files::FileChanges;
#[cfg(all(unix, feature = "logind"))]
pub use logind::Logind;
#[cfg(feature = "network")]
pub use network::NetworkMonitor;
#[cfg(all(unix, feature = "networkmanager"))]
pub use networkmanager::NetworkManager;
pub use settings::Settings;
pub use system::SystemEnvironment;
#[cfg(all(unix, feature = "upower"))]
pub use upower::UPower;
