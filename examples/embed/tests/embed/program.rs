//! Tests of the built program.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::client::Client;

/// Starts the program. Returns it with its standard output.
fn program(arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads a line and returns the text after `label`.
async fn value_after(out: &mut BufReader<ChildStdout>, label: &str) -> String {
    let mut line = String::new();
    out.read_line(&mut line).await.unwrap();
    line.trim_end().strip_prefix(label).unwrap_or_else(|| panic!("{line:?} does not begin with {label:?}")).to_owned()
}

/// Starts the program and a session, sends `signal` while the session runs, and asserts a clean exit.
async fn assert_clean_exit_after(signal: Signal) {
    let (mut child, mut out) = program(&["--steps", "1000000", "--pace", "1"]);
    let address = value_after(&mut out, "listening on http://").await.parse().unwrap();
    let client = Client { address, token: value_after(&mut out, "token: ").await };
    let session = client.start().await;
    let mut events = client.events(&session).await;
    events.until("began", Some("file 1")).await;
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    assert_eq!(events.rest().await.last().unwrap().kind, "closed");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let mut rest = String::new();
    out.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn the_program_prints_address_and_token_and_exits_cleanly_on_sigterm() {
    assert_clean_exit_after(Signal::TERM).await;
}

#[tokio::test]
async fn the_program_exits_cleanly_on_ctrl_c() {
    assert_clean_exit_after(Signal::INT).await;
}

#[tokio::test]
async fn the_error_for_a_port_in_use_names_the_port() {
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (child, mut out) = program(&["--port", &port]);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    let message = format!("embed: cannot listen on port {port}: ");
    assert!(error.starts_with(&message) && error.lines().count() == 1, "{error}");
    let mut printed = String::new();
    out.read_to_string(&mut printed).await.unwrap();
    assert_eq!(printed, "");
}
