//! An HTTP client that sends requests unchanged, each on a connection of its own.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::events::Events;

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Client {
    /// Creates a valid request without the token.
    pub(crate) fn request_without_token(&self, method: Method, path: &str) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path).header(HOST, self.address.to_string());
        request.body(Full::default()).unwrap()
    }

    /// Creates a valid request.
    pub(crate) fn request(&self, method: Method, path: &str) -> Request<Full<Bytes>> {
        let mut request = self.request_without_token(method, path);
        request.headers_mut().insert(AUTHORIZATION, format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    /// Creates a request that starts a session with this body.
    pub(crate) fn start_with(&self, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        let mut request = self.request(Method::POST, "/sync/sessions");
        request.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
        *request.body_mut() = Full::new(body.into());
        request
    }

    /// Sends a request and reads the complete response.
    pub(crate) async fn send<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
    {
        let response = self.open(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Sends a GET request.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends a POST request.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path)).await
    }

    /// Starts a session and returns its path.
    pub(crate) async fn start(&self) -> String {
        let answer = self.post("/sync/sessions").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.json()["report"].as_str().unwrap().to_owned()
    }

    /// Opens the event stream of the session at this path.
    pub(crate) async fn events(&self, session: &str) -> Events {
        let response = self.open(self.request(Method::GET, &format!("{session}/events"))).await;
        assert_eq!(response.status(), StatusCode::OK);
        Events::new(response.into_body())
    }

    async fn open<B>(&self, request: Request<B>) -> hyper::Response<Incoming>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
    {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }
}

impl Answer {
    /// Parses the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Asserts that this is an error with this status and side at fault, and that it has a problem and advice.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, fault: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        let error = self.json();
        assert_eq!(error["fault"], fault);
        for field in ["problem", "advice"] {
            assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{}", self.body);
        }
    }
}
