//! The end of a host.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;

use crate::support::{Host, Place};

#[tokio::test]
async fn a_signal_ends_the_host_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new("");
        let host = place.host().await;
        let socket = host.socket();
        assert!(socket.exists());
        host.signal(signal);
        host.told("STOPPING=1").await;
        let (status, out, err) = host.end().await;
        assert_eq!((status.code(), socket.exists()), (Some(0), false), "{err}");
        assert_eq!(out, format!("the console is {}\n", socket.display()));
    }
}

#[tokio::test]
async fn systemd_hears_that_the_host_is_alive() {
    let place = Place::new("");
    place.host().await.told("WATCHDOG=1").await;
}

#[tokio::test]
#[cfg(feature = "web")]
async fn the_token_of_the_page_is_not_written_to_a_file_or_a_log() {
    let place = Place::new("");
    let settings = place.read("host.toml").unwrap();
    place.write("host.toml", &format!("page = 0\n{settings}"));
    let (_, out, err) = place.host().await.terminate().await;
    assert!(
        out.contains(", the page http://127.0.0.1:") && !out.contains("token") && !err.contains("token"),
        "{out}{err}"
    );
}

#[tokio::test]
async fn a_second_host_with_the_same_state_is_refused() {
    let place = Place::new("");
    let _host = place.host().await;
    let config = place.path("host.toml");
    let second = place.command(&["host", "--config", &config.to_string_lossy()]).output().await.unwrap();
    let err = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.code() == Some(1) && err.contains("is in use by"), "{err}");
}

/// Starts sessions until the client shows one: a session may end before the client watches.
async fn shown(lines: &mut Lines<BufReader<ChildStdout>>, host: &Host<'_>) {
    loop {
        let (api, nothing) = (host.api(), json!({}));
        tokio::select! {
            biased;
            line = lines.next_line() => {
                line.expect("the output is UTF-8").expect("the client watches");
                return;
            }
            started = api.post::<Value>("/v1/sessions", &nothing) => {
                started.expect("the host accepts sessions");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_watches_says_that_the_host_was_killed() {
    let place = Place::new("");
    let host = place.host().await;
    let mut watch = place.command(&["--socket", &host.socket().to_string_lossy(), "watch", "--json"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    shown(&mut lines, &host).await;
    host.signal(Signal::KILL);
    let output = watch.wait_with_output().await.unwrap();
    let expected = "{\"code\":3,\"error\":\"the program has ended; start it, and run this command again\"}\n";
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(3), expected));
}

#[tokio::test]
async fn a_run_says_that_the_host_was_terminated() {
    let place = Place::new("");
    let host = place.host().await;
    let socket = host.socket();
    let mut run = place.command(&["--socket", &socket.to_string_lossy(), "pause"]);
    assert!(run.status().await.unwrap().success());
    let mut run = place.command(&["--socket", &socket.to_string_lossy(), "run"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let paused = "syncmgr: paused: nothing begins until `syncmgr resume`";
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(paused));
    host.terminate().await;
    let expected = "syncmgr: the program has ended; start it, and run this command again";
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(expected));
    assert_eq!(run.wait().await.unwrap().code(), Some(3));
}
