//! Outputs that cannot be written.

use std::process::Stdio;

use super::{program, syncmgr};
use crate::support::Host;

/// Runs the program with this standard output. Returns its exit code and its standard error.
async fn written_to(host: &Host, output: impl Into<Stdio>, args: &[&str]) -> (i32, String) {
    let mut program = program(host.console.path());
    let child = program.args(args).stdout(output).stderr(Stdio::piped()).spawn().expect("the program exists");
    let ended = child.wait_with_output().await.expect("the program ends");
    (ended.status.code().expect("it ended by itself"), String::from_utf8(ended.stderr).expect("it is UTF-8"))
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_full_disk_is_an_error_of_each_command() {
    let host = Host::start();
    host.gate.add_permits(9);
    let problem = "the output cannot be written: No space left on device (os error 28)";
    for args in [&["status"][..], &["run", "Gated"], &["watch"], &["--help"], &["--version"], &["run", "--help"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(written_to(&host, full, args).await, (1, format!("syncmgr: {problem}\n")), "{args:?}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (code, err) = written_to(&host, full, &["log", "--json"]).await;
    let err: serde_json::Value = serde_json::from_str(&err).expect("the error is JSON");
    assert_eq!((code, err), (1, serde_json::json!({ "error": problem, "code": 1 })));
}

#[tokio::test]
async fn a_command_ends_quietly_if_nobody_reads_its_output() {
    let host = Host::start();
    host.gate.add_permits(9);
    for args in [&["status"][..], &["log", "--json"], &["run", "Gated"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(written_to(&host, writer, args).await, (0, String::new()), "{args:?}");
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn an_exit_code_is_the_same_if_standard_error_cannot_be_written() {
    let host = Host::start();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut program = program(host.console.path());
    let status = program.args(["explain", "Mail"]).stderr(full).status().await.unwrap();
    assert_eq!(Some(syncmgr(&host, &["explain", "Mail"]).await.0), status.code());
}
