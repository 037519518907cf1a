//! Questions of handlers, and the choice of items, through the console.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use syncmgr::prelude::*;
use syncmgr_console::{Client, ClientError, Console, Events, Questions, Serving};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::ask::ask;

/// A handler that asks each kind of question, and notes the answers.
#[derive(Clone, Default)]
struct Asking {
    answers: Arc<Mutex<Vec<String>>>,
}

#[sync_handler(id = "b6a04c1d-31f5-4f6e-9d0a-0b7f1c2e8a54", name = "Asking", capabilities(cancellable))]
impl SyncHandler for Asking {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["door", "mail"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        ask(item, &self.answers).await
    }
}

struct Host {
    handler: Asking,
    client: Client,
    _console: Serving,
    _folder: TempDir,
}

impl Host {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a directory for temporary files");
        let (questions, handler) = (Questions::new(), Asking::default());
        let builder = SyncManager::builder().interaction(questions.clone()).chooser(questions.clone());
        let manager = builder.build();
        manager.register(handler.clone()).expect("the handler is new");
        let path = folder.path().join("run/test.sock");
        let console = Console::new(&manager).at(&path).with_questions(questions).start().expect("the socket is free");
        Self { handler, client: Client::new(path), _console: console, _folder: folder }
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(path).await.expect(path)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.client.post(path, &body).await.expect(path)
    }

    /// Connects as a user who can answer.
    async fn user(&self) -> Events {
        self.client.events("/v1/events?answers=true").await.expect("the console is served")
    }

    /// Waits for the next question.
    async fn asked(&self, events: &mut Events) -> Value {
        loop {
            let event: Value = events.next().await.expect("the connection holds").expect("the console goes on");
            let open = self.get("/v1/questions").await;
            if event["event"] == "questions" && open["questions"][0].is_object() {
                return open["questions"][0].clone();
            }
        }
    }

    async fn reply(&self, asked: &Value, answer: Value) {
        self.post(&format!("/v1/questions/{}", asked["question"]), answer).await;
    }

    /// Returns the status with which an answer is refused.
    async fn refused(&self, asked: &Value, answer: Value) -> u16 {
        match self.client.post::<Value>(&format!("/v1/questions/{}", asked["question"]), &answer).await {
            Err(ClientError::Refused { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the end of a session, and returns its report.
    async fn report(&self, session: u64) -> Value {
        let mut events = self.client.events(&format!("/v1/sessions/{session}/events")).await.expect("it is open");
        while events.next::<Value>().await.expect("the connection holds").expect("it goes on")["event"] != "idle" {}
        self.get(&format!("/v1/sessions/{session}")).await["report"].clone()
    }
}

#[tokio::test]
async fn the_user_chooses_the_items_and_answers_their_questions() {
    let host = Host::start();
    let mut user = host.user().await;
    let session = host.post("/v1/sessions", json!({ "ask": true })).await["session"].as_u64().unwrap();
    let choice = host.asked(&mut user).await;
    let offered = &choice["kind"]["items"]["handlers"][0];
    let (handler, items) = (offered["handler"].as_str().unwrap(), offered["items"].as_array().unwrap());
    assert_eq!(items.iter().map(|item| item["name"].as_str().unwrap()).collect::<Vec<_>>(), ["door", "mail"]);
    host.reply(&choice, json!({ "items": { handler: [items[0]["item"]] } })).await;
    let door = host.asked(&mut user).await;
    assert_eq!((&door["asker"], &door["text"]), (&json!("Asking: door"), &json!("Which door?")));
    host.reply(&door, json!({ "choice": 1 })).await;
    let report = host.report(session).await;
    assert_eq!((&report["success"], report["handlers"][0]["items"].as_array().map(Vec::len)), (&json!(true), Some(1)));
    assert_eq!(*host.handler.answers.lock().unwrap(), ["Some(1)"]);
}

#[tokio::test]
async fn a_secret_reaches_the_handler_and_nothing_else() {
    let host = Host::start();
    let (mut user, mail) = (host.user().await, ItemId::from_name("mail"));
    let handler = host.get("/v1/handlers").await["handlers"][0]["handler"].as_str().unwrap().to_owned();
    let request = json!({ "items": { &handler: [mail] }, "ask": true });
    let session = host.post("/v1/sessions", request).await["session"].as_u64().unwrap();
    let mut asked = host.asked(&mut user).await;
    if asked["kind"]["items"].is_object() {
        host.reply(&asked, json!({ "items": { &handler: [mail] } })).await;
        asked = host.asked(&mut user).await;
    }
    assert_eq!(asked["kind"], "secret");
    assert_eq!(host.refused(&asked, json!({ "confirm": true })).await, 400);
    host.reply(&asked, json!({ "secret": "open sesame" })).await;
    let report = host.report(session).await;
    assert!(report["success"] == true && !report.to_string().contains("sesame"), "{report}");
    assert_eq!(*host.handler.answers.lock().unwrap(), ["open sesame"]);
    assert_eq!(host.refused(&asked, json!({ "secret": "x" })).await, 404);
}

#[tokio::test]
async fn while_nobody_is_there_an_item_that_asks_needs_the_user() {
    let host = Host::start();
    let session = host.post("/v1/sessions", json!({ "ask": true })).await["session"].as_u64().unwrap();
    let report = host.report(session).await;
    let outcomes: Vec<_> =
        report["handlers"][0]["items"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["needs_user", "needs_user"]);
    assert!(report.to_string().contains("no user has answered"), "{report}");
    assert!(host.handler.answers.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_withdrawn_when_its_session_stops() {
    let host = Host::start();
    let mut user = host.user().await;
    let session = host.post("/v1/sessions", json!({ "ask": true })).await["session"].as_u64().unwrap();
    host.asked(&mut user).await;
    host.post(&format!("/v1/sessions/{session}/stop"), Value::Null).await;
    host.report(session).await;
    assert_eq!(host.get("/v1/questions").await["questions"], json!([]));
}

#[tokio::test]
async fn the_program_asks_in_the_terminal() {
    let host = Host::start();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_syncmgr"));
    let program = program.arg("--socket").arg(host.client.path()).args(["run", "--choose"]);
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut program = program.spawn().unwrap();
    program.stdin.take().unwrap().write_all(b"1\n2\n").await.unwrap();
    let output = program.wait_with_output().await.unwrap();
    let [out, asked] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success() && out.starts_with("Asking/door: succeeded\n"), "{out}");
    for line in ["  2 [x] Asking/mail\n", "Asking: door: Which door?\n  1 left\n  2 right\n"] {
        assert!(asked.contains(line), "{line}: {asked}");
    }
    assert_eq!(*host.handler.answers.lock().unwrap(), ["Some(1)"]);
}

/// Runs `syncmgr run --choose` with this input, which then ends. Returns the exit code and both outputs.
async fn chosen_with(host: &Host, input: &[u8]) -> (Option<i32>, String, String) {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_syncmgr"));
    let program = program.arg("--socket").arg(host.client.path()).args(["run", "--choose"]);
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut program = program.spawn().expect("the program exists");
    let mut to_program = program.stdin.take().expect("it is piped");
    to_program.write_all(input).await.expect("the program reads");
    drop(to_program);
    let output = program.wait_with_output().await.expect("the program ends");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("the output is UTF-8"));
    (output.status.code(), out, err)
}

const NO_ANSWER: &str = "syncmgr: the input has ended without an answer, so that nothing was answered; \
                         answer each question with a line, or leave out `--choose`\n";

#[tokio::test]
async fn the_end_of_the_input_chooses_no_items() {
    let host = Host::start();
    let (code, out, err) = chosen_with(&host, b"").await;
    assert!(code == Some(1) && err.ends_with(NO_ANSWER) && !out.contains("succeeded"), "{code:?} {out}{err}");
    assert!(host.handler.answers.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_end_of_the_input_answers_no_question() {
    let host = Host::start();
    let (code, out, err) = chosen_with(&host, b"1-2\n").await;
    assert!(code == Some(1) && err.ends_with(NO_ANSWER), "{code:?} {out}{err}");
    let mut answers = host.handler.answers.lock().unwrap().clone();
    answers.sort_unstable();
    assert_eq!(answers, ["", "None"]);
}

#[tokio::test]
async fn ctrl_c_leaves_a_question_and_stops_the_session() {
    let host = Host::start();
    let mut events = host.client.events("/v1/events").await.unwrap();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_syncmgr"));
    let program = program.arg("--socket").arg(host.client.path()).args(["run", "--choose"]);
    let program = program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut program = program.spawn().unwrap();
    let _open = program.stdin.take();
    let mut asked = BufReader::new(program.stderr.take().unwrap()).lines();
    while !asked.next_line().await.unwrap().unwrap().ends_with("Asking/mail") {}
    let id = Pid::from_raw(program.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(program.wait().await.unwrap().code(), Some(130));
    while events.next::<Value>().await.unwrap().unwrap()["event"] != "idle" {}
}
