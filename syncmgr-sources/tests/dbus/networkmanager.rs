//! The state of the network.

use std::time::Duration;

use futures::StreamExt;
use syncmgr_core::environment::{Connectivity, Ending, EndingKind, Environment, Link, LinkKind, Network};
use syncmgr_runtime::environment::EnvironmentSource;
use syncmgr_sources::NetworkManager;
use zbus::{ObjectPath, Variant};

use crate::clock::{Noon, noon};
use crate::log::Log;
use crate::private_bus::{FakeDaemon, PrivateBus};
use crate::{TOO_LONG, until};

pub(crate) const NAME: &str = "org.freedesktop.NetworkManager";
pub(crate) const PATH: &str = "/org/freedesktop/NetworkManager";
const CONNECTION: &str = "/org/freedesktop/NetworkManager/ActiveConnection/1";
const ACTIVE: &str = "org.freedesktop.NetworkManager.Connection.Active";

fn path(path: &str) -> Variant<'_> {
    ObjectPath::try_from(path).unwrap().into()
}

/// Starts a stand-in with a primary connection and the properties that the template lacks.
async fn connected(bus: &PrivateBus) -> FakeDaemon {
    let daemon = bus.daemon("networkmanager", NAME).await;
    let properties: std::collections::HashMap<&str, Variant<'_>> =
        [("Id", "Café".into()), ("Type", "802-11-wireless".into()), ("State", 2_u32.into()), ("Vpn", false.into())]
            .into();
    let methods: Vec<(&str, &str, &str, &str)> = Vec::new();
    daemon.mock(PATH, "AddObject", &(CONNECTION, ACTIVE, properties, methods)).await;
    let missing = [("Metered", 4_u32.into()), ("PrimaryConnection", path(CONNECTION))];
    daemon.add(PATH, NAME, &missing).await;
    daemon
}

fn online() -> Environment {
    let link = Link::new("Café", LinkKind::Wireless);
    Environment::UNKNOWN.with_network(Network::Online).with_connectivity(Connectivity::Full).with_link(link)
}

#[tokio::test]
async fn the_link_has_the_name_and_kind_of_the_primary_connection() {
    let Some(bus) = PrivateBus::start().await else { return };
    let _daemon = connected(&bus).await;
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    assert_eq!(source.now(), online());
}

#[tokio::test]
async fn a_daemon_without_newer_properties_still_tells_the_others() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let _daemon = bus.daemon("networkmanager", NAME).await;
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    assert_eq!(source.now(), online().with_link(None));
    assert_eq!(log.with("Metered"), Vec::<String>::new());
}

#[tokio::test]
async fn every_reach_is_told() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let source = NetworkManager::start_with(&bus.settings());
    for (state, expected) in [
        (1_u32, Connectivity::None),
        (2, Connectivity::Portal),
        (3, Connectivity::Limited),
        (4, Connectivity::Full),
        (0, Connectivity::Unknown),
    ] {
        daemon.set(PATH, NAME, &[("Connectivity", state.into())]).await;
        until(&source, |now| now.connectivity == expected && now.network == Network::Online).await;
    }
}

#[tokio::test]
async fn a_known_or_guessed_price_makes_the_network_metered() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let source = NetworkManager::start_with(&bus.settings());
    for (metered, expected) in
        [(1_u32, Network::Metered), (2, Network::Online), (3, Network::Metered), (0, Network::Online)]
    {
        daemon.set(PATH, NAME, &[("Metered", metered.into())]).await;
        until(&source, |now| now.network == expected).await;
    }
}

#[tokio::test]
async fn a_network_that_goes_down_and_comes_back_is_followed() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    daemon.set(PATH, NAME, &[("State", 20_u32.into()), ("PrimaryConnection", path("/"))]).await;
    let offline = until(&source, |now| now.network == Network::Offline).await;
    assert_eq!(offline.link, None);
    daemon.set(PATH, NAME, &[("State", 70_u32.into()), ("PrimaryConnection", path(CONNECTION))]).await;
    until(&source, |now| *now == online()).await;
}

#[tokio::test]
async fn a_disconnected_daemon_that_leaves_a_link_to_others_knows_nothing() {
    const DEVICE: &str = "org.freedesktop.NetworkManager.Device";
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let added = daemon.mock("/org/freedesktop", "AddEthernetDevice", &("eth0", "eth0", 30_i32)).await;
    let device: String = added.body().deserialize().unwrap();
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    daemon.set(PATH, NAME, &[("State", 20_u32.into())]).await;
    until(&source, |now| now.network == Network::Offline).await;
    daemon.set(&device, DEVICE, &[("Managed", false.into())]).await;
    daemon.set(PATH, NAME, &[("Connectivity", 0_u32.into())]).await;
    until(&source, |now| *now == Environment::UNKNOWN).await;
    daemon.set(PATH, NAME, &[("State", 70_u32.into()), ("Connectivity", 4_u32.into())]).await;
    until(&source, |now| *now == online()).await;
}

#[tokio::test]
async fn a_connection_that_is_deactivated_is_announced_with_a_deadline() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let budget = Duration::from_secs(7);
    let source = NetworkManager::start_with(&bus.settings().with_clock(Noon).with_disconnect_budget(budget));
    source.ready().await;
    let announced = online().with_ending(Ending::new(EndingKind::Disconnect, noon() + budget));
    daemon.set(CONNECTION, ACTIVE, &[("State", 3_u32.into())]).await;
    until(&source, |now| *now == announced).await;
    // NetworkManager resets these before the link is down.
    let mut changes = source.changes();
    let reset = [("State", Variant::from(30_u32)), ("Connectivity", 1_u32.into()), ("PrimaryConnection", path("/"))];
    daemon.set(PATH, NAME, &reset).await;
    daemon.set(PATH, NAME, &[("State", 20_u32.into())]).await;
    let offline = tokio::time::timeout(TOO_LONG, changes.next()).await.unwrap().unwrap();
    assert_eq!((offline.network, offline.ending), (Network::Offline, None));
}

#[tokio::test]
async fn a_reach_that_is_not_checked_is_unknown() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let unchecked = [("ConnectivityCheckEnabled", false.into()), ("ConnectivityCheckAvailable", true.into())];
    daemon.add(PATH, NAME, &unchecked).await;
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    assert_eq!(source.now(), online().with_connectivity(Connectivity::Unknown));
    daemon.set(PATH, NAME, &[("ConnectivityCheckEnabled", true.into())]).await;
    until(&source, |now| *now == online()).await;
}

#[tokio::test]
async fn another_connection_that_takes_over_ends_the_announcement() {
    const OTHER: &str = "/org/freedesktop/NetworkManager/ActiveConnection/2";
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let properties: std::collections::HashMap<&str, Variant<'_>> =
        [("Id", "Desk".into()), ("Type", "802-3-ethernet".into()), ("State", 2_u32.into()), ("Vpn", false.into())]
            .into();
    let methods: Vec<(&str, &str, &str, &str)> = Vec::new();
    daemon.mock(PATH, "AddObject", &(OTHER, ACTIVE, properties, methods)).await;
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    daemon.set(CONNECTION, ACTIVE, &[("State", 3_u32.into())]).await;
    until(&source, |now| now.ending.is_some()).await;
    daemon.set(PATH, NAME, &[("PrimaryConnection", path(OTHER))]).await;
    let other = online().with_link(Link::new("Desk", LinkKind::Wired));
    until(&source, |now| *now == other).await;
}

#[tokio::test]
async fn nonsense_is_unknown_and_logged_once() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = connected(&bus).await;
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    let nonsense = [
        ("State", Variant::from(71_u32)),
        ("Connectivity", "full".into()),
        ("Metered", (-1_i32).into()),
        ("PrimaryConnection", path("/nowhere")),
    ];
    daemon.set(PATH, NAME, &nonsense).await;
    until(&source, |now| *now == Environment::UNKNOWN).await;
    daemon.set(PATH, NAME, &[("State", 70_u32.into()), ("PrimaryConnection", path(CONNECTION))]).await;
    until(&source, |now| *now == online().with_connectivity(Connectivity::Unknown)).await;
    for name in ["State is U32(71)", "Connectivity is Str", "Metered is I32(-1)"] {
        assert_eq!(log.with(name).len(), 1, "{:?}", log.with(""));
    }
}
