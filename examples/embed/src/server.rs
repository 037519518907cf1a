//! The server, from binding to shutdown.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::SyncManager;
use syncmgr::session::StillRunning;
use tokio::net::TcpListener;

use crate::app::App;
use crate::connections;
use crate::routes;
use crate::token::Token;

/// The default time that open connections get after the manager has shut down.
const CONNECTION_GRACE: Duration = Duration::from_secs(2);

/// The default time in which a client has to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that is bound to a port but does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    grace: Duration,
    header_timeout: Duration,
}

impl Server {
    /// Binds to `port` on 127.0.0.1 and creates a token. Port 0 selects a free port.
    ///
    /// # Errors
    /// If the port is in use, or the OS provides no randomness for the token.
    pub async fn bind(port: u16, manager: SyncManager) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let app = App::new(manager, Token::random()?, address);
        Ok(Self { listener, address, app, grace: CONNECTION_GRACE, header_timeout: HEADER_TIMEOUT })
    }

    /// Sets the time that open connections get after the manager has shut down.
    pub fn with_connection_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Sets the time in which a client has to send the headers of a request. Then the server closes the connection.
    pub fn with_header_timeout(self, timeout: Duration) -> Self {
        Self { header_timeout: timeout, ..self }
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the token that every request under `/sync` must carry.
    pub fn token(&self) -> &Token {
        &self.app.token
    }

    /// Serves until `quit` resolves. Then accepts no new connections, stops the sessions, and waits for the event streams,
    /// which end with the sessions. Returns the handlers that are still running.
    ///
    /// # Errors
    /// If the task that accepts connections panics.
    pub async fn serve(self, quit: impl Future<Output = ()> + Send + 'static) -> io::Result<Vec<StillRunning>> {
        let Self { listener, app, grace, header_timeout, .. } = self;
        let quit = quit.shared();
        let router = routes::router(app.clone());
        let serving = tokio::spawn(connections::serve(listener, router, header_timeout, quit.clone()));
        quit.await;
        let still_running = app.manager.shutdown().await;
        // A client that does not read, or sends an incomplete request, would keep its connection open indefinitely.
        match tokio::time::timeout(grace, serving).await {
            Ok(ended) => ended?,
            Err(_) => tracing::warn!("some connections are still open; they are closed when the process exits"),
        }
        Ok(still_running)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}
