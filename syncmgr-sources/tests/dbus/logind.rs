//! Sleep, shutdown and idle users.

use std::time::{Duration, SystemTime};

use syncmgr_core::environment::{Ending, EndingKind, Environment, Presence};
use syncmgr_runtime::environment::EnvironmentSource;
use syncmgr_sources::Logind;
use zbus::Variant;

use crate::clock::{Noon, noon};
use crate::log::Log;
use crate::private_bus::{FakeDaemon, PrivateBus};
use crate::{TOO_LONG, until};

pub(crate) const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const MAX_DELAY: Duration = Duration::from_secs(5);

/// An inhibitor lock that the daemon has granted: the operations, the program, the reason and the mode.
pub(crate) type Inhibitor = (String, String, String, String, u32, u32);

async fn logind(bus: &PrivateBus) -> FakeDaemon {
    start(bus, MAX_DELAY).await
}

/// Starts a daemon that waits for locks for this time.
pub(crate) async fn start(bus: &PrivateBus, max_delay: Duration) -> FakeDaemon {
    let daemon = bus.daemon("logind", NAME).await;
    let micros = u64::try_from(max_delay.as_micros()).unwrap();
    daemon.add(PATH, MANAGER, &[("InhibitDelayMaxUSec", micros.into())]).await;
    daemon
}

async fn source(bus: &PrivateBus) -> Logind {
    let source = Logind::start_with(&bus.settings().with_clock(Noon).with_who("Photo Mirror"));
    source.ready().await;
    source
}

impl FakeDaemon {
    pub(crate) async fn prepare(&self, signal: &str, begins: bool) {
        self.emit(PATH, MANAGER, signal, "b", begins.into()).await;
    }

    pub(crate) async fn inhibitors(&self) -> Vec<Inhibitor> {
        let call = self.connection.call_method(Some(NAME), PATH, Some(MANAGER), "ListInhibitors", &()).await;
        call.unwrap().body().deserialize().unwrap()
    }

    /// Waits until the daemon holds this many locks. The daemon sends no signal about them.
    pub(crate) async fn until_inhibitors(&self, count: usize) -> Vec<Inhibitor> {
        let poll = async {
            loop {
                let inhibitors = self.inhibitors().await;
                if inhibitors.len() == count {
                    return inhibitors;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(TOO_LONG, poll).await.expect("the daemon never had this many locks")
    }
}

fn ending(kind: EndingKind) -> Ending {
    Ending::new(kind, noon() + MAX_DELAY)
}

#[tokio::test]
async fn a_delay_lock_is_held_from_the_start() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    let [(what, who, _, mode, ..)] = daemon.inhibitors().await.try_into().unwrap();
    assert_eq!((what.as_str(), who.as_str(), mode.as_str()), ("sleep:shutdown", "Photo Mirror", "delay"));
    assert_eq!(source.now(), Environment::UNKNOWN.with_user(Presence::Present));
    drop(source);
    daemon.until_inhibitors(0).await;
}

#[tokio::test]
async fn sleep_waits_for_the_release_and_a_new_lock_is_taken_after_it() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    daemon.prepare("PrepareForSleep", true).await;
    let announced = until(&source, |now| now.ending.is_some()).await.ending.unwrap();
    assert_eq!(announced, ending(EndingKind::Sleep));
    assert_eq!(daemon.inhibitors().await.len(), 1, "the system waits");

    source.release(announced);
    daemon.until_inhibitors(0).await;
    assert_eq!(source.now().ending, Some(announced), "the end is still to come");

    daemon.prepare("PrepareForSleep", false).await;
    until(&source, |now| now.ending.is_none()).await;
    daemon.until_inhibitors(1).await;
}

#[tokio::test]
async fn a_lock_that_was_not_released_is_kept_over_the_sleep() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    daemon.prepare("PrepareForSleep", true).await;
    let announced = until(&source, |now| now.ending.is_some()).await.ending.unwrap();
    daemon.prepare("PrepareForSleep", false).await;
    until(&source, |now| now.ending.is_none()).await;
    source.release(announced); // too late
    daemon.prepare("PrepareForSleep", true).await;
    until(&source, |now| now.ending.is_some()).await;
    assert_eq!(daemon.inhibitors().await.len(), 1);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_release() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    daemon.prepare("PrepareForShutdown", true).await;
    until(&source, |now| now.ending == Some(ending(EndingKind::Shutdown))).await;
    source.release(ending(EndingKind::Shutdown));
    daemon.until_inhibitors(0).await;
}

#[tokio::test]
async fn a_sleep_that_began_before_the_program_is_noticed() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    daemon.set(PATH, MANAGER, &[("PreparingForSleep", true.into())]).await;
    let source = source(&bus).await;
    assert_eq!(source.now().ending.map(|ending| ending.kind), Some(EndingKind::Sleep));
}

#[tokio::test]
async fn a_system_that_refuses_the_lock_does_not_wait() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let refuse = "raise dbus.exceptions.DBusException('no', name='org.freedesktop.DBus.Error.AccessDenied')";
    daemon.mock(PATH, "AddMethod", &(MANAGER, "Inhibit", "ssss", "h", refuse)).await;
    let source = source(&bus).await;
    daemon.prepare("PrepareForSleep", true).await;
    let ending = until(&source, |now| now.ending.is_some()).await.ending;
    assert_eq!(ending, Some(Ending::new(EndingKind::Sleep, noon())));
    assert_eq!(log.with("no inhibitor lock").len(), 1, "{:?}", log.with(""));
}

#[tokio::test]
async fn an_announcement_of_another_program_is_ignored() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    daemon.connection.emit_signal(None::<&str>, PATH, MANAGER, "PrepareForSleep", &true).await.unwrap();
    // This arrives after the false announcement.
    daemon.set(PATH, MANAGER, &[("IdleHint", true.into())]).await;
    let idle = until(&source, |now| now.user == Presence::Absent).await;
    assert_eq!(idle.ending, None);
}

#[tokio::test]
async fn an_idle_user_is_absent_since_the_time_of_the_hint() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    let hint = |micros: u64| [("IdleSinceHint", Variant::from(micros)), ("IdleHint", true.into())];
    daemon.set(PATH, MANAGER, &hint(3_000_000)).await;
    let idle = until(&source, |now| now.user == Presence::Absent).await;
    assert_eq!(idle.idle_since, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(3)));
    daemon.set(PATH, MANAGER, &[("IdleHint", false.into())]).await;
    until(&source, |now| now.user == Presence::Present && now.idle_since.is_none()).await;
    daemon.set(PATH, MANAGER, &hint(u64::MAX)).await;
    let idle = until(&source, |now| now.user == Presence::Absent).await;
    assert_eq!(idle.idle_since, Some(noon()), "a time that has not come yet is replaced");
}

#[tokio::test]
async fn nonsense_is_unknown_and_logged_once() {
    let log = Log::record();
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let nonsense = [("IdleHint", Variant::from("yes")), ("InhibitDelayMaxUSec", u64::MAX.into())];
    daemon.set(PATH, MANAGER, &nonsense).await;
    let source = source(&bus).await;
    assert_eq!(source.now(), Environment::UNKNOWN);
    daemon.emit(PATH, MANAGER, "PrepareForSleep", "s", "soon".into()).await;
    daemon.prepare("PrepareForSleep", true).await;
    let ending = until(&source, |now| now.ending.is_some()).await.ending;
    assert_eq!(ending, Some(Ending::new(EndingKind::Sleep, noon())));
    for name in ["IdleHint is Str", "InhibitDelayMaxUSec is U64", "a signal of the wrong type"] {
        assert_eq!(log.with(name).len(), 1, "{:?}", log.with(""));
    }
}

#[tokio::test]
async fn a_restarted_daemon_grants_a_new_lock() {
    let Some(bus) = PrivateBus::start().await else { return };
    let daemon = logind(&bus).await;
    let source = source(&bus).await;
    daemon.prepare("PrepareForSleep", true).await;
    until(&source, |now| now.ending.is_some()).await;
    daemon.kill().await;
    until(&source, |now| *now == Environment::UNKNOWN).await;
    let daemon = logind(&bus).await;
    until(&source, |now| now.user == Presence::Present).await;
    daemon.until_inhibitors(1).await;
}
