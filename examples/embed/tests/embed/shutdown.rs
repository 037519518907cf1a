//! Shutdown of the server.

use std::sync::{Mutex, mpsc};

use syncmgr::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::Running;

#[tokio::test]
async fn a_shutdown_ends_a_running_session_and_its_stream() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let mut events = server.client.events(&session).await;
    events.until("began", Some("file 2")).await;
    let served = server.quit();
    let rest = events.rest().await;
    let stopped = rest.iter().filter(|event| event.kind == "ended" && event.data["outcome"] == "stopped").count();
    assert_eq!((stopped, rest.last().unwrap().kind.as_str()), (3, "closed"));
    assert_eq!(served.await.unwrap().unwrap(), []);
}

/// Sends a request without its body: the server has read the head and waits for two bytes.
async fn incomplete_request(server: &Running) -> TcpStream {
    let (address, token) = (server.client.address, &server.client.token);
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /sync/sessions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut answer = vec![0; expected.len()];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, expected);
    connection
}

#[tokio::test]
async fn an_incomplete_request_does_not_delay_the_shutdown() {
    let server = Running::endless().await;
    let connection = incomplete_request(&server).await;
    assert_eq!(server.quit().await.unwrap().unwrap(), []);
    drop(connection);
}

#[tokio::test]
async fn a_session_requested_during_shutdown_is_refused_with_a_server_error() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let mut connection = incomplete_request(&server).await;
    let events = server.client.events(&session).await;
    let served = server.quit();
    events.rest().await;
    connection.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""fault":"server""#), "{answer}");
    served.await.unwrap().unwrap();
}

/// A handler that blocks a thread until the test drops the sender.
struct Stuck(Mutex<Option<mpsc::Receiver<()>>>);

#[sync_handler(
    id = "0b8e5d7a-94c3-4c1f-8f26-7a3d90e1b5c8",
    name = "Stuck",
    limits(soft_grace = "1ms", hard_grace = "1ms")
)]
impl SyncHandler for Stuck {
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let receiver = self.0.lock().unwrap().take();
        item.blocking(move |_| Ok(receiver.map(|receiver| receiver.recv()))).await?;
        Ok(())
    }
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_handler_that_cannot_be_stopped() {
    let (sender, receiver) = mpsc::channel();
    let server = Running::with(Stuck(Mutex::new(Some(receiver)))).await;
    let handler = server.handler;
    let session = server.client.start().await;
    server.client.events(&session).await.until("began", Some("Stuck")).await;
    let still_running = server.quit().await.unwrap().unwrap();
    assert_eq!(still_running.iter().map(|running| running.handler).collect::<Vec<_>>(), [handler]);
    drop(sender);
}
