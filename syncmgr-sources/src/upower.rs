//! The power source and the battery, from UPower.

use futures::stream::BoxStream;
use syncmgr_core::environment::{Battery, Environment, Power};
use syncmgr_runtime::environment::EnvironmentSource;

use crate::Settings;
use crate::bus::{Daemon, Interest, Object, Service, follow};
use crate::running::{Readiness, Running};

const UPOWER: Object<'_> = Object { path: "/org/freedesktop/UPower", interface: "org.freedesktop.UPower" };
/// All batteries that supply the machine, as one.
const BATTERY: Object<'_> =
    Object { path: "/org/freedesktop/UPower/devices/DisplayDevice", interface: "org.freedesktop.UPower.Device" };

/// The power source and the charge of the battery, from UPower (`org.freedesktop.UPower`).
///
/// It sets [`Environment::power`], and [`Environment::battery`] if there is a battery. The battery is low if its charge is at
/// most [`Settings::low_battery`], also while it is being charged, or if UPower warns.
#[derive(Debug)]
pub struct UPower {
    running: Running,
}

impl UPower {
    /// Starts the source with the default settings.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// Starts the source.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start_with(settings: &Settings) -> Self {
        let (bus, clock) = (settings.bus.clone(), settings.clock.clone());
        let service = PowerState { low_battery: settings.low_battery.into(), environment: Environment::UNKNOWN };
        Self { running: Running::spawn(|publisher| follow(service, bus, clock, publisher)) }
    }

    /// Resolves once the source has read its values, or knows that UPower is missing.
    pub async fn ready(&self) {
        self.readiness().wait().await;
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.running.readiness()
    }
}

impl EnvironmentSource for UPower {
    fn now(&self) -> Environment {
        self.running.now()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        self.running.changes()
    }
}

struct PowerState {
    low_battery: f64,
    environment: Environment,
}

/// The answers of UPower.
#[derive(Debug, Default)]
struct Answer {
    power: Option<Power>,
    is_present: Option<bool>,
    percentage: Option<f64>,
    is_warning: Option<Warning>,
}

/// A level of `UpDeviceLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warning {
    Unknown,
    None,
    Low,
}

impl Service for PowerState {
    const NAME: &'static str = "org.freedesktop.UPower";
    const VALUES: &'static str = "the power source and the battery are";
    const INTERESTS: &'static [Interest] = &[Interest::Object(UPOWER.path), Interest::Object(BATTERY.path)];

    type Question = ();
    type Answer = Answer;

    fn question(&mut self) {}

    async fn ask(daemon: &Daemon<'_>, (): ()) -> Answer {
        Answer {
            power: daemon.read(UPOWER, "OnBattery", power).await,
            is_present: daemon.read(BATTERY, "IsPresent", Some::<bool>).await,
            percentage: daemon.read(BATTERY, "Percentage", percentage).await,
            is_warning: daemon.read(BATTERY, "WarningLevel", warning).await,
        }
    }

    fn answered(&mut self, answer: Answer, _: std::time::SystemTime) {
        let battery = if answer.is_present == Some(true) { self.battery(&answer) } else { Battery::Unknown };
        self.environment = Environment::UNKNOWN.with_power(answer.power.unwrap_or_default()).with_battery(battery);
    }

    fn lost(&mut self) {
        self.environment = Environment::UNKNOWN;
    }

    fn environment(&self) -> Environment {
        self.environment.clone()
    }
}

impl PowerState {
    fn battery(&self, answer: &Answer) -> Battery {
        let is_low = answer.percentage.map(|percentage| percentage <= self.low_battery);
        match (answer.is_warning, is_low) {
            (Some(Warning::Low), _) | (_, Some(true)) => Battery::Low,
            (Some(Warning::None), _) | (_, Some(false)) => Battery::Normal,
            (Some(Warning::Unknown) | None, None) => Battery::Unknown,
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a conversion of a property")]
fn power(on_battery: bool) -> Option<Power> {
    Some(if on_battery { Power::Battery } else { Power::Mains })
}

fn percentage(percentage: f64) -> Option<f64> {
    (0.0..=100.0).contains(&percentage).then_some(percentage)
}

/// Converts a `UpDeviceLevel`.
fn warning(level: u32) -> Option<Warning> {
    match level {
        0 => Some(Warning::Unknown),
        1 | 2 => Some(Warning::None), // 2 is the discharge of an uninterruptible power supply
        3..=5 => Some(Warning::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn environment(answer: Answer) -> Environment {
        let mut state = PowerState { low_battery: 20.0, environment: Environment::UNKNOWN };
        state.answered(answer, SystemTime::UNIX_EPOCH);
        state.environment()
    }

    fn battery(percentage: Option<f64>, is_warning: Option<Warning>) -> Battery {
        environment(Answer { is_present: Some(true), percentage, is_warning, power: None }).battery
    }

    #[test]
    fn a_battery_is_low_by_its_charge_or_by_a_warning() {
        assert_eq!(battery(Some(20.0), Some(Warning::None)), Battery::Low);
        assert_eq!(battery(Some(20.1), Some(Warning::None)), Battery::Normal);
        assert_eq!(battery(Some(90.0), Some(Warning::Low)), Battery::Low);
        assert_eq!(battery(None, Some(Warning::None)), Battery::Normal);
        assert_eq!(battery(None, Some(Warning::Unknown)), Battery::Unknown);
        assert_eq!(battery(None, None), Battery::Unknown);
    }

    #[test]
    fn a_machine_without_a_battery_has_no_charge() {
        let answer =
            Answer { power: Some(Power::Mains), is_present: Some(false), percentage: Some(0.0), is_warning: None };
        assert_eq!(environment(answer), Environment::UNKNOWN.with_power(Power::Mains));
    }

    #[test]
    fn values_outside_their_range_are_unknown() {
        assert_eq!([-0.1, 100.1, f64::NAN, f64::INFINITY].map(percentage), [None; 4]);
        assert_eq!([6, u32::MAX].map(warning), [None; 2]);
    }
}
