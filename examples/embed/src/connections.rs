//! Accepts connections, and limits the time for the headers of a request.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

/// The wait after an error of the listener, for example because the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves connections until `quit` resolves, and then until all of them have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    header_timeout: Duration,
    quit: impl Future<Output = ()>,
) {
    let (connections, mut quit) = (GracefulShutdown::new(), pin!(quit));
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut quit => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => spawn(stream, router.clone(), header_timeout, &connections),
            Err(error) if belongs_to_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves one connection. A client that has not sent its headers within the time-out would keep the connection open indefinitely.
fn spawn(stream: TcpStream, router: Router, header_timeout: Duration, connections: &GracefulShutdown) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection failed");
        }
    });
}

/// Returns `true` if a client closed its connection before it was accepted.
fn belongs_to_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
