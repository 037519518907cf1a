//! State that all requests share.

use std::net::SocketAddr;
use std::sync::Arc;

use syncmgr::SyncManager;

use crate::sessions::Sessions;
use crate::token::Token;

/// A handle of the state. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<AppState>);

/// The state of the server.
pub(crate) struct AppState {
    pub(crate) manager: SyncManager,
    pub(crate) sessions: Sessions,
    pub(crate) token: Token,
    /// The valid values of `Host`.
    pub(crate) host_names: Vec<String>,
}

impl App {
    pub(crate) fn new(manager: SyncManager, token: Token, address: SocketAddr) -> Self {
        Self(Arc::new(AppState {
            manager,
            sessions: Sessions::default(),
            token,
            host_names: host_names(address.port()),
        }))
    }
}

impl std::ops::Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

/// The values of `Host` for a server on this port. Clients omit port 80.
fn host_names(port: u16) -> Vec<String> {
    let hosts = ["127.0.0.1", "localhost"];
    let bare = hosts.iter().filter(|_| port == 80).map(ToString::to_string);
    hosts.iter().map(|host| format!("{host}:{port}")).chain(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_may_be_omitted_only_for_port_80() {
        assert_eq!(host_names(8080), ["127.0.0.1:8080", "localhost:8080"]);
        assert_eq!(host_names(80), ["127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"]);
    }
}
