//! What each command prints, as text and as JSON, at a fixed time.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use syncmgr::Subject;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Clock, Now, Randomness};
use syncmgr::handler::PropertiesOutcome;
use syncmgr::prelude::*;
use syncmgr::store::MemoryStore;
use syncmgr_console::{Console, Questions, Serving};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::following::Following;
use super::{output, program};

/// A handler with one item for each outcome.
struct Letters {
    gate: Arc<Semaphore>,
}

#[sync_handler(
    id = "2d1f6a0e-55b3-4c0f-8f2e-9a7b3c1d5e60",
    name = "Letters",
    capabilities(cancellable),
    flags(has_properties)
)]
impl SyncHandler for Letters {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["Drafts", "Inbox", "Outbox", "Slow"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        match item.name() {
            "Drafts" => {
                let _ = item.decide("newer", "Which draft is right?", &["here", "on the server"]);
            }
            "Inbox" => {
                item.log(LogEntry::new(LogLevel::Warning, "the server is slow"));
                return Err(anyhow!("the disk is full"));
            }
            "Slow" => {
                item.progress(1, 4)?;
                self.gate.acquire().await?.forget();
            }
            _ => {}
        }
        Ok(())
    }

    async fn show_properties(&self, _run: &RunContext, _subject: Subject) -> SyncResult<PropertiesOutcome> {
        Ok(PropertiesOutcome::Done)
    }
}

/// The time stands still.
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Now {
        Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_800_000_000))
    }
}

impl Randomness for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

struct Host {
    gate: Arc<Semaphore>,
    manager: SyncManager,
    console: Serving,
    _folder: TempDir,
}

impl Host {
    /// Items run one after the other, so that each run prints the same.
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a directory for temporary files");
        let builder = SyncManager::builder().store(MemoryStore::new()).clock(Fixed).randomness(Fixed);
        let (questions, gate) = (Questions::new(), Arc::new(Semaphore::new(0)));
        let manager = builder.max_concurrent_items(1).chooser(questions.clone()).build();
        manager.register(Letters { gate: gate.clone() }).expect("the handler is new");
        let console = Console::new(&manager).at(folder.path().join("run/test.sock")).with_questions(questions);
        Self { gate, manager, console: console.start().expect("the socket is free"), _folder: folder }
    }

    /// Returns what a command prints, as text and then as JSON.
    async fn both(&self, command: &str) -> String {
        format!("{}\n{}\n", self.one(command).await, self.one(&format!("{command} --json")).await)
    }

    async fn one(&self, command: &str) -> String {
        let (code, out, err) = output(program(self.console.path()).args(command.split(' '))).await;
        let shown = |text: &str| text.lines().map(|line| readable(line) + "\n").collect::<String>();
        let code = if code == 0 { String::new() } else { format!("exit code {code}\n") };
        format!("$ syncmgr {command}\n{}{}{code}", shown(&out), shown(&err))
    }
}

/// Returns all that a command prints until the program ends, which has a session meanwhile. The command is there before an item of the
/// session goes on.
async fn until_the_end(command: &str) -> String {
    let host = Host::start();
    let session = host.manager.session(Trigger::Manual).start().expect("the manager accepts sessions");
    let mut following = Following::at(host.console.path(), &command.split(' ').collect::<Vec<_>>());
    let mut lines = vec![following.line().await];
    host.gate.add_permits(1);
    session.finish().await;
    host.console.stop().await;
    while let Some(line) = following.next().await {
        lines.push(line);
    }
    let (code, err) = following.end().await;
    let shown: String = lines.iter().filter(|line| is_fixed(line)).map(|line| readable(line) + "\n").collect();
    format!("$ syncmgr {command}\n{shown}{err}exit code {}\n\n", code.expect("it ends by itself"))
}

/// Samples of the progress depend on the time, and changes of the agenda come between any events.
fn is_fixed(line: &str) -> bool {
    !["progress", "agenda"].iter().any(|event| line.contains(&format!(r#""event":"{event}""#)))
}

/// Returns a line, or JSON in several lines, without durations.
fn readable(line: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    remove_durations(&mut value);
    serde_json::to_string_pretty(&value).expect("it was JSON")
}

fn remove_durations(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| key != "seconds");
            fields.values_mut().for_each(remove_durations);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_durations),
        _ => {}
    }
}

#[tokio::test]
async fn the_queries() {
    let host = Host::start();
    host.gate.add_permits(1);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let mut all = String::new();
    for command in
        ["status", "items Letters", "log", "explain Letters", "explain Letters/Inbox", "agenda", "held", "history"]
    {
        all += &host.both(command).await;
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_actions() {
    let host = Host::start();
    host.gate.add_permits(9);
    let mut all = host.both("run").await;
    for command in [
        "pause",
        "resume",
        "stop",
        "stop Letters",
        "unchoose Letters/Slow",
        "choose Letters/Slow",
        "disable Letters/Outbox",
        "enable Letters/Outbox",
        "schedule Letters every 15m",
        "schedule Letters/Inbox --reset",
        "forget Letters/Outbox",
        "forget Letters",
    ] {
        all += &host.both(command).await;
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_commands_about_a_running_session() {
    let host = Host::start();
    let session = host.manager.session(Trigger::Manual).start().unwrap();
    let mut events = session.events();
    while !matches!(events.next().await, Some(SessionEvent::Progress { .. })) {}
    let mut all = host.both("status").await;
    all += &host.one("pause").await;
    all += &host.one("explain Letters/Slow").await;
    let next = host.manager.session(Trigger::Manual).start().unwrap();
    all += &host.one("explain Letters").await;
    all += &host.one("stop 2").await;
    next.report().await;
    all += &host.one("resume").await;
    all += &host.one("skip Letters/Slow").await;
    session.report().await;
    let entry = host.manager.log(host.manager.handlers()[0].id()).await.unwrap();
    let question = entry.iter().find_map(|record| record.entry.id).expect("there is a question");
    for command in [format!("show {question}"), format!("answer {question} 3"), format!("answer {question} 1 --json")] {
        all += "\n";
        all += &host.one(&command).await;
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_errors() {
    let host = Host::start();
    let mut all = String::new();
    for command in [
        "explain Mail/Inbox",
        "skip Letters",
        "show 0",
        "show 00000000",
        "answer 0 0",
        "dance",
        "explain",
        "web",
        "run Mail",
        "items Mail",
        "properties Letters/Inbox",
        "stop 7",
        "schedule Letters every 1ms",
        "schedule Letters once 2020-01-01T00:00:00Z",
        "schedule Letters cron 30 2 * * *",
        "schedule Letters --window 22:00-06:00",
    ] {
        all += &host.both(command).await;
    }
    all += &format!("$ syncmgr --json\n{}\n", output(program(host.console.path()).arg("--json")).await.2);
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_commands_that_go_on() {
    let mut all = String::new();
    for command in ["watch", "watch --json", "log --follow", "log --follow --json"] {
        all += &until_the_end(command).await;
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn a_run_whose_items_are_chosen() {
    let host = Host::start();
    let mut run = Following::at(host.console.path(), &["run", "--choose"]);
    run.say("1 3\n").await;
    let mut all = String::from("$ syncmgr run --choose\n");
    while let Some(line) = run.next().await {
        all += &(line + "\n");
    }
    let (code, err) = run.end().await;
    // The line of the prompt ends only if the session ends before the answer has arrived.
    insta::assert_snapshot!(format!("{all}{}\nexit code {}\n", err.trim_end(), code.expect("it ends by itself")));
}

#[tokio::test]
async fn the_properties_of_a_handler() {
    let host = Host::start();
    insta::assert_snapshot!(host.both("properties Letters").await);
}
