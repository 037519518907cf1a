//! A server in this process.

use std::time::Duration;

use embed::handler::Downloads;
use embed::server::Server;
use syncmgr::session::StillRunning;
use syncmgr::{HandlerId, SyncHandler, SyncManager};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

/// A running server with a client.
pub(crate) struct Running {
    pub(crate) client: Client,
    pub(crate) handler: HandlerId,
    quit: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<Vec<StillRunning>>>,
}

impl Running {
    /// Serves this handler. Open connections get almost no time at shutdown, because tests read all responses before it.
    pub(crate) async fn with(handler: impl SyncHandler) -> Self {
        Self::configured(handler, |server| server).await
    }

    /// Serves downloads, and gives clients this time for their headers.
    pub(crate) async fn with_header_timeout(timeout: Duration) -> Self {
        let downloads = Downloads::new(2, 2, Duration::ZERO);
        Self::configured(downloads, |server| server.with_header_timeout(timeout)).await
    }

    async fn configured(handler: impl SyncHandler, configure: impl FnOnce(Server) -> Server) -> Self {
        let manager = SyncManager::new();
        let handler = manager.register(handler).unwrap();
        let server = Server::bind(0, manager).await.unwrap().with_connection_grace(Duration::from_millis(1));
        let server = configure(server);
        let client = Client { address: server.address(), token: server.token().reveal().to_owned() };
        let (quit, quit_requested) = oneshot::channel();
        let served = tokio::spawn(server.serve(async { quit_requested.await.unwrap_or_default() }));
        Self { client, handler, quit, served }
    }

    /// Serves downloads that end quickly.
    pub(crate) async fn quick() -> Self {
        Self::with(Downloads::new(2, 2, Duration::ZERO)).await
    }

    /// Serves downloads that never end.
    pub(crate) async fn endless() -> Self {
        Self::with(Downloads::new(2, u64::MAX, Duration::from_millis(1))).await
    }

    /// Shuts the server down.
    pub(crate) fn quit(self) -> JoinHandle<std::io::Result<Vec<StillRunning>>> {
        self.quit.send(()).unwrap();
        self.served
    }
}
