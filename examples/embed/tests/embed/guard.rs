//! Access control.

use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::{Method, StatusCode};
use syncmgr::ItemId;

use crate::running::Running;

/// Every route under `/sync`, a wrong method, and a path that does not exist.
fn sync_paths(server: &Running, session: &str) -> Vec<(Method, String)> {
    let item = ItemId::from_name("file 1");
    vec![
        (Method::POST, "/sync/sessions".to_owned()),
        (Method::GET, session.to_owned()),
        (Method::GET, format!("{session}/events")),
        (Method::POST, format!("{session}/stop")),
        (Method::POST, format!("{session}/items/{}/{item}/skip", server.handler)),
        (Method::GET, format!("{session}/stop")),
        (Method::GET, "/sync/agenda".to_owned()),
        (Method::GET, "/sync/nothing".to_owned()),
    ]
}

#[tokio::test]
async fn the_programs_own_pages_need_no_token() {
    let server = Running::quick().await;
    for (path, says) in
        [("/health", r#"{"healthy":true}"#), ("/notes", "<h1>Notes</h1>"), ("/", "<h1>Synchronization</h1>")]
    {
        let answer = server.client.send(server.client.request_without_token(Method::GET, path)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.contains(says), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_server_listens_only_on_the_loopback_interface() {
    assert!(Running::quick().await.client.address.ip().is_loopback());
}

#[tokio::test]
async fn every_request_under_sync_needs_the_token() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let token = server.client.token.clone();
    let wrong = [
        vec![],
        vec![String::new()],
        vec![token.clone()],
        vec![format!("Basic {token}")],
        vec!["Bearer ".to_owned()],
        vec![format!("Bearer {}", &token[1..])],
        vec![format!("Bearer {token}0")],
        vec![format!("Bearer {}", token.to_uppercase().replace(|digit: char| digit.is_ascii_digit(), "0"))],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
    ];
    for (method, path) in sync_paths(&server, &session) {
        for credentials in &wrong {
            let mut request = server.client.request_without_token(method.clone(), &path);
            for value in credentials {
                request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
            }
            let answer = server.client.send(request).await;
            answer.assert_error(401, "client");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let in_url = server.client.request_without_token(method, &format!("{path}?token={token}&access_token={token}"));
        server.client.send(in_url).await.assert_error(401, "client");
    }
    assert_eq!(server.client.get(&session).await.json()["state"], "running", "no rejected request has an effect");
}

#[tokio::test]
async fn the_case_of_the_authorization_scheme_is_ignored() {
    let server = Running::quick().await;
    let mut request = server.client.request_without_token(Method::POST, "/sync/sessions");
    request.headers_mut().insert(AUTHORIZATION, format!("bEARER {}", server.client.token).parse().unwrap());
    assert_eq!(server.client.send(request).await.status, StatusCode::ACCEPTED);
}

/// Returns the status of GET `path` with these values of a header.
async fn status_with(server: &Running, path: &str, name: HeaderName, values: &[&str]) -> StatusCode {
    let mut request = server.client.request(Method::GET, path);
    request.headers_mut().remove(&name);
    for value in values {
        request.headers_mut().append(&name, HeaderValue::from_str(value).unwrap());
    }
    let answer = server.client.send(request).await;
    if answer.status != StatusCode::OK {
        answer.assert_error(answer.status.as_u16(), "client");
    }
    answer.status
}

#[tokio::test]
async fn a_request_with_another_host_is_misdirected() {
    let server = Running::quick().await;
    let session = server.client.start().await;
    let port = server.client.address.port();
    let (ours, local) = (format!("127.0.0.1:{port}"), format!("LocalHost:{port}"));
    let (foreign, suffix, next) =
        (format!("evil.example:{port}"), format!("127.0.0.1:{port}.evil"), format!("127.0.0.1:{}", port ^ 1));
    for path in ["/health", "/notes", &session, &format!("{session}/events")] {
        for host in [&ours, &local] {
            assert_eq!(status_with(&server, path, HOST, &[host]).await, StatusCode::OK, "{path} {host}");
        }
        let wrong: [&[&str]; 8] =
            [&[], &[""], &["127.0.0.1"], &["evil.example"], &[&foreign], &[&suffix], &[&next], &[&ours, &foreign]];
        for hosts in wrong {
            let status = status_with(&server, path, HOST, hosts).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{path} {hosts:?}");
        }
    }
}

#[tokio::test]
async fn a_request_target_with_another_host_is_misdirected() {
    let server = Running::quick().await;
    let ours = server.client.request(Method::GET, &format!("http://{}/health", server.client.address));
    assert_eq!(server.client.send(ours).await.status, StatusCode::OK);
    let foreign = server.client.request(Method::GET, "http://evil.example/health");
    server.client.send(foreign).await.assert_error(421, "client");
}

#[tokio::test]
async fn pages_of_other_origins_are_rejected_and_pages_of_this_server_are_not() {
    let server = Running::quick().await;
    let session = server.client.start().await;
    let address = server.client.address;
    let (ours, secure, local) =
        (format!("http://{address}"), format!("https://{address}"), format!("http://localhost:{}", address.port()));
    for path in ["/notes", &session, &format!("{session}/events")] {
        assert_eq!(status_with(&server, path, ORIGIN, &[&ours]).await, StatusCode::OK);
        let foreign: [&[&str]; 7] = [
            &["null"],
            &[""],
            &["http://evil.example"],
            &["http://127.0.0.1"],
            &[&secure],
            &[&local],
            &[&ours, "http://evil.example"],
        ];
        for origins in foreign {
            assert_eq!(status_with(&server, path, ORIGIN, origins).await, StatusCode::FORBIDDEN, "{path} {origins:?}");
        }
    }
}

#[tokio::test]
async fn a_cors_preflight_is_rejected() {
    let server = Running::quick().await;
    let mut preflight = server.client.request_without_token(Method::OPTIONS, "/sync/sessions");
    preflight.headers_mut().insert(ORIGIN, "http://evil.example".parse().unwrap());
    preflight.headers_mut().insert("access-control-request-method", "POST".parse().unwrap());
    let answer = server.client.send(preflight).await;
    answer.assert_error(403, "client");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}
