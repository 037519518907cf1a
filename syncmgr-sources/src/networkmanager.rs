//! The state of the network, from NetworkManager.

use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use syncmgr_core::environment::{Connectivity, Ending, EndingKind, Environment, Link, LinkKind, Network};
use syncmgr_core::time::later;
use syncmgr_runtime::environment::EnvironmentSource;
use zbus::OwnedObjectPath;

use crate::Settings;
use crate::bus::{Daemon, Interest, Object, Service, follow};
use crate::running::{Readiness, Running};

const MANAGER: Object<'_> =
    Object { path: "/org/freedesktop/NetworkManager", interface: "org.freedesktop.NetworkManager" };
const CONNECTIONS: &str = "/org/freedesktop/NetworkManager/ActiveConnection";
const DEVICE: &str = "org.freedesktop.NetworkManager.Device";
const CONNECTION: &str = "org.freedesktop.NetworkManager.Connection.Active";
/// The object path that means *none*.
const NO_PATH: &str = "/";

/// The state of the network, from NetworkManager (`org.freedesktop.NetworkManager`).
///
/// It sets [`Environment::network`], [`Environment::connectivity`] and [`Environment::link`], and announces
/// [`EndingKind::Disconnect`] while the primary connection is being deactivated and no other one takes its place.
/// If NetworkManager is disconnected but leaves a link to another program, these values are unknown, because the network may
/// be up over that link. A network is metered if NetworkManager knows or guesses it. The reach is unknown if NetworkManager does not check it.
#[derive(Debug)]
pub struct NetworkManager {
    running: Running,
}

impl NetworkManager {
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
        let service = NetworkState::new(settings.disconnect_budget);
        Self { running: Running::spawn(|publisher| follow(service, bus, clock, publisher)) }
    }

    /// Resolves once the source has read its values, or knows that NetworkManager is missing.
    pub async fn ready(&self) {
        self.readiness().wait().await;
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.running.readiness()
    }
}

impl EnvironmentSource for NetworkManager {
    fn now(&self) -> Environment {
        self.running.now()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        self.running.changes()
    }
}

struct NetworkState {
    budget: Duration,
    /// The last known primary connection. NetworkManager may name none while it deactivates it.
    primary: Option<OwnedObjectPath>,
    environment: Environment,
}

/// The answers of NetworkManager.
#[derive(Debug, Default)]
struct Answer {
    state: Option<State>,
    connectivity: Option<Connectivity>,
    /// `false` if NetworkManager assumes that a network with a default route reaches the internet.
    is_checked: Option<bool>,
    is_metered: Option<bool>,
    /// `true` if NetworkManager leaves a link to others, so that the network may be up although it says that it is down.
    leaves_links: bool,
    /// `None` if NetworkManager names none.
    primary: Option<OwnedObjectPath>,
    /// The primary connection, or the one that was it before.
    connection: ActiveConnection,
}

/// The properties of an active connection.
#[derive(Debug, Default)]
struct ActiveConnection {
    name: Option<String>,
    kind: Option<LinkKind>,
    stage: Option<Stage>,
}

/// The parts of `NMState` that differ for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Down,
    /// A connection is being deactivated: the last one, whose link is still up, or one that was not up yet.
    Disconnecting,
    Up,
}

/// The parts of `NMActiveConnectionState` that differ for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Other,
    Deactivating,
}

impl Service for NetworkState {
    const NAME: &'static str = "org.freedesktop.NetworkManager";
    const VALUES: &'static str = "the reach, price and name of the network are";
    const INTERESTS: &'static [Interest] = &[Interest::Object(MANAGER.path), Interest::Below(CONNECTIONS)];

    /// The last known primary connection.
    type Question = Option<OwnedObjectPath>;
    type Answer = Answer;

    fn question(&mut self) -> Option<OwnedObjectPath> {
        self.primary.clone()
    }

    async fn ask(daemon: &Daemon<'_>, last: Option<OwnedObjectPath>) -> Answer {
        let primary = daemon.read(MANAGER, "PrimaryConnection", Some::<OwnedObjectPath>).await;
        let primary = primary.filter(|path| path.as_str() != NO_PATH);
        let connection = match primary.as_ref().or(last.as_ref()) {
            Some(path) => connection(daemon, path).await,
            None => ActiveConnection::default(),
        };
        let is_enabled = daemon.read(MANAGER, "ConnectivityCheckEnabled", Some::<bool>).await;
        let is_available = daemon.read(MANAGER, "ConnectivityCheckAvailable", Some::<bool>).await;
        let state = daemon.read(MANAGER, "State", state).await;
        Answer {
            state,
            connectivity: daemon.read(MANAGER, "Connectivity", connectivity).await,
            is_checked: is_enabled.zip(is_available).map(|(is_enabled, is_available)| is_enabled && is_available),
            is_metered: daemon.read(MANAGER, "Metered", metered).await,
            leaves_links: state == Some(State::Down) && leaves_links(daemon).await,
            primary,
            connection,
        }
    }

    fn answered(&mut self, answer: Answer, now: SystemTime) {
        let is_ending = is_ending(&answer);
        let last = self.primary.take().filter(|_| is_ending);
        let current = describe(&answer);
        self.primary = answer.primary.or(last);
        self.environment = if is_ending { self.ending(current, now) } else { current };
    }

    fn lost(&mut self) {
        *self = Self::new(self.budget);
    }

    fn environment(&self) -> Environment {
        self.environment.clone()
    }
}

impl NetworkState {
    fn new(budget: Duration) -> Self {
        Self { budget, primary: None, environment: Environment::UNKNOWN }
    }

    /// Returns the environment with an announced end. NetworkManager reports no reach and no price at once, although the link
    /// works until it is down, so the values from before stay.
    fn ending(&self, current: Environment, now: SystemTime) -> Environment {
        let is_known = self.environment.network.is_up();
        let before = if is_known { self.environment.clone() } else { current.with_connectivity(Connectivity::Unknown) };
        let ending = before.ending.unwrap_or_else(|| Ending::new(EndingKind::Disconnect, later(now, self.budget)));
        before.with_ending(ending)
    }
}

async fn connection(daemon: &Daemon<'_>, path: &OwnedObjectPath) -> ActiveConnection {
    let object = Object { path: path.as_str(), interface: CONNECTION };
    let is_vpn = daemon.read(object, "Vpn", Some::<bool>).await == Some(true);
    let kind = daemon.read(object, "Type", link_kind).await;
    ActiveConnection {
        name: daemon.read(object, "Id", Some::<String>).await,
        kind: if is_vpn { Some(LinkKind::Vpn) } else { kind },
        stage: daemon.read(object, "State", stage).await,
    }
}

/// Returns `true` if a link other than the loopback is not managed.
async fn leaves_links(daemon: &Daemon<'_>) -> bool {
    let devices = daemon.read(MANAGER, "Devices", Some::<Vec<OwnedObjectPath>>).await;
    for path in devices.unwrap_or_default() {
        let device = Object { path: path.as_str(), interface: DEVICE };
        let is_left = daemon.read(device, "Managed", Some::<bool>).await == Some(false);
        if is_left && daemon.read(device, "Interface", Some::<String>).await.is_some_and(|name| name != "lo") {
            return true;
        }
    }
    false
}

/// Returns what the answers say, without an announced end.
fn describe(answer: &Answer) -> Environment {
    if answer.leaves_links {
        return Environment::UNKNOWN;
    }
    let network = network(answer);
    let kind = answer.connection.kind.unwrap_or_default();
    let link = answer.connection.name.as_deref().map(|name| Link::new(name, kind));
    let connectivity = match answer.connectivity {
        Some(Connectivity::Full) if answer.is_checked == Some(false) => Connectivity::Unknown,
        connectivity => connectivity.unwrap_or_default(),
    };
    let environment = Environment::UNKNOWN.with_network(network).with_connectivity(connectivity);
    environment.with_link(link.filter(|_| network.is_up()))
}

fn network(answer: &Answer) -> Network {
    match answer.state {
        None | Some(State::Unknown) => Network::Unknown,
        Some(State::Down) => Network::Offline,
        Some(State::Disconnecting) if !is_deactivating(answer) => Network::Offline,
        Some(State::Up | State::Disconnecting) if answer.is_metered == Some(true) => Network::Metered,
        Some(State::Up | State::Disconnecting) => Network::Online,
    }
}

fn is_ending(answer: &Answer) -> bool {
    network(answer).is_up() && is_deactivating(answer)
}

/// Returns `true` if the primary connection is being deactivated.
fn is_deactivating(answer: &Answer) -> bool {
    answer.connection.stage == Some(Stage::Deactivating)
}

/// Converts an `NMState`.
fn state(state: u32) -> Option<State> {
    match state {
        0 => Some(State::Unknown),
        10 | 20 | 40 => Some(State::Down), // asleep, disconnected, connecting
        30 => Some(State::Disconnecting),
        50 | 60 | 70 => Some(State::Up), // reaches this machine's networks, the site, the internet
        _ => None,
    }
}

/// Converts an `NMConnectivityState`.
fn connectivity(state: u32) -> Option<Connectivity> {
    match state {
        0 => Some(Connectivity::Unknown),
        1 => Some(Connectivity::None),
        2 => Some(Connectivity::Portal),
        3 => Some(Connectivity::Limited),
        4 => Some(Connectivity::Full),
        _ => None,
    }
}

/// Converts an `NMMetered`. An unknown price counts as not metered.
fn metered(metered: u32) -> Option<bool> {
    match metered {
        1 | 3 => Some(true),      // known, guessed
        0 | 2 | 4 => Some(false), // unknown, known, guessed
        _ => None,
    }
}

/// Converts an `NMActiveConnectionState`.
fn stage(state: u32) -> Option<Stage> {
    match state {
        3 => Some(Stage::Deactivating),
        0..=4 => Some(Stage::Other),
        _ => None,
    }
}

/// Converts the type of a connection profile.
fn link_kind(kind: String) -> Option<LinkKind> {
    Some(match kind.as_str() {
        "802-3-ethernet" | "pppoe" | "infiniband" => LinkKind::Wired,
        "802-11-wireless" | "802-11-olpc-mesh" | "wifi-p2p" => LinkKind::Wireless,
        "gsm" | "cdma" | "wimax" => LinkKind::Mobile,
        "bluetooth" => LinkKind::Bluetooth,
        "vpn" | "wireguard" => LinkKind::Vpn,
        _ => LinkKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const BUDGET: Duration = Duration::from_secs(2);

    fn up() -> Answer {
        let connection =
            ActiveConnection { name: Some("Home".into()), kind: Some(LinkKind::Wireless), stage: Some(Stage::Other) };
        let primary = Some(OwnedObjectPath::try_from("/primary").unwrap());
        Answer { state: Some(State::Up), primary, connection, ..Answer::default() }
    }

    fn after(answers: impl IntoIterator<Item = Answer>) -> Environment {
        let mut state = NetworkState::new(BUDGET);
        for (number, answer) in (0..).zip(answers) {
            state.answered(answer, NOW + Duration::from_secs(number));
        }
        state.environment()
    }

    fn deactivating() -> Answer {
        let connection = ActiveConnection { stage: Some(Stage::Deactivating), ..up().connection };
        Answer { connection, ..up() }
    }

    #[test]
    fn a_known_or_guessed_price_makes_a_network_metered() {
        let network = |is_metered| after([Answer { is_metered, ..up() }]).network;
        assert_eq!([0, 1, 2, 3, 4].map(metered).map(network), {
            use Network::{Metered, Online};
            [Online, Metered, Online, Metered, Online]
        });
        assert_eq!(network(None), Network::Online);
    }

    #[test]
    fn a_network_that_is_down_has_no_link() {
        let environment = after([Answer { state: Some(State::Down), ..up() }]);
        assert_eq!(environment, Environment::UNKNOWN.with_network(Network::Offline));
    }

    #[test]
    fn a_link_that_is_left_to_others_makes_the_network_unknown() {
        let down = Answer { state: Some(State::Down), ..Answer::default() };
        assert_eq!(after([Answer { leaves_links: true, ..down }]), Environment::UNKNOWN);
    }

    #[test]
    fn a_connection_that_is_being_deactivated_is_about_to_end() {
        let ending = after([up(), deactivating(), deactivating()]).ending;
        let deadline = NOW + Duration::from_secs(1) + BUDGET;
        assert_eq!(ending, Some(Ending::new(EndingKind::Disconnect, deadline)));
        assert_eq!(after([up(), deactivating(), up()]).ending, None);
        assert_eq!(after([deactivating(), Answer { state: Some(State::Down), ..up() }]).ending, None);
    }

    #[test]
    fn the_values_from_before_stay_while_a_connection_is_deactivated() {
        let before = Answer { is_metered: Some(true), connectivity: Some(Connectivity::Full), ..up() };
        let (state, connectivity) = (Some(State::Disconnecting), Some(Connectivity::None));
        let reset = Answer { state, connectivity, ..deactivating() };
        let environment = after([before, deactivating(), reset]);
        assert_eq!((environment.network, environment.connectivity), (Network::Metered, Connectivity::Full));
        assert_eq!(environment.link, Some(Link::new("Home", LinkKind::Wireless)));
        let first = Answer { connectivity: Some(Connectivity::None), ..deactivating() };
        assert_eq!(after([first]).connectivity, Connectivity::Unknown);
    }

    #[test]
    fn an_attempt_to_connect_that_is_given_up_announces_nothing() {
        let given_up = Answer { state: Some(State::Disconnecting), ..Answer::default() };
        let environment = after([Answer { state: Some(State::Down), ..Answer::default() }, given_up]);
        assert_eq!((environment.network, environment.ending), (Network::Offline, None));
    }

    #[test]
    fn a_reach_that_is_not_checked_is_unknown() {
        let reach = |connectivity, is_checked| {
            after([Answer { connectivity: Some(connectivity), is_checked, ..up() }]).connectivity
        };
        assert_eq!(reach(Connectivity::Full, Some(false)), Connectivity::Unknown);
        assert_eq!(reach(Connectivity::Full, Some(true)), Connectivity::Full);
        assert_eq!(reach(Connectivity::Full, None), Connectivity::Full);
        assert_eq!(reach(Connectivity::None, Some(false)), Connectivity::None);
    }

    #[test]
    fn the_last_connection_is_followed_while_it_is_deactivated() {
        let mut state = NetworkState::new(BUDGET);
        state.answered(up(), NOW);
        state.answered(Answer { primary: None, ..deactivating() }, NOW);
        assert_eq!(state.question(), up().primary);
        state.answered(Answer { state: Some(State::Down), ..Answer::default() }, NOW);
        assert_eq!(state.question(), None);
    }

    #[test]
    fn values_outside_their_range_are_unknown() {
        assert_eq!([1, 35, 80].map(state), [None; 3]);
        assert_eq!([connectivity(5), connectivity(99)], [None; 2]);
        assert_eq!(metered(5), None);
        assert_eq!(stage(5), None);
    }
}
