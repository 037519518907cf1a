//! Commands that go on until Ctrl-C or the end of the program.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use syncmgr::Trigger;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{PATIENCE, program};
use crate::support::Host;

/// A command that goes on.
pub(super) struct Following {
    pub(super) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(host: &Host, args: &[&str]) -> Self {
        Self::at(host.console.path(), args)
    }

    pub(super) fn at(socket: &Path, args: &[&str]) -> Self {
        let mut program = program(socket);
        let program = program.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("the program exists");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, lines }
    }

    pub(super) async fn line(&mut self) -> String {
        self.next().await.expect("the command goes on")
    }

    /// Returns the next line; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("there is a line, or the end").expect("the output is UTF-8")
    }

    /// Types a text.
    pub(super) async fn say(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        input.write_all(text.as_bytes()).await.expect("the command reads its input");
    }

    /// Presses Ctrl-C.
    pub(super) fn interrupt(&self) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("the program runs");
        kill_process(id, Signal::INT).expect("the program runs");
    }

    /// Waits for the end. Returns the exit code, or the signal, and the error output.
    pub(super) async fn end(mut self) -> (Result<i32, i32>, String) {
        let mut err = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        let read = timeout(PATIENCE, stderr.read_to_string(&mut err)).await;
        read.expect("the command ends").expect("the errors are UTF-8");
        let status = self.child.wait().await.expect("it has ended");
        (status.code().ok_or_else(|| status.signal().unwrap_or_default()), err)
    }
}

#[tokio::test]
async fn the_log_is_followed_until_the_program_ends() {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let mut log = Following::start(&host, &["log", "--follow"]);
    let mut earlier = [log.line().await, log.line().await];
    earlier.sort_unstable();
    assert!(earlier[0].ends_with("Z Gated/broken: error: the disk is full"), "{earlier:?}");
    assert!(earlier[1].ends_with("Z Gated/broken: warning: the disk is slow"), "{earlier:?}");
    let handler = host.manager.handlers()[0].id();
    let again = host.manager.session(Trigger::Manual).items(handler, [syncmgr::ItemId::from_name("broken")]);
    let session = again.start().unwrap();
    assert!(log.line().await.ends_with("Z Gated/broken: warning: the disk is slow"));
    assert!(log.line().await.ends_with("Z Gated/broken: error: the disk is full"));
    session.finish().await;
    host.console.stop().await;
    let expected = "syncmgr: the program has ended; start it, and run this command again\n";
    assert_eq!(log.end().await, (Ok(3), expected.to_owned()));
}

#[tokio::test]
async fn followed_entries_have_the_form_of_the_log() {
    let host = Host::start();
    host.gate.add_permits(9);
    let session = host.manager.session(Trigger::Manual).start().unwrap();
    session.report().await;
    let mut log = Following::start(&host, &["log", "--follow", "--json", "Gated"]);
    for _ in 0..2 {
        let record: serde_json::Value = serde_json::from_str(&log.line().await).unwrap();
        assert!(record["time"].is_u64() && record["handler_name"] == "Gated" && record["name"] == "broken", "{record}");
    }
    // The session is still open. Its events are not printed again.
    let again = host
        .manager
        .session(Trigger::Manual)
        .items(host.manager.handlers()[0].id(), [syncmgr::ItemId::from_name("broken")]);
    again.start().unwrap().finish().await;
    let record: serde_json::Value = serde_json::from_str(&log.line().await).unwrap();
    assert_eq!(record["session"], 2);
    drop(session);
}

#[tokio::test]
async fn followed_entries_are_new_though_an_earlier_session_is_open() {
    let host = Host::start();
    host.gate.add_permits(9);
    let run = || host.manager.session(Trigger::Manual).start().unwrap();
    let earlier = run();
    earlier.report().await;
    // Replaces the entries of the first session.
    run().finish().await;
    let left = host.get(&host.handler("/log")).await["log"].as_array().unwrap().len();
    let mut log = Following::start(&host, &["log", "--follow", "--json"]);
    for _ in 0..left {
        log.line().await;
    }
    run().finish().await;
    let record: serde_json::Value = serde_json::from_str(&log.line().await).unwrap();
    assert_eq!(record["session"], 3, "{record}");
    drop(earlier);
}

#[tokio::test]
async fn ctrl_c_ends_what_follows_like_any_other_program() {
    let host = Host::start();
    host.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    for args in [&["log", "--follow"][..], &["watch"]] {
        let mut following = Following::start(&host, args);
        // A session may end before the command follows.
        loop {
            tokio::select! {
                biased;
                _ = following.line() => break,
                _ = host.manager.session(Trigger::Manual).start().unwrap().finish() => {}
            }
        }
        following.interrupt();
        assert_eq!(following.end().await, (Err(2), String::new()), "{args:?}");
    }
}

#[tokio::test]
async fn the_first_ctrl_c_stops_a_run() {
    let host = Host::start();
    let mut run = Following::start(&host, &["run", "--json"]);
    while !run.line().await.contains("\"began\"") {}
    run.interrupt();
    let last = loop {
        let line = run.line().await;
        if line.contains("\"report\"") {
            break line;
        }
    };
    assert!(last.contains("\"stopped\""), "{last}");
    assert_eq!(run.end().await.0, Ok(1));
}
