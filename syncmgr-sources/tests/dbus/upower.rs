//! The power source and the battery.

use syncmgr_core::environment::{Battery, Environment, Power};
use syncmgr_runtime::environment::EnvironmentSource;
use syncmgr_sources::UPower;
use zbus::Variant;

use crate::log::Log;
use crate::private_bus::{FakeDaemon, PrivateBus};
use crate::until;

pub(crate) const NAME: &str = "org.freedesktop.UPower";
pub(crate) const PATH: &str = "/org/freedesktop/UPower";
const BATTERY: &str = "/org/freedesktop/UPower/devices/DisplayDevice";
const DEVICE: &str = "org.freedesktop.UPower.Device";

async fn with_battery(bus: &PrivateBus) -> FakeDaemon {
    let daemon = bus.daemon("upower", NAME).await;
    daemon.set(BATTERY, DEVICE, &[("IsPresent", true.into()), ("Percentage", 80.0.into())]).await;
    daemon
}

#[tokio::test]
async fn a_machine_without_a_battery_is_on_mains() {
    let Some(bus) = PrivateBus::start().await else { return };
    let _daemon = bus.daemon("upower", NAME).await;
    let source = UPower::start_with(&bus.settings());
    source.ready().await;
    assert_eq!(source.now(), Environment::UNKNOWN.with_power(Power::Mains));
}

#[tokio::test]
async fn a_cable_that_is_pulled_out_changes_the_power_source() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = with_battery(&bus).await;
    let source = UPower::start_with(&bus.settings());
    source.ready().await;
    assert_eq!(source.now(), Environment::UNKNOWN.with_power(Power::Mains).with_battery(Battery::Normal));
    daemon.set(PATH, NAME, &[("OnBattery", true.into())]).await;
    until(&source, |now| now.power == Power::Battery).await;
}

#[tokio::test]
async fn a_battery_becomes_low_by_its_charge_and_by_a_warning() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = with_battery(&bus).await;
    let source = UPower::start_with(&bus.settings().with_low_battery(30));
    until(&source, |now| now.battery == Battery::Normal).await;
    daemon.set(BATTERY, DEVICE, &[("Percentage", 30.0.into())]).await;
    until(&source, |now| now.battery == Battery::Low).await;
    daemon.set(BATTERY, DEVICE, &[("Percentage", 31.0.into())]).await;
    until(&source, |now| now.battery == Battery::Normal).await;
    daemon.set(BATTERY, DEVICE, &[("WarningLevel", 4_u32.into())]).await;
    until(&source, |now| now.battery == Battery::Low).await;
    daemon.set(BATTERY, DEVICE, &[("IsPresent", false.into())]).await;
    until(&source, |now| now.battery == Battery::Unknown).await;
}

#[tokio::test]
async fn nonsense_is_unknown_and_logged_once() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = with_battery(&bus).await;
    let source = UPower::start_with(&bus.settings());
    until(&source, |now| now.battery == Battery::Normal).await;
    let nonsense = [("Percentage", Variant::from(-7.0)), ("WarningLevel", 99_u32.into())];
    daemon.set(BATTERY, DEVICE, &nonsense).await;
    until(&source, |now| now.battery == Battery::Unknown).await;
    daemon.set(PATH, NAME, &[("OnBattery", "maybe".into())]).await;
    until(&source, |now| now.power == Power::Unknown).await;
    daemon.set(PATH, NAME, &[("OnBattery", false.into())]).await;
    until(&source, |now| now.power == Power::Mains).await;
    for name in ["Percentage is F64(-7.0)", "WarningLevel is U32(99)", "OnBattery is Str"] {
        assert_eq!(log.with(name).len(), 1, "{:?}", log.with(""));
    }
}
