//! All sources together.

use std::fmt;

use futures::StreamExt;
use futures::future::{join_all, ready};
use futures::stream::{self, BoxStream};
use syncmgr_core::environment::{Ending, EndingKind, Environment, Network, Presence};
use syncmgr_runtime::environment::EnvironmentSource;

use crate::Settings;
use crate::running::Readiness;

/// The sources of all enabled features as one.
///
/// If several sources know a value, NetworkManager precedes the portable `network`, and a source that was added later
/// precedes all earlier ones. Of several announced ends, a shutdown precedes sleep, and sleep a disconnect.
///
/// ```
/// # use syncmgr_runtime::environment::{EnvironmentSource, ManualEnvironment};
/// # use syncmgr_core::environment::{Environment, Power};
/// # use syncmgr_sources::SystemEnvironment;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let known_better = ManualEnvironment::new(Environment::UNKNOWN.with_power(Power::Mains));
/// let environment = SystemEnvironment::start().and(known_better);
/// assert_eq!(environment.now().power, Power::Mains);
/// # }
/// ```
pub struct SystemEnvironment {
    /// The first one that knows a value determines it.
    sources: Vec<Box<dyn EnvironmentSource>>,
    readiness: Vec<Readiness>,
}

impl SystemEnvironment {
    /// Starts the sources of all enabled features. All values are unknown until the sources have read them; see
    /// [`ready`](Self::ready).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// Like [`start`](Self::start), with settings.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start_with(settings: &Settings) -> Self {
        let started = Self { sources: Vec::new(), readiness: Vec::new() };
        #[cfg(all(unix, feature = "logind"))]
        let started = started.with(crate::Logind::start_with(settings), crate::Logind::readiness);
        #[cfg(all(unix, feature = "networkmanager"))]
        let started = started.with(crate::NetworkManager::start_with(settings), crate::NetworkManager::readiness);
        #[cfg(all(unix, feature = "upower"))]
        let started = started.with(crate::UPower::start_with(settings), crate::UPower::readiness);
        #[cfg(feature = "network")]
        let started = started.with(crate::NetworkMonitor::start(), crate::NetworkMonitor::readiness);
        let _ = settings; // unused without a feature
        started
    }

    fn with<S: EnvironmentSource>(mut self, source: S, readiness: fn(&S) -> Readiness) -> Self {
        self.readiness.push(readiness(&source));
        self.sources.push(Box::new(source));
        self
    }

    /// Adds a source that precedes all others.
    #[must_use]
    pub fn and(mut self, source: impl EnvironmentSource) -> Self {
        self.sources.insert(0, Box::new(source));
        self
    }

    /// Resolves once each source has read its values, or knows that it cannot, because its daemon or bus is missing. A
    /// program that waits for this before it starts a session starts none on the wrong network. A daemon that hangs delays
    /// it by up to 25 s for each value.
    pub async fn ready(&self) {
        join_all(self.readiness.iter().cloned().map(Readiness::wait)).await;
    }
}

impl EnvironmentSource for SystemEnvironment {
    fn now(&self) -> Environment {
        combine(self.sources.iter().map(|source| source.now()))
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        let changes = self.sources.iter().map(|source| source.changes());
        let numbered = changes.enumerate().map(|(number, changes)| changes.map(move |new| (number, new)).boxed());
        let changes = stream::select_all(numbered);
        // Read after the streams exist, so that no change is lost.
        let known: Vec<_> = self.sources.iter().map(|source| source.now()).collect();
        changes
            .scan(known, |known, (number, environment)| {
                known[number] = environment;
                ready(Some(combine(known.iter().cloned())))
            })
            .boxed()
    }

    fn release(&self, ending: Ending) {
        for source in &self.sources {
            source.release(ending);
        }
    }
}

impl fmt::Debug for SystemEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemEnvironment").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

/// Takes each value from the first environment that knows it.
fn combine(environments: impl Iterator<Item = Environment>) -> Environment {
    let known = environments.fold(Environment::UNKNOWN, |known, next| {
        Environment::UNKNOWN
            .with_network(first(known.network, next.network))
            .with_connectivity(first(known.connectivity, next.connectivity))
            .with_link(known.link.or(next.link))
            .with_power(first(known.power, next.power))
            .with_battery(first(known.battery, next.battery))
            .with_idle_since(if known.user == Presence::Unknown { next.idle_since } else { known.idle_since })
            .with_user(first(known.user, next.user))
            .with_ending(strongest(known.ending, next.ending))
    });
    // The source that knows that the network is offline knows no link.
    if known.network == Network::Offline { known.with_link(None) } else { known }
}

/// Returns the first value that is known. The default of each type means that nothing is known.
fn first<T: Default + PartialEq>(known: T, next: T) -> T {
    if known == T::default() { next } else { known }
}

/// Returns the end that includes the other one. Of two that are equal in kind the first is valid.
fn strongest(known: Option<Ending>, next: Option<Ending>) -> Option<Ending> {
    [known, next].into_iter().flatten().rev().max_by_key(|ending| match ending.kind {
        EndingKind::Shutdown => 3,
        EndingKind::Sleep => 2,
        EndingKind::Disconnect => 1,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use syncmgr_core::environment::{Battery, Link, LinkKind, Power};
    use syncmgr_runtime::environment::ManualEnvironment;

    use super::*;

    fn of(sources: &[&ManualEnvironment]) -> SystemEnvironment {
        let none = SystemEnvironment { sources: Vec::new(), readiness: Vec::new() };
        sources.iter().rev().fold(none, |all, source| all.and((*source).clone()))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_source_that_knows_a_value_determines_it() {
        let metered =
            Environment::UNKNOWN.with_network(Network::Metered).with_link(Link::new("train", LinkKind::Wireless));
        let online = Environment::UNKNOWN.with_network(Network::Online).with_battery(Battery::Low);
        let first = ManualEnvironment::new(metered.clone());
        let second = ManualEnvironment::new(online);
        assert_eq!(of(&[&first, &second]).now(), metered.with_battery(Battery::Low));
        assert_eq!(of(&[&second, &first]).now().network, Network::Online);
    }

    #[test]
    fn a_network_that_is_offline_has_no_link_of_another_source() {
        let offline = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline));
        let linked = Environment::UNKNOWN.with_link(Link::new("eth0", LinkKind::Wired));
        assert_eq!(of(&[&offline, &ManualEnvironment::new(linked)]).now().link, None);
    }

    #[test]
    fn the_idle_time_comes_from_the_source_that_knows_the_user() {
        let present = ManualEnvironment::new(Environment::UNKNOWN.with_user(Presence::Present));
        let absent = Environment::UNKNOWN.with_user(Presence::Absent).with_idle_since(at(5));
        let absent = ManualEnvironment::new(absent);
        assert_eq!(of(&[&present, &absent]).now().idle_since, None);
        assert_eq!(of(&[&absent, &present]).now().idle_since, Some(at(5)));
    }

    #[test]
    fn a_shutdown_precedes_sleep_and_sleep_a_disconnect() {
        let announce =
            |kind, seconds| ManualEnvironment::new(Environment::UNKNOWN.with_ending(Ending::new(kind, at(seconds))));
        let disconnect = announce(EndingKind::Disconnect, 1);
        let (sleep, later_sleep) = (announce(EndingKind::Sleep, 2), announce(EndingKind::Sleep, 4));
        let shutdown = announce(EndingKind::Shutdown, 3);
        let kind =
            |sources: &[&ManualEnvironment]| of(sources).now().ending.map(|ending| (ending.kind, ending.deadline));
        assert_eq!(kind(&[&disconnect, &sleep]), Some((EndingKind::Sleep, at(2))));
        assert_eq!(kind(&[&shutdown, &sleep, &disconnect]), Some((EndingKind::Shutdown, at(3))));
        assert_eq!(kind(&[&sleep, &later_sleep]), Some((EndingKind::Sleep, at(2))));
    }

    #[tokio::test]
    async fn a_change_of_one_source_keeps_the_values_of_the_others() {
        let (power, network) = (ManualEnvironment::default(), ManualEnvironment::default());
        let all = of(&[&power, &network]);
        network.set_network(Network::Offline);
        let mut changes = all.changes();
        power.set_power(Power::Battery);
        let expected = Environment::UNKNOWN.with_power(Power::Battery).with_network(Network::Offline);
        assert_eq!(changes.next().await, Some(expected));
    }

    #[tokio::test]
    async fn the_changes_end_with_the_sources() {
        let power = ManualEnvironment::default();
        let changes = of(&[&power]).changes();
        drop(power);
        assert_eq!(changes.count().await, 0);
    }
}
