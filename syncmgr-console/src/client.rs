//! A client of a console, for programs.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::geteuid;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

/// The maximum length of a response in bytes.
const MAX_RESPONSE: usize = 256 * 1024 * 1024;

/// The maximum length of an event in bytes.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No program serves the socket.
    #[error("no program serves {}; start one, such as `syncmgr host`, or name its socket with `--socket`", path.display())]
    NotServed {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Another user serves the socket, and would receive what this user types.
    #[error("user {user} serves {}, and not you; name a socket of your own with `--socket`", path.display())]
    Foreign {
        /// The path of the socket.
        path: PathBuf,
        /// The user id of the other user.
        user: u32,
    },
    /// The connection broke, for example because the program has ended.
    #[error("the connection to the program broke: {reason}")]
    Broken {
        /// The reason.
        reason: String,
    },
    /// The program refused the request.
    #[error("{problem}; {advice}")]
    Refused {
        /// The status code of HTTP.
        status: u16,
        /// The problem.
        problem: String,
        /// What to do next.
        advice: String,
    },
    /// The response is not what this version expects.
    #[error("the program answers in a way that this version does not understand: {reason}")]
    NotUnderstood {
        /// The reason.
        reason: String,
    },
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken { reason: error.to_string() }
}

/// A client of the console on one socket. Each request is a connection of its own.
///
/// ```no_run
/// use syncmgr_console::{Client, socket_path};
///
/// # async fn example() -> Result<(), syncmgr_console::ClientError> {
/// let client = Client::new(socket_path("syncmgr"));
/// let agenda: serde_json::Value = client.get("/v1/agenda").await?;
/// println!("{}", agenda["agenda"][0]["text"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// Creates a client of the console on this socket. Connects with the first request.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a resource. Cancel safe.
    ///
    /// # Errors
    /// Returns an error if no program serves the socket, or if it refuses the request.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// Requests an action. The body is a JSON object, or `null` for none. Not cancel safe: the action may happen anyway.
    ///
    /// # Errors
    /// Returns an error if no program serves the socket, or if it refuses the request.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.call(Method::POST, path, Some(body).filter(|body| !body.is_null())).await
    }

    /// Deletes a resource. Not cancel safe: it may be deleted anyway.
    ///
    /// # Errors
    /// Returns an error if no program serves the socket, or if it refuses the request.
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.call::<Value>(Method::DELETE, path, None).await.map(drop)
    }

    /// Opens a stream of events.
    ///
    /// # Errors
    /// Returns an error if no program serves the socket, or if it refuses the request.
    pub async fn events(&self, path: &str) -> Result<Events, ClientError> {
        let response = self.send(Method::GET, path, None).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(Events { body: response.into_body(), read: Vec::new() })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ClientError> {
        let response = self.send(method, path, body).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let is_empty = response.status() == StatusCode::NO_CONTENT;
        let body = collect(response).await?;
        let body = if is_empty || body.is_empty() { b"null" } else { &body[..] };
        serde_json::from_slice(body).map_err(|error| ClientError::NotUnderstood { reason: error.to_string() })
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>, ClientError> {
        let mut sender = self.connect().await?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| ClientError::NotUnderstood { reason: error.to_string() })?;
        sender.send_request(request).await.map_err(broken)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let not_served = |source| ClientError::NotServed { path: self.path.clone(), source };
        let stream = UnixStream::connect(&self.path).await.map_err(not_served)?;
        // In a directory that all users share, another one may have created the path first.
        let user = stream.peer_cred().map_err(broken)?.uid();
        if user != geteuid().as_raw() {
            return Err(ClientError::Foreign { path: self.path.clone(), user });
        }
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the request, whose error says what went wrong.
        tokio::spawn(connection);
        Ok(sender)
    }
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    Ok(Limited::new(response.into_body(), MAX_RESPONSE).collect().await.map_err(broken)?.to_bytes())
}

/// Reads the reason why a request was refused.
async fn refusal(response: Response<Incoming>) -> ClientError {
    let status = response.status();
    let body = collect(response).await.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    let text = |key: &str| body.as_ref().and_then(|body| body[key].as_str()).map(str::to_owned);
    ClientError::Refused {
        status: status.as_u16(),
        problem: text("problem").unwrap_or_else(|| status.to_string()),
        advice: text("advice").unwrap_or_else(|| "see the log of the program".to_owned()),
    }
}

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    /// What was read after the last event.
    read: Vec<u8>,
}

impl Events {
    /// Returns the next event, or `None` once the stream has ended. Cancel safe.
    ///
    /// # Errors
    /// Returns an error if the connection breaks, or if an event is not JSON.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            while let Some(end) = self.read.windows(2).position(|bytes| bytes == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                if let Some(data) = data_of(&block) {
                    let not_understood =
                        |error: serde_json::Error| ClientError::NotUnderstood { reason: error.to_string() };
                    return serde_json::from_slice(data).map(Some).map_err(not_understood);
                }
            }
            if self.read.len() > MAX_EVENT {
                return Err(ClientError::NotUnderstood {
                    reason: format!("an event is longer than {MAX_EVENT} bytes"),
                });
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    self.read.extend_from_slice(frame.map_err(broken)?.data_ref().map_or(&[][..], |data| data))
                }
            }
        }
    }
}

/// Returns the data of an event. `None` for a comment. The console writes the data in one line.
fn data_of(block: &[u8]) -> Option<&[u8]> {
    block.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii_start)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::nobody;

    #[tokio::test]
    async fn a_socket_that_another_user_serves_gets_no_request() {
        let folder = nobody::shared_folder();
        let path = folder.path().join("other.sock");
        let bind = || std::os::unix::net::UnixListener::bind(&path).unwrap();
        let Some(listener) = nobody::run(bind) else { return };
        let error = Client::new(&path).get::<Value>("/v1").await.unwrap_err();
        let expected = format!("user 65534 serves {}, and not you", path.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(io::Read::read(&mut stream, &mut [0]).unwrap(), 0);
    }
}
