//! Invalid requests.

use std::time::Duration;

use futures::stream;
use http_body_util::StreamBody;
use hyper::Method;
use hyper::StatusCode;
use hyper::body::{Bytes, Frame};
use hyper::header::CONTENT_TYPE;
use syncmgr::ItemId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::Running;

/// One byte more than the maximum length of a body.
const TOO_LONG: usize = 64 * 1024 + 1;

#[tokio::test]
async fn actions_accept_only_post_and_queries_only_get() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let skip = format!("{session}/items/{}/{}/skip", server.handler, ItemId::from_name("file 1"));
    let actions = [format!("{session}/stop"), skip];
    for path in &actions {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
            let answer = server.client.send(server.client.request(method.clone(), path)).await;
            assert_eq!(
                (answer.status, &answer.headers["allow"]),
                (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
            );
            if method != Method::HEAD {
                answer.assert_error(405, "client");
            }
        }
    }
    let sessions = server.client.send(server.client.request(Method::PUT, "/sync/sessions")).await;
    sessions.assert_error(405, "client");
    assert_eq!(sessions.headers["allow"], "GET,HEAD,POST");
    for path in ["/", "/health", "/notes", &session, &format!("{session}/events")] {
        let answer = server.client.post(path).await;
        answer.assert_error(405, "client");
        assert_eq!(answer.headers["allow"], "GET,HEAD");
    }
    assert_eq!(server.client.get(&session).await.json()["state"], "running");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_rejected_with_and_without_a_length() {
    let server = Running::quick().await;
    let fits = server.client.send(server.client.start_with(vec![b' '; TOO_LONG - 1])).await;
    fits.assert_error(400, "client");
    server.client.send(server.client.start_with(vec![b' '; TOO_LONG])).await.assert_error(413, "client");
    let frames = stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; TOO_LONG])))]);
    let (head, _) = server.client.start_with("").into_parts();
    let chunked = hyper::Request::from_parts(head, StreamBody::new(frames));
    server.client.send(chunked).await.assert_error(413, "client");
}

#[tokio::test]
async fn an_invalid_body_starts_no_session() {
    let server = Running::quick().await;
    let item_without_handler = format!(r#"{{"items": ["{}"]}}"#, ItemId::from_name("file 1"));
    let wrong_item = format!(r#"{{"handler": "{}", "items": ["file 1"]}}"#, server.handler);
    let bodies = [
        "{",
        "null",
        "[]",
        "[null, null]",
        "\"\"",
        "{} {}",
        "\u{feff}{}",
        r#"{"handler": 7}"#,
        r#"{"handler": "Downloads"}"#,
        r#"{"handlers": []}"#,
        r#"{"items": {}}"#,
        &item_without_handler,
        &wrong_item,
    ];
    for body in bodies {
        let answer = server.client.send(server.client.start_with(body.to_owned())).await;
        answer.assert_error(400, "client");
    }
    let not_text = server.client.send(server.client.start_with(&b"{\"handler\": \"\xff\"}"[..])).await;
    not_text.assert_error(400, "client");
    server.client.get("/sync/sessions/1").await.assert_error(404, "client");
}

#[tokio::test]
async fn an_error_escapes_the_values_of_the_request() {
    let server = Running::quick().await;
    let body = "{\"handler\": \"\u{202e}\u{9b}\"}";
    let answer = server.client.send(server.client.start_with(body)).await;
    answer.assert_error(400, "client");
    assert!(!answer.body.contains(['\u{202e}', '\u{9b}']), "{:?}", answer.body);
}

#[tokio::test]
async fn a_body_needs_the_content_type_json() {
    let server = Running::quick().await;
    for (kind, status) in [
        ("application/json; charset=utf-8", 202),
        ("Application/JSON", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ] {
        let mut request = server.client.start_with("{}");
        request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        assert_eq!(server.client.send(request).await.status, status, "{kind}");
    }
}

#[tokio::test]
async fn an_unknown_path_or_id_is_not_found() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    server.client.events(&session).await.until("began", Some("file 1")).await;
    let (handler, item) = (server.handler, ItemId::from_name("file 1"));
    for path in ["/nothing", "/sync/nothing", "/sync/sessions/2", "/sync/sessions/2/events", "/sync/sessions/x"] {
        server.client.get(path).await.assert_error(404, "client");
    }
    server.client.get("/sync/sessions/%ff").await.assert_error(404, "client");
    server.client.get("/sync/sessions/18446744073709551616").await.assert_error(404, "client");
    for path in [
        "/sync/sessions/2/stop".to_owned(),
        format!("/sync/sessions/2/items/{handler}/{item}/skip"),
        format!("{session}/items/{item}/{item}/skip"),
        format!("{session}/items/{handler}/{handler}/skip"),
        format!("{session}/items/Downloads/{item}/skip"),
        format!("{session}/items/{handler}/file%201/skip"),
        format!("{session}/items/{handler}/%ff/skip"),
    ] {
        server.client.post(&path).await.assert_error(404, "client");
    }
    let unknown = server.client.start_with(format!(r#"{{"handler": "{item}"}}"#));
    server.client.send(unknown).await.assert_error(404, "client");
    assert_eq!(server.client.get(&session).await.json()["state"], "running");
}

#[tokio::test]
async fn a_client_that_does_not_complete_its_headers_is_disconnected() {
    let server = Running::with_header_timeout(Duration::from_millis(1)).await;
    let mut connection = TcpStream::connect(server.client.address).await.unwrap();
    connection.write_all(b"GET /health HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap(); // ends once the server closes the connection
}
