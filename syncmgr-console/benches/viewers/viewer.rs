//! Viewers of a console.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use syncmgr_console::Client;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

/// Raises the limit of open files to what the system allows.
pub(crate) fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the limit may be raised to its maximum");
}

/// Reads the sessions anew after each change, as the page does.
pub(crate) fn watch(socket: &Path) -> JoinHandle<()> {
    let client = Client::new(socket);
    tokio::spawn(async move {
        let mut changes = client.events("/v1/changes").await.expect("the console serves");
        while changes.next::<Value>().await.is_ok_and(|change| change.is_some()) {
            client.get::<Value>("/v1/sessions").await.expect("the console serves");
        }
    })
}

/// Asks for a stream of all events, and never reads it.
pub(crate) async fn ignore(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).await.expect("the console serves");
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: console\r\n\r\n").await.expect("the console serves");
    stream
}
