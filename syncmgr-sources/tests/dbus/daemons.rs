//! Daemons and buses that are missing, appear, restart and go away.

use std::time::Duration;

use rustix::process::Signal;
use syncmgr_core::environment::{Environment, Network, Power, Presence};
use syncmgr_runtime::environment::EnvironmentSource;
use syncmgr_sources::{Logind, NetworkManager, SystemEnvironment, UPower};

use crate::log::Log;
use crate::private_bus::PrivateBus;
use crate::{logind, networkmanager, until, upower};

#[tokio::test]
async fn a_missing_daemon_is_unknown_and_one_line_in_the_log() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let source = SystemEnvironment::start_with(&bus.settings());
    source.ready().await;
    let now = source.now();
    assert_eq!((now.power, now.user, now.ending), (Power::Unknown, Presence::Unknown, None));
    for name in [upower::NAME, networkmanager::NAME, logind::NAME] {
        assert_eq!(log.with(name).len(), 1, "{:?}", log.with(""));
    }
}

#[tokio::test]
async fn a_missing_bus_is_unknown_and_one_line_in_the_log() {
    let log = Log::record();
    let Some(mut bus) = PrivateBus::stopped() else { return };
    let source = UPower::start_with(&bus.settings());
    source.ready().await;
    assert_eq!(source.now(), Environment::UNKNOWN);
    bus.restart().await;
    let _daemon = bus.daemon("upower", upower::NAME).await;
    until(&source, |now| now.power == Power::Mains).await;
    assert_eq!(log.with("cannot be used").len(), 1, "{:?}", log.with(""));
    assert_eq!(log.with("the message bus is back").len(), 1, "{:?}", log.with(""));
}

#[tokio::test]
async fn a_daemon_that_appears_restarts_and_disappears_is_followed() {
    let Some(bus) = PrivateBus::start().await else { return };
    let source = NetworkManager::start_with(&bus.settings());
    source.ready().await;
    let daemon = bus.daemon("networkmanager", networkmanager::NAME).await;
    until(&source, |now| now.network == Network::Online).await;
    daemon.set(networkmanager::PATH, networkmanager::NAME, &[("State", 20_u32.into())]).await;
    until(&source, |now| now.network == Network::Offline).await;
    daemon.kill().await;
    until(&source, |now| *now == Environment::UNKNOWN).await;
    let daemon = bus.daemon("networkmanager", networkmanager::NAME).await;
    until(&source, |now| now.network == Network::Online).await;
    // The signals of the new daemon arrive too.
    daemon.set(networkmanager::PATH, networkmanager::NAME, &[("State", 20_u32.into())]).await;
    until(&source, |now| now.network == Network::Offline).await;
}

#[tokio::test]
async fn a_daemon_that_replaces_another_is_followed() {
    let Some(bus) = PrivateBus::start().await else { return };
    let first = bus.daemon("upower", upower::NAME).await;
    let source = UPower::start_with(&bus.settings());
    until(&source, |now| now.power == Power::Mains).await;
    first.set(upower::PATH, upower::NAME, &[("OnBattery", true.into())]).await;
    until(&source, |now| now.power == Power::Battery).await;
    // The second one takes over the name while the first one runs.
    let _second = bus.daemon("upower", upower::NAME).await;
    until(&source, |now| now.power == Power::Mains).await;
}

#[tokio::test]
async fn a_bus_that_restarts_is_connected_again() {
    let log = Log::record();
    let Some(mut bus) = PrivateBus::start().await else { return };
    let daemon = bus.daemon("upower", upower::NAME).await;
    let source = UPower::start_with(&bus.settings());
    until(&source, |now| now.power == Power::Mains).await;
    for _ in 0..2 {
        bus.kill().await;
        until(&source, |now| *now == Environment::UNKNOWN).await;
        bus.restart().await;
        let daemon = bus.daemon("upower", upower::NAME).await;
        daemon.set(upower::PATH, upower::NAME, &[("OnBattery", true.into())]).await;
        until(&source, |now| now.power == Power::Battery).await;
    }
    drop(daemon);
    assert_eq!(log.with("the message bus is lost").len(), 2, "{:?}", log.with(""));
}

#[tokio::test]
async fn a_flood_of_signals_loses_no_change() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = bus.daemon("upower", upower::NAME).await;
    let source = UPower::start_with(&bus.settings());
    source.ready().await;
    // The mock sends all of these in one call, more than the queues of a connection hold.
    let flood = "for _ in range(2000): self.EmitSignal('org.freedesktop.UPower', 'DeviceAdded', 'o', ['/'])";
    daemon.mock(upower::PATH, "AddMethod", &(upower::NAME, "Flood", "", "", flood)).await;
    let call = daemon.connection.call_method(Some(upower::NAME), upower::PATH, Some(upower::NAME), "Flood", &());
    call.await.unwrap();
    daemon.set(upower::PATH, upower::NAME, &[("OnBattery", true.into())]).await;
    until(&source, |now| now.power == Power::Battery).await;
}

#[tokio::test]
async fn a_daemon_that_hangs_is_unknown_until_it_answers() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = bus.daemon("logind", logind::NAME).await;
    daemon.signal(Signal::STOP);
    let mut settings = bus.settings();
    settings.bus = settings.bus.with_answer_limit(Duration::from_millis(100));
    let source = Logind::start_with(&settings);
    source.ready().await;
    assert_eq!(source.now(), Environment::UNKNOWN);
    assert_eq!(log.with("IdleHint cannot be read").len(), 1, "{:?}", log.with(""));
    daemon.signal(Signal::CONT);
    until(&source, |now| now.user == Presence::Present).await;
    daemon.until_inhibitors(1).await;
}

#[tokio::test]
async fn a_dropped_source_leaves_no_task() {
    let Some(bus) = PrivateBus::start().await else { return };
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (power, login) = (UPower::start_with(&bus.settings()), Logind::start_with(&bus.settings()));
    power.ready().await;
    login.ready().await;
    assert!(tasks() > before);
    drop((power, login));
    let ended = async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::TOO_LONG, ended).await.expect("tasks are left");
}
