#!/usr/bin/env bash
# netwatch 0.20.0 on Linux: a `Monitor` does not notice that a cable is pulled, and without IPv6 not even that the interface is
# set down.
#
# The monitor joins the netlink groups of addresses, routes and rules, but not the one of links, and ignores RTM_NEWLINK and
# RTM_DELLINK. It reads the interfaces only after one of the other messages. A lost carrier changes no address and no route, so
# the kernel sends none of these messages. When an interface is set down, the kernel removes its IPv4 routes silently and keeps
# its IPv4 addresses; only the messages about the removed IPv6 routes and the link-local IPv6 address make the monitor look. The
# look at the clock every 15 s finds only a sleep of the machine.
#
# After `Monitor::network_change` the monitor reports both. For the pulled cable, its public state is still the same: `is_up` is
# the administrative flag, and the flag of the carrier is compared, but private. A program that removes the address of an
# interface without a carrier, as a network manager may do, makes the monitor look as well; there is none here.
#
# Output seen (Linux 6.18):
#   cable pulled, with IPv6
#     an address is added first: netwatch reports a change: default route eth0, eth0 up
#     kernel: RTM_NEWLINK eth0 <NO-CARRIER,BROADCAST,MULTICAST,UP>
#     netwatch reports nothing in 20 s: default route eth0, eth0 up
#     after network_change: netwatch reports a change: default route eth0, eth0 up
#   interface set down, without IPv6
#     an address is added first: netwatch reports a change: default route eth0, eth0 up
#     kernel: RTM_NEWLINK eth0 <BROADCAST,MULTICAST>
#     netwatch reports nothing in 20 s: default route eth0, eth0 up
#     after network_change: netwatch reports a change: default route none, eth0 down
#   interface set down, with IPv6
#     an address is added first: netwatch reports a change: default route eth0, eth0 up
#     kernel: RTM_NEWLINK eth0 <BROADCAST,MULTICAST>
#     netwatch reports a change: default route none, eth0 down
#
# Needs Linux with network namespaces, veth and IPv6, iproute2, util-linux and Rust stable. Exits with 77 where a namespace with a
# veth pair is not permitted. Fails if the behaviour changes.
set -euo pipefail
if ! unshare --map-root-user --net ip link add eth0 type veth peer name far0 2> /dev/null; then
    echo "skipped: a network namespace with a veth pair is not permitted here, or unshare or ip is missing"
    exit 77
fi
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cd "$folder" && mkdir src
cat > Cargo.toml <<'MANIFEST'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[workspace]
[dependencies]
n0-watcher = "=1.0.1"
netwatch = "=0.20.0"
tokio = { version = "=1.54.1", features = ["macros", "rt", "time"] }
MANIFEST
cat > src/main.rs <<'PROGRAM'
use n0_watcher::{Direct, Watcher};
use netwatch::netmon::{Monitor, State};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Longer than the time between two looks at the clock, which is 15 s.
const WAIT: Duration = Duration::from_secs(20);
const START: Duration = Duration::from_secs(2);

fn run(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
}

/// Starts to listen to the kernel's messages about the link.
fn listen() -> Child {
    Command::new("ip").args(["-o", "monitor", "link", "dev", "eth0"]).stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits for the first message, and returns its flags.
fn flags(mut listener: Child) -> String {
    let mut message = String::new();
    BufReader::new(listener.stdout.take().unwrap()).read_line(&mut message).unwrap();
    listener.kill().unwrap();
    listener.wait().unwrap();
    message[message.find('<').unwrap()..=message.find('>').unwrap()].to_owned()
}

/// Waits for a report of netwatch, and returns what it says then.
async fn report(states: &mut Direct<State>) -> String {
    let report = match timeout(WAIT, states.updated()).await {
        Ok(change) => change.map(|_| "a change".to_owned()).unwrap(),
        Err(_) => format!("nothing in {} s", WAIT.as_secs()),
    };
    let state = states.get();
    let route = state.default_route_interface.as_deref().unwrap_or("none");
    let is_up = if state.interfaces["eth0"].is_up() { "up" } else { "down" };
    format!("netwatch reports {report}: default route {route}, eth0 {is_up}")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let command = std::env::args().nth(1).unwrap();
    let monitor = Monitor::new().await.unwrap();
    let mut states = monitor.interface_state();
    sleep(START).await;
    states.update();
    run("ip address add 192.0.2.9/24 dev eth0");
    println!("  an address is added first: {}", report(&mut states).await);

    let listener = listen();
    sleep(START).await;
    run(&command);
    println!("  kernel: RTM_NEWLINK eth0 {}", flags(listener));
    let reported = report(&mut states).await;
    println!("  {reported}");
    if reported.contains("nothing") {
        monitor.network_change().await.unwrap();
        println!("  after network_change: {}", report(&mut states).await);
    }
}
PROGRAM
cat > situation.sh <<'SITUATION'
# Runs the program in a new namespace, with IPv6 or without (1 or 0), and with the command that it tries.
set -euo pipefail
exec {started}< <(exec unshare --net sh -c 'echo; exec sleep 600') # the namespace of the cable's far end
far=$! && trap 'kill $far' EXIT
read -ru "$started"
at_far="nsenter --target $far --net"
echo $((1 - $1)) > /proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add eth0 type veth peer name far0 netns "$far"
$at_far ip link set far0 up
ip link set eth0 up
ip address add 192.0.2.1/24 dev eth0
ip route add default via 192.0.2.2
until ip link show eth0 | grep -q 'state UP'; do sleep 0.1; done
until [ "$1" = 0 ] || ip -6 address show dev eth0 -tentative | grep -q fe80; do sleep 0.1; done
cargo run --quiet --offline -- "${2/AT_FAR/$at_far}"
SITUATION
situation() { timeout 120 unshare --map-root-user --net bash situation.sh "$@"; }
cargo build --quiet
output=$(
    echo "cable pulled, with IPv6"
    situation 1 'AT_FAR ip link set far0 down'
    echo "interface set down, without IPv6"
    situation 0 'ip link set eth0 down'
    echo "interface set down, with IPv6"
    situation 1 'ip link set eth0 down'
)
echo "$output"
diff <(echo "$output") - <<'SEEN'
cable pulled, with IPv6
  an address is added first: netwatch reports a change: default route eth0, eth0 up
  kernel: RTM_NEWLINK eth0 <NO-CARRIER,BROADCAST,MULTICAST,UP>
  netwatch reports nothing in 20 s: default route eth0, eth0 up
  after network_change: netwatch reports a change: default route eth0, eth0 up
interface set down, without IPv6
  an address is added first: netwatch reports a change: default route eth0, eth0 up
  kernel: RTM_NEWLINK eth0 <BROADCAST,MULTICAST>
  netwatch reports nothing in 20 s: default route eth0, eth0 up
  after network_change: netwatch reports a change: default route none, eth0 down
interface set down, with IPv6
  an address is added first: netwatch reports a change: default route eth0, eth0 up
  kernel: RTM_NEWLINK eth0 <BROADCAST,MULTICAST>
  netwatch reports a change: default route none, eth0 down
SEEN
