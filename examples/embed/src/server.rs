//! The server from binding to the last connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::SyncManager;
use syncmgr::session::Unstopped;
use tokio::net::TcpListener;

use crate::app::App;
use crate::routes;
use crate::token::Token;

/// How long connections may go on once the manager is drained, unless told otherwise.
const CONNECTION_GRACE: Duration = Duration::from_secs(2);

/// A server that is bound and not yet serving.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    grace: Duration,
}

impl Server {
    /// Binds to this port of 127.0.0.1, 0 for any that is free, with a new token.
    ///
    /// # Errors
    /// When the port is taken, or the OS has no randomness for a token.
    pub async fn bind(port: u16, manager: SyncManager) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let app = App::new(manager, Token::random()?, address);
        Ok(Self { listener, address, app, grace: CONNECTION_GRACE })
    }

    /// Lets connections go on for so long once the manager is drained.
    pub fn with_connection_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token every request under `/sync` has to bear.
    pub fn token(&self) -> &Token {
        &self.app.token
    }

    /// Serves until `quit` resolves, then lets go of everything: takes no new connections, stops the sessions, and
    /// waits for the event streams, which end with them. Returns the handlers that could not be stopped.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, quit: impl Future<Output = ()> + Send + 'static) -> io::Result<Vec<Unstopped>> {
        let Self { listener, app, grace, .. } = self;
        let quit = quit.shared();
        let serving = axum::serve(listener, routes::router(app.clone())).with_graceful_shutdown(quit.clone());
        let mut serving = tokio::spawn(serving.into_future());
        let failed = tokio::select! {
            biased;
            () = quit => None,
            ended = &mut serving => Some(ended),
        };
        let unstopped = app.manager.shutdown().await;
        if let Some(ended) = failed {
            ended??;
            return Ok(unstopped);
        }
        // A client that does not read, or has sent half a request, would keep its connection open for ever.
        match tokio::time::timeout(grace, serving).await {
            Ok(ended) => ended??,
            Err(_) => tracing::warn!("some connections are still open; they end with this process"),
        }
        Ok(unstopped)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}
