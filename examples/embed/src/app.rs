//! What every request shares.

use std::net::SocketAddr;
use std::sync::Arc;

use syncmgr::SyncManager;

use crate::sessions::Sessions;
use crate::token::Token;

/// The state behind the routes. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// What there is one of.
pub(crate) struct Parts {
    pub(crate) manager: SyncManager,
    pub(crate) sessions: Sessions,
    pub(crate) token: Token,
    /// What `Host` may say: the names this server goes by.
    pub(crate) names: Vec<String>,
}

impl App {
    pub(crate) fn new(manager: SyncManager, token: Token, address: SocketAddr) -> Self {
        Self(Arc::new(Parts { manager, sessions: Sessions::default(), token, names: names(address.port()) }))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The names of the server on this port. Clients leave out HTTP's own port.
fn names(port: u16) -> Vec<String> {
    let hosts = ["127.0.0.1", "localhost"];
    let bare = hosts.iter().filter(|_| port == 80).map(ToString::to_string);
    hosts.iter().map(|host| format!("{host}:{port}")).chain(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_may_only_be_left_out_when_it_is_that_of_http() {
        assert_eq!(names(8080), ["127.0.0.1:8080", "localhost:8080"]);
        assert_eq!(names(80), ["127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"]);
    }
}
