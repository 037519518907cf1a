//! The interfaces of the machine, and what they say about the network.

use std::net::IpAddr;

use netdev::interface::types::InterfaceType;
use syncmgr_core::environment::{Connectivity, Environment, Link, LinkKind, Network};

/// An interface that can carry traffic to other machines.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Usable {
    name: String,
    kind: LinkKind,
}

/// Reads the state of the network. Unknown if it cannot be read.
pub(super) async fn environment() -> Environment {
    // Reading the interfaces waits for the kernel and reads files.
    let Ok(interfaces) = tokio::task::spawn_blocking(netdev::get_interfaces).await else {
        return Environment::UNKNOWN;
    };
    let usable: Vec<_> = interfaces.iter().filter_map(usable).collect();
    let default_route = netwatch::interfaces::default_route_interface().await;
    describe(&usable, default_route.as_deref())
}

/// Describes the network with these interfaces and the interface of the default route.
fn describe(usable: &[Usable], default_route: Option<&str>) -> Environment {
    let route = default_route.and_then(|name| usable.iter().find(|interface| interface.name == name));
    match route {
        Some(interface) => {
            let link = Link::new(interface.name.as_str(), interface.kind);
            Environment::UNKNOWN.with_network(Network::Online).with_link(link)
        }
        None if usable.is_empty() => {
            Environment::UNKNOWN.with_network(Network::Offline).with_connectivity(Connectivity::None)
        }
        None => Environment::UNKNOWN.with_network(Network::Online).with_connectivity(Connectivity::Limited),
    }
}

/// Returns the interface if it is up, its cable is connected, and it has an address that other machines reach.
fn usable(interface: &netdev::Interface) -> Option<Usable> {
    let is_connected = interface.is_up() && interface.is_running() && !interface.is_loopback();
    let has_address = interface.ip_addrs().iter().any(reaches_others);
    (is_connected && has_address).then(|| Usable { name: interface.name.clone(), kind: link_kind(interface.if_type) })
}

fn reaches_others(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local() && !address.is_unspecified(),
    }
}

fn link_kind(kind: InterfaceType) -> LinkKind {
    use InterfaceType as Type;
    match kind {
        Type::Ethernet | Type::FastEthernetT | Type::FastEthernetFx | Type::GigabitEthernet | Type::Bridge => {
            LinkKind::Wired
        }
        Type::Wireless80211 | Type::PeerToPeerWireless => LinkKind::Wireless,
        Type::Wman | Type::Wwan | Type::Wwanpp | Type::Wwanpp2 => LinkKind::Mobile,
        Type::Tunnel => LinkKind::Vpn,
        _ => LinkKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wired(name: &str) -> Usable {
        Usable { name: name.to_owned(), kind: LinkKind::Wired }
    }

    #[test]
    fn a_default_route_over_a_usable_link_is_online() {
        let environment = describe(&[wired("docker0"), wired("eth0")], Some("eth0"));
        let link = Link::new("eth0", LinkKind::Wired);
        assert_eq!(environment, Environment::UNKNOWN.with_network(Network::Online).with_link(link));
    }

    #[test]
    fn a_default_route_over_a_link_that_is_down_reaches_nothing() {
        let offline = Environment::UNKNOWN.with_network(Network::Offline).with_connectivity(Connectivity::None);
        assert_eq!(describe(&[], Some("eth0")), offline);
        assert_eq!(describe(&[], None), offline);
    }

    #[test]
    fn links_without_a_default_route_have_limited_reach() {
        let limited = Environment::UNKNOWN.with_network(Network::Online).with_connectivity(Connectivity::Limited);
        assert_eq!(describe(&[wired("eth0")], None), limited);
        assert_eq!(describe(&[wired("docker0")], Some("eth0")), limited);
    }

    #[test]
    fn addresses_of_the_machine_and_of_the_link_reach_no_other_machine() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let none = ["127.0.0.1", "169.254.7.7", "0.0.0.0", "::1", "fe80::1", "::"];
        assert!(!none.map(address).iter().any(reaches_others));
        assert!(["10.0.0.1", "192.0.2.1", "2001:db8::1", "fd00::1"].map(address).iter().all(reaches_others));
    }
}
