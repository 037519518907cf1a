//! The portable source, with links of the test's own in a network namespace of its own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot start its programs has failed")]

use std::process::{Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use syncmgr_core::environment::{Connectivity, Environment, Link, LinkKind, Network};
use syncmgr_runtime::environment::EnvironmentSource;
use syncmgr_sources::NetworkMonitor;

/// The time after which a test that waits fails.
const TOO_LONG: Duration = Duration::from_secs(60);
/// Set in the process that runs inside the namespace.
const INSIDE: &str = "SYNCMGR_TEST_NAMESPACE";

fn offline() -> Environment {
    Environment::UNKNOWN.with_network(Network::Offline).with_connectivity(Connectivity::None)
}

fn limited() -> Environment {
    Environment::UNKNOWN.with_network(Network::Online).with_connectivity(Connectivity::Limited)
}

fn online() -> Environment {
    Environment::UNKNOWN.with_network(Network::Online).with_link(Link::new("eth0", LinkKind::Wired))
}

/// Says that the test of the caller is skipped, and why. Fails if the machine is meant to run every test.
fn skip(reason: &str) {
    assert!(std::env::var_os("SYNCMGR_NO_SKIP").is_none_or(|value| value != "1"), "not skipped: {reason}");
    eprintln!("skipped: {reason}");
}

/// Runs this command and requires it to succeed.
fn run(command: &str) {
    let words: Vec<_> = command.split(' ').collect();
    let status = Command::new(words[0]).args(&words[1..]).status();
    assert!(status.is_ok_and(|status| status.success()), "{command}");
}

/// The arguments of `unshare` for a network namespace: as root, and as another user.
const NAMESPACES: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];

/// Runs the test of this name in a network namespace. Returns `true` inside it.
fn enter(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let makes_links = |arguments: &&&[&str]| {
        let link = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0"];
        let output = Command::new("unshare").args(**arguments).args(link).output();
        output.is_ok_and(|output| output.status.success())
    };
    let Some(arguments) = NAMESPACES.iter().find(makes_links) else {
        skip("this machine allows no network namespace with links, or iproute2 is not installed");
        return false;
    };
    let program = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.args(*arguments).arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    assert!(inside.status().unwrap().success());
    false
}

/// A link `eth0` with a cable to another namespace, which the far end of the cable keeps.
struct Cable {
    elsewhere: std::process::Child,
}

impl Cable {
    fn connect() -> Self {
        // The process tells that its namespace exists by closing its output.
        let mut elsewhere = Command::new("unshare")
            .args(["--net", "sh", "-c", "exec >&-; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::copy(elsewhere.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
        run("ip link add eth0 type veth peer name far0");
        run(&format!("ip link set far0 netns {}", elsewhere.id()));
        Self { elsewhere }
    }

    /// Pulls the cable out or plugs it in, at the far end.
    fn set(&self, state: &str) {
        run(&format!("nsenter --net=/proc/{}/ns/net ip link set far0 {state}", self.elsewhere.id()));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.elsewhere.kill();
        let _ = self.elsewhere.wait();
    }
}

async fn until(source: &NetworkMonitor, expected: &Environment) {
    let mut changes = source.changes();
    while source.now() != *expected {
        let change = tokio::time::timeout(TOO_LONG, changes.next()).await;
        assert!(matches!(change, Ok(Some(_))), "still {:?}, not {expected:?}", source.now());
    }
}

/// Returns a cable with an address and a default route, and a source that has seen them.
async fn connected() -> (Cable, NetworkMonitor) {
    let cable = Cable::connect();
    cable.set("up");
    run("ip address add 10.0.0.1/24 dev eth0");
    run("ip link set eth0 up");
    run("ip route add default via 10.0.0.2");
    let source = NetworkMonitor::start();
    until(&source, &online()).await;
    (cable, source)
}

#[tokio::test]
async fn a_link_that_goes_up_and_down_is_followed() {
    if !enter("a_link_that_goes_up_and_down_is_followed") {
        return;
    }
    let source = NetworkMonitor::start();
    source.ready().await;
    assert_eq!(source.now(), offline());

    let cable = Cable::connect();
    cable.set("up");
    run("ip address add 10.0.0.1/24 dev eth0");
    run("ip link set eth0 up");
    until(&source, &limited()).await;
    run("ip route add default via 10.0.0.2");
    until(&source, &online()).await;
    run("ip link set eth0 down");
    until(&source, &offline()).await;
    run("ip link set eth0 up");
    until(&source, &limited()).await;
    run("ip route add default via 10.0.0.2");
    until(&source, &online()).await;
    run("ip link delete eth0");
    until(&source, &offline()).await;
}

#[tokio::test]
async fn a_cable_that_is_pulled_out_is_noticed() {
    if !enter("a_cable_that_is_pulled_out_is_noticed") {
        return;
    }
    let (cable, source) = connected().await;
    // The address and the default route stay.
    cable.set("down");
    until(&source, &offline()).await;
    cable.set("up");
    until(&source, &online()).await;
}

#[tokio::test]
async fn a_flood_of_changes_loses_none() {
    if !enter("a_flood_of_changes_loses_none") {
        return;
    }
    let (_cable, source) = connected().await;
    let mut changes = source.changes();
    // The source cannot read meanwhile, so the queue of the kernel overflows before the last change.
    let add = |host: u16| format!("address add 10.1.{}.{}/32 dev eth0\n", host / 256, host % 256);
    let batch: String = (0..2000).map(add).chain(["link set eth0 down\n".to_owned()]).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), batch).unwrap();
    run(&format!("ip -batch {}", file.path().display()));
    let mut now = online();
    while now != offline() {
        now = tokio::time::timeout(TOO_LONG, changes.next()).await.unwrap().unwrap();
        assert_ne!(now.network, Network::Unknown, "an overflow is no reason to know nothing");
    }
}
