//! The program `syncmgr` as a client of a console.

mod explaining;
mod following;
mod help;
mod lost;
mod manual;
mod naming;
mod output;
mod scripted;
mod snapshots;
mod web;

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use syncmgr::session::RunChange;
use syncmgr::{SessionEvent, Trigger};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::Host;

/// The time after which a test that waits for nothing fails.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Returns the program for a console on this socket, without a terminal and in an environment of its own.
fn program(socket: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_syncmgr"));
    program.env_clear().stdin(Stdio::null()).kill_on_drop(true).arg("--socket").arg(socket);
    program
}

/// Runs the program with these arguments.
async fn syncmgr(host: &Host, args: &[&str]) -> (i32, String, String) {
    output(program(host.console.path()).args(args)).await
}

/// Runs the program. Returns its exit code and both outputs.
async fn output(program: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program.output().await.expect("the program exists");
    let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).expect("the output is UTF-8"));
    (status.code().expect("the program ended by itself"), out, err)
}

#[tokio::test]
async fn run_prints_each_outcome_and_fails_if_an_item_failed() {
    let host = Host::start();
    host.gate.add_permits(9);
    let (code, out, err) = syncmgr(&host, &["run"]).await;
    let mut lines: Vec<_> = out.lines().filter(|line| line.starts_with("Gated/")).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Gated/broken: failed: the disk is full",
            "Gated/broken: warning: the disk is slow",
            "Gated/one: succeeded",
            "Gated/two: succeeded"
        ],
        "{out}"
    );
    assert_eq!((code, err.as_str()), (1, ""));
    let (code, out, _) = syncmgr(&host, &["run", "Gated/two"]).await;
    assert_eq!((code, out.lines().next()), (0, Some("Gated/two: succeeded")));
}

#[tokio::test]
async fn the_queries_answer_in_lines_and_in_json() {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    for (args, expected) in [
        (&["status"][..], "next:\n"),
        (&["items", "Gated"], "  one: succeeded 20"),
        (&["log", "Gated"], "Z Gated/broken: warning: the disk is slow\n"),
        (&["explain", "Gated/broken"], "broken: backing off until 20"),
        (&["agenda"], ": 1 item, to retry\n"),
        (&["history"], "session 1 of Gated: with problems, 1 failed, 2 succeeded\n"),
        (&["held"], ""),
    ] {
        let (code, out, err) = syncmgr(&host, args).await;
        assert!(code == 0 && out.contains(expected) && err.is_empty(), "{args:?}: {out}{err}");
        let (code, out, _) = syncmgr(&host, &[args, &["--json"]].concat()).await;
        assert_eq!((code, serde_json::from_str::<Value>(&out).is_ok()), (0, true), "{out}");
    }
}

#[tokio::test]
async fn a_run_that_is_held_was_not_done() {
    let host = Host::start();
    assert_eq!(syncmgr(&host, &["disable", "Gated", "--reason", "the disk is away"]).await.0, 0);
    let (code, out, _) = syncmgr(&host, &["run", "Gated"]).await;
    assert!(code == 1 && out.contains("held: disabled: the disk is away"), "{code} {out}");
}

#[tokio::test]
async fn a_paused_manager_says_so_with_what_ends_that() {
    let host = Host::start();
    assert_eq!(syncmgr(&host, &["pause"]).await.0, 0);
    let mut run = program(host.console.path());
    let mut run = run.arg("run").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    let expected = "syncmgr: paused: nothing begins until `syncmgr resume`";
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some(expected));
    let session = host.manager.sessions().pop().unwrap();
    let mut events = session.events();
    while !matches!(events.next().await, Some(SessionEvent::Run { change: RunChange::Synchronizing, .. })) {}
    let (_, out, _) = syncmgr(&host, &["explain", "Gated/one"]).await;
    let expected = "one: waiting in session 1, paused; runs once resumed\n  `syncmgr resume` lets items begin again\n";
    assert_eq!(out, expected);
    session.stop();
    assert_eq!(run.wait().await.unwrap().code(), Some(1));
    assert!(syncmgr(&host, &["status"]).await.1.starts_with("paused: nothing begins until `syncmgr resume`\n"));
    assert_eq!(syncmgr(&host, &["resume"]).await.0, 0);
    assert!(syncmgr(&host, &["status"]).await.1.starts_with("handlers:\n"));
}

#[tokio::test]
async fn a_choice_and_a_disabled_item_stay() {
    let host = Host::start();
    host.gate.add_permits(9);
    // The names of items are known once the handler has listed them.
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert_eq!(syncmgr(&host, &["unchoose", "Gated/broken"]).await.0, 0);
    assert_eq!(syncmgr(&host, &["disable", "Gated/one", "--reason", "too large"]).await.0, 0);
    let report = host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let mut outcomes: Vec<_> = report.items().map(|item| format!("{}: {}", item.item.name(), item.outcome)).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["one: skipped", "two: succeeded"]);
    assert!(syncmgr(&host, &["explain", "Gated/one"]).await.1.contains("disabled: too large"));
}

#[tokio::test]
async fn what_does_not_exist_is_named_with_what_to_do() {
    let host = Host::start();
    let (code, _, err) = syncmgr(&host, &["explain", "Mail/Inbox"]).await;
    assert_eq!((code, err.as_str()), (4, "syncmgr: there is no Mail/Inbox; `syncmgr status` lists the handlers\n"));
    let (code, _, err) = syncmgr(&host, &["skip", "Gated"]).await;
    assert_eq!((code, err.as_str()), (4, "syncmgr: there is no Gated; name an item, as HANDLER/ITEM\n"));
    assert_eq!(syncmgr(&host, &["dance"]).await.0, 2);
    let (code, _, err) = output(program(Path::new("/nowhere/mail.sock")).arg("status")).await;
    assert_eq!(code, 3);
    assert_eq!(
        err,
        "syncmgr: no program serves /nowhere/mail.sock; start one, such as `syncmgr host`, or name its socket with `--socket`\n"
    );
}

#[tokio::test]
async fn a_schedule_is_shown_set_and_reset() {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let shown = "schedule: that of the handler, or none\nrequirements: none\nwindow: always\n";
    assert_eq!(syncmgr(&host, &["schedule", "Gated/one"]).await, (0, shown.to_owned(), String::new()));
    for (args, next) in [
        (&["schedule", "Gated/one", "cron 30 2 * * * in UTC", "--window", "22:00-06:00 in local"][..], "; runs at 20"),
        (&["schedule", "Gated/one", "--requires", "mains,unmetered-network"], "one: "),
        (&["schedule", "Gated", "every", "15m"], "Gated: idle; runs at 20"),
    ] {
        let (code, out, err) = syncmgr(&host, args).await;
        assert!(code == 0 && out.contains(next) && out.lines().count() == 1 && err.is_empty(), "{args:?}: {out}{err}");
    }
    let shown = "schedule: cron 30 2 * * * in UTC (set)\nrequirements: unmetered-network,mains (set; declared: none)\n\
                 window: 22:00-06:00 in local (set; declared: always)\n";
    assert_eq!(syncmgr(&host, &["schedule", "Gated/one"]).await.1, shown);
    assert!(syncmgr(&host, &["agenda"]).await.1.contains("\"every 15m\""));
    assert_eq!(syncmgr(&host, &["schedule", "Gated/one", "reset", "--window", "reset"]).await.0, 0);
    let (_, json, _) = syncmgr(&host, &["schedule", "Gated/one", "--json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        [&json["schedule"]["set"], &json["requirements"]["set"]],
        [&Value::Null, &"unmetered-network,mains".into()]
    );
    assert_eq!(syncmgr(&host, &["schedule", "Gated/one", "--reset"]).await.0, 0);
    assert!(syncmgr(&host, &["schedule", "Gated/one"]).await.1.contains("requirements: none\n"));
}

#[tokio::test]
async fn a_schedule_that_is_not_valid_changes_nothing() {
    let host = Host::start();
    let (code, out, err) = syncmgr(&host, &["schedule", "Gated", "every 5m", "--requires", "mians"]).await;
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.starts_with("syncmgr: `mians` is not known; write `unmetered-network`,"), "{err}");
    let (code, _, err) = syncmgr(&host, &["schedule", "Gated", "hourly"]).await;
    assert!(code == 2 && err.contains("`hourly` cannot be read; write") || err.contains("write `cron"), "{err}");
    let (code, _, err) = syncmgr(&host, &["schedule", "Gated", "--requires", "idle-user,active-user"]).await;
    assert!(code == 4 && err.contains("exclude each other"), "{err}");
    assert!(syncmgr(&host, &["schedule", "Gated"]).await.1.starts_with("schedule: that of the handler, or none\n"));
    assert_eq!(syncmgr(&host, &["schedule", "Nobody", "never"]).await.0, 4);
}

#[tokio::test]
async fn a_run_that_waits_for_another_session_says_what_ends_that() {
    let host = Host::start();
    let first = host.manager.session(Trigger::Manual).start().unwrap();
    let mut events = first.events();
    while !matches!(events.next().await, Some(SessionEvent::Began { .. })) {}
    let mut run = program(host.console.path());
    let mut run = run.arg("run").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    let expected =
        "syncmgr: Gated: waits for the run of the same handler in session 1; `syncmgr stop 1` ends session 1";
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some(expected));
    assert_eq!(syncmgr(&host, &["stop", "1"]).await, (0, "stopping session 1\n".to_owned(), String::new()));
    host.gate.add_permits(9);
    assert_eq!(run.wait().await.unwrap().code(), Some(1));
}

#[tokio::test]
async fn an_item_that_does_not_run_cannot_be_skipped() {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let (code, _, err) = syncmgr(&host, &["skip", "Gated/one"]).await;
    assert_eq!((code, err.as_str()), (4, "syncmgr: Gated/one is not running; `syncmgr status` shows what runs\n"));
    let (code, _, err) = syncmgr(&host, &["skip", "Gated/one", "--json"]).await;
    let err: Value = serde_json::from_str(&err).expect("the error is JSON");
    assert_eq!((code, &err["code"]), (4, &4.into()));
}

#[tokio::test]
async fn an_item_that_has_ended_cannot_be_skipped_though_its_session_runs() {
    let host = Host::start();
    let session = host.manager.session(Trigger::Manual).start().unwrap();
    let mut events = session.events();
    host.gate.add_permits(1);
    let ended = loop {
        if let Some(SessionEvent::Ended { name, .. }) = events.next().await {
            break format!("Gated/{name}");
        }
    };
    let (code, _, err) = syncmgr(&host, &["skip", &ended]).await;
    assert_eq!((code, err), (4, format!("syncmgr: {ended} is not running; `syncmgr status` shows what runs\n")));
    let runs = if ended == "Gated/one" { "Gated/two" } else { "Gated/one" };
    assert_eq!(syncmgr(&host, &["skip", runs]).await, (0, format!("skipping {runs} in session 1\n"), String::new()));
    session.stop();
}
