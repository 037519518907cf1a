//! Requests that are wrong, and clients that are not HTTP clients.

use serde_json::{Value, json};
use syncmgr_console::{Client, ClientError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::support::Host;

/// Sends bytes and returns the first line of the answer.
async fn raw(host: &Host, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(host.console.path()).await.expect("the console is served");
    stream.write_all(bytes).await.expect("the console reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.expect("the console answers");
    line.trim_end().to_owned()
}

#[tokio::test]
async fn wrong_requests_are_refused_with_what_to_do() {
    let host = Host::start();
    for (path, body, status) in [
        ("/", Value::Null, 404),
        ("/v1/nothing", Value::Null, 404),
        ("/v1/agenda", Value::Null, 405),
        ("/v1/sessions", json!([]), 400),
        ("/v1/sessions", json!({ "item": [] }), 400),
        ("/v1/sessions", json!({ "handlers": ["x"] }), 400),
        ("/v1/sessions", json!({ "handlers": ["00000000-0000-0000-0000-000000000009"] }), 404),
    ] {
        match host.client.post::<Value>(path, &body).await {
            Err(ClientError::Refused { status: refused, advice, .. }) => {
                assert_eq!(refused, status, "{path} {body}");
                assert!(!advice.is_empty());
            }
            other => panic!("{path} {body}: {other:?}"),
        }
    }
    let refused = host.client.get::<Value>("/v1/history?limit=many").await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 400, .. }), "{refused}");
}

#[tokio::test]
async fn a_body_that_is_too_long_or_of_another_type_is_refused() {
    let host = Host::start();
    let head = "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let long = format!("{head}Content-Type: application/json\r\nContent-Length: 9999999\r\n\r\n");
    assert_eq!(raw(&host, long.as_bytes()).await, "HTTP/1.1 413 Payload Too Large");
    let form = format!("{head}Content-Type: text/plain\r\nContent-Length: 14\r\n\r\n{{\"force\":true}}");
    assert_eq!(raw(&host, form.as_bytes()).await, "HTTP/1.1 415 Unsupported Media Type");
    assert_eq!(raw(&host, b"hello\r\n\r\n").await, "HTTP/1.1 400 Bad Request");
    assert!(host.manager.sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_half_sent_is_given_up() {
    let host = Host::start();
    let head = "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\n";
    let half = format!("{head}Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{{\"force\"");
    assert_eq!(raw(&host, half.as_bytes()).await, "HTTP/1.1 408 Request Timeout");
    // Without complete headers there is no request to answer.
    assert_eq!(raw(&host, head.as_bytes()).await, "");
}

#[tokio::test]
async fn without_a_program_the_client_says_so() {
    let host = Host::start();
    let path = host.console.path().to_owned();
    host.console.stop().await;
    let error = Client::new(&path).get::<Value>("/v1/agenda").await.unwrap_err();
    let expected = "start one, such as `syncmgr host`, or name its socket with `--socket`";
    assert_eq!(error.to_string(), format!("no program serves {}; {expected}", path.display()));
}
