//! A server in this process.

use std::time::Duration;

use embed::handler::Downloads;
use embed::server::Server;
use syncmgr::session::Unstopped;
use syncmgr::{HandlerId, SyncHandler, SyncManager};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

/// A server that is serving, and the client that knows its token.
pub(crate) struct Running {
    pub(crate) client: Client,
    pub(crate) handler: HandlerId,
    quit: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<Vec<Unstopped>>>,
}

impl Running {
    /// Serves this handler. Connections get no time of their own at the end: what has to be heard is heard before.
    pub(crate) async fn with(handler: impl SyncHandler) -> Self {
        let manager = SyncManager::new();
        let handler = manager.register(handler).unwrap();
        let server = Server::bind(0, manager).await.unwrap().with_connection_grace(Duration::from_millis(1));
        let client = Client { address: server.address(), token: server.token().reveal().to_owned() };
        let (quit, told) = oneshot::channel();
        let served = tokio::spawn(server.serve(async { told.await.unwrap_or_default() }));
        Self { client, handler, quit, served }
    }

    /// Serves downloads that are soon over.
    pub(crate) async fn quick() -> Self {
        Self::with(Downloads::new(2, 2, Duration::ZERO)).await
    }

    /// Serves downloads that never end by themselves.
    pub(crate) async fn endless() -> Self {
        Self::with(Downloads::new(2, u64::MAX, Duration::from_millis(1))).await
    }

    /// Tells the server to quit.
    pub(crate) fn quit(self) -> JoinHandle<std::io::Result<Vec<Unstopped>>> {
        self.quit.send(()).unwrap();
        self.served
    }
}
