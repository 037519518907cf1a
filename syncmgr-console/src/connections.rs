//! Connections of clients, until the server stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The time in which a client has to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that requests in progress get to end.
const GRACE: Duration = Duration::from_secs(2);

/// The maximum size of the buffer for what a client has not read, in bytes.
const MAX_BUFFER: usize = 16 * 1024;

/// The pause after the system has accepted no connection, for example because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The maximum number of connections, so that clients leave files to the program that it can open.
const MAX_CONNECTIONS: usize = 1_200;

/// Accepts connections.
pub(crate) trait Listener: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Accepts the next connection. Cancel safe.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Serves connections until `stop` is cancelled. Then accepts no more, waits for the requests in progress for a short time, and cuts the
/// connections that are left.
pub(crate) async fn serve(listener: impl Listener, router: Router, stop: CancellationToken) {
    let (connections, free) = (GracefulShutdown::new(), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &free) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let served = connections.watch(serve_one(stream, router.clone()));
                let served = over.clone().run_until_cancelled_owned(served);
                tokio::spawn(async move {
                    if let Some(Err(error)) = served.await {
                        tracing::debug!(%error, "a connection of the console failed");
                    }
                    drop(place);
                });
            }
            Err(error) => pause(&error).await,
        }
    }
    drop(listener);
    if timeout(GRACE, connections.shutdown()).await.is_err() {
        tracing::debug!("some connections of the console were cut");
    }
}

/// Accepts a connection once there is a place for it.
async fn accept<L: Listener>(listener: &L, free: &Arc<Semaphore>) -> io::Result<(L::Stream, OwnedSemaphorePermit)> {
    let place = free.clone().acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?, place))
}

async fn pause(error: &io::Error) {
    tracing::error!(%error, "the console cannot accept a connection");
    sleep(ACCEPT_PAUSE).await;
}

/// Serves one connection.
fn serve_one<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    router: Router,
) -> http1::Connection<TokioIo<S>, TowerToHyperService<Router>> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_BUFFER);
    http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
