//! The listener of the page.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::routes;
use crate::access::{Access, guard};
use crate::api::{self, Api};
use crate::connections::{self, Listener};
use crate::socket::ConsoleError;
use crate::token::Token;

/// A port on which the page is not served yet.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
    path: Token,
}

impl Server {
    /// Binds to a port of 127.0.0.1, and creates a token.
    pub(crate) fn bind(port: u16) -> Result<Self, ConsoleError> {
        let failed = |source| ConsoleError::Page { port, source };
        let random = || Token::random().map_err(|error| failed(error.into()));
        let (token, path) = (random()?, random()?);
        let listener = listen(port).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, token, path })
    }

    /// Returns the address of the page, with the token.
    pub(crate) fn address(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token.reveal())
    }

    /// Serves the page and the API until `stop` is cancelled.
    pub(crate) async fn serve(self, api: Api, stop: CancellationToken) {
        let access: Arc<Access> = Access::new((self.token, &self.path), self.address);
        // The guard changes the path of a request, so that it comes before the routes.
        let router: Router = Router::new().fallback_service(api::with(routes(), api));
        let router = router.layer(from_fn_with_state(access, guard));
        connections::serve(self.listener, router, stop).await;
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(Self::accept(self).await?.0)
    }
}
