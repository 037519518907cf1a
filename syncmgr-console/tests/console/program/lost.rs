//! Streams that the console ends because they were not read, and requests that it does not answer.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::following::Following;
use super::scripted::{Script, Scripted};

const ASKING: &str = "GET /v1/changes?answers=true";
const EVENTS: &str = "GET /v1/sessions/1/events";
const QUESTIONS: &str = "GET /v1/questions";
const HANDLER: &str = "7b0c7e52-7f3c-4a6c-9f0e-0d1b5a3f6e21";

fn logged(text: &str) -> Value {
    let entry = json!({ "level": "information", "text": text, "item": null, "id": null, "action": null });
    json!({ "event": "logged", "session": 1, "handler": HANDLER, "handler_name": "Mail", "name": null, "entry": entry })
}

fn idle() -> Value {
    json!({ "event": "idle" })
}

impl Scripted {
    /// Starts the session of `syncmgr run --json`.
    async fn run(&mut self) -> Script {
        self.answer("POST /v1/sessions", json!({ "session": 1 })).await;
        self.stream(EVENTS).await
    }

    /// Starts the session of `syncmgr run`, which asks what holds it.
    async fn run_with_text(&mut self) -> Script {
        self.answer("POST /v1/sessions", json!({ "session": 1 })).await;
        self.answer("GET /v1", json!({ "paused": false })).await;
        self.answer("GET /v1/held", json!({ "held": [] })).await;
        self.stream(EVENTS).await
    }

    async fn report(&mut self) {
        let report = json!({ "success": true, "text": "done" });
        self.answer("GET /v1/sessions/1", json!({ "state": "idle", "report": report })).await;
    }
}

/// Returns the text of a line with a log entry.
fn text(line: &str) -> Value {
    serde_json::from_str::<Value>(line).expect("each line is JSON")["entry"]["text"].clone()
}

#[tokio::test]
async fn a_run_shows_each_event_once_though_its_stream_is_lost() {
    let mut console = Scripted::start();
    let mut run = Following::at(console.path(), &["run", "--json"]);
    let events = console.run().await;
    for text in ["one", "two"] {
        events.send(logged(text)).await;
    }
    events.lose().await;
    let again = console.stream(EVENTS).await;
    for text in ["one", "two", "three"] {
        again.send(logged(text)).await;
    }
    again.send(idle()).await;
    console.report().await;
    let lines = [run.line().await, run.line().await, run.line().await];
    assert_eq!(lines.map(|line| text(&line)), ["one", "two", "three"]);
    assert!(run.line().await.contains("\"report\""));
    assert_eq!(run.end().await, (Ok(0), String::new()));
}

#[tokio::test]
async fn a_run_whose_program_ends_says_so_after_the_last_event() {
    let mut console = Scripted::start();
    let mut run = Following::at(console.path(), &["run", "--json"]);
    let events = console.run().await;
    events.send(logged("one")).await;
    drop(events);
    assert_eq!(text(&run.line().await), "one");
    let expected = json!({ "error": "the program has ended; start it, and run this command again", "code": 3 });
    assert_eq!(run.end().await, (Ok(3), format!("{expected}\n")));
}

#[tokio::test]
async fn a_run_whose_program_ends_before_its_report_says_so() {
    let mut console = Scripted::start();
    let run = Following::at(console.path(), &["run"]);
    let events = console.run_with_text().await;
    events.send(idle()).await;
    console.call("GET /v1/sessions/1").await.refuse(503, "the program is shutting down");
    let expected = "syncmgr: the program has ended; start it, and run this command again\n";
    assert_eq!(run.end().await, (Ok(3), expected.to_owned()));
}

#[tokio::test]
async fn a_user_who_is_lost_is_there_again() {
    let mut console = Scripted::start();
    let run = Following::at(console.path(), &["run", "--choose"]);
    drop(console.stream(ASKING).await);
    let events = console.run_with_text().await;
    let _asking = console.stream(ASKING).await;
    // A question may have been asked meanwhile.
    console.answer(QUESTIONS, json!({ "questions": [] })).await;
    events.send(idle()).await;
    console.report().await;
    assert_eq!(run.end().await, (Ok(0), String::new()));
}

#[tokio::test]
async fn the_streams_are_read_while_the_user_answers() {
    let mut console = Scripted::start();
    let mut run = Following::at(console.path(), &["run", "--choose", "--json"]);
    let asking = console.stream(ASKING).await;
    let events = console.run().await;
    let change = json!({ "event": "changed", "what": ["questions"] });
    asking.send(change).await;
    let question = json!({ "question": 7, "asker": "Mail", "text": "Sure?", "kind": "confirm" });
    console.answer(QUESTIONS, json!({ "questions": [question] })).await;
    let mut asked = BufReader::new(run.child.stderr.as_mut().unwrap());
    assert_eq!(asked.read_until(b']', &mut Vec::new()).await.unwrap(), "Mail: Sure? [y/N]".len());
    // More than the buffers of a connection.
    let long = "x".repeat(64 * 1024);
    for _ in 0..64 {
        events.send(logged(&long)).await;
        asking.send(json!({ "event": "changed", "what": ["sessions"], "text": long })).await;
    }
    run.child.stdin.take().unwrap().write_all(b"y\n").await.unwrap();
    console.answer("POST /v1/questions/7", Value::Null).await;
    console.answer(QUESTIONS, json!({ "questions": [] })).await;
    events.send(idle()).await;
    for _ in 0..64 {
        assert_eq!(text(&run.line().await), *long);
    }
    console.report().await;
    assert!(run.line().await.contains("\"report\""));
    assert_eq!(run.end().await.0, Ok(0));
}

#[tokio::test]
async fn a_run_ends_with_its_session_though_a_question_is_open() {
    let mut console = Scripted::start();
    let mut run = Following::at(console.path(), &["run", "--choose", "--json"]);
    let asking = console.stream(ASKING).await;
    let events = console.run().await;
    asking.send(json!({ "event": "changed", "what": ["questions"] })).await;
    let question = json!({ "question": 7, "asker": "Mail", "text": "Sure?", "kind": "confirm" });
    console.answer(QUESTIONS, json!({ "questions": [question] })).await;
    let mut asked = BufReader::new(run.child.stderr.as_mut().unwrap());
    assert_eq!(asked.read_until(b']', &mut Vec::new()).await.unwrap(), "Mail: Sure? [y/N]".len());
    events.send(logged("one")).await;
    events.send(idle()).await;
    assert_eq!(text(&run.line().await), "one");
    console.report().await;
    assert!(run.line().await.contains("\"report\""));
    assert_eq!(run.end().await.0, Ok(0));
}

#[tokio::test]
async fn a_second_ctrl_c_ends_a_run_whose_program_does_not_answer() {
    let mut console = Scripted::start();
    let run = Following::at(console.path(), &["run"]);
    let _events = console.run_with_text().await;
    run.interrupt();
    let _hangs = console.call("POST /v1/sessions/1/stop").await;
    run.interrupt();
    assert_eq!(run.end().await, (Ok(130), String::new()));
}

#[tokio::test]
async fn what_is_watched_goes_on_after_a_lost_stream() {
    let mut console = Scripted::start();
    let mut watch = Following::at(console.path(), &["watch"]);
    let events = console.stream("GET /v1/events?from=running").await;
    events.send(logged("one")).await;
    events.lose().await;
    let again = console.stream("GET /v1/events?from=running").await;
    again.send(logged("two")).await;
    assert_eq!([watch.line().await, watch.line().await], ["Mail: information: one", "Mail: information: two"]);
    drop(again);
    let (code, err) = watch.end().await;
    assert_eq!(code, Ok(3));
    assert!(err.starts_with("syncmgr: events may be missing here"), "{err}");
}

#[tokio::test]
async fn the_log_is_followed_after_a_lost_stream() {
    let mut console = Scripted::start();
    let mut log = Following::at(console.path(), &["log", "--follow"]);
    console.answer("GET /v1/handlers", json!({ "handlers": [] })).await;
    let events = console.stream("GET /v1/events?from=now").await;
    console.answer("GET /v1/handlers", json!({ "handlers": [] })).await;
    events.send(logged("one")).await;
    events.lose().await;
    let again = console.stream("GET /v1/events?from=now").await;
    again.send(logged("two")).await;
    for text in ["one", "two"] {
        assert!(log.line().await.ends_with(&format!("Mail: information: {text}")));
    }
    drop(again);
    let (code, err) = log.end().await;
    assert_eq!(code, Ok(3));
    assert!(err.starts_with("syncmgr: entries may be missing here"), "{err}");
}
