//! Commands that do something.

use serde_json::{Value, json};
use syncmgr::text::Escaped;
use syncmgr_console::{Client, ClientError};

use super::args::Command;
use super::failure::Failure;
use super::log;
#[cfg(feature = "manual")]
use super::manual;
use super::names::{self, Names};

/// What was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// The answer of the program, if there is one.
    pub(crate) answer: Value,
    /// What to tell the user.
    pub(crate) line: String,
}

impl Done {
    fn new(answer: Value, line: impl Into<String>) -> Self {
        Self { answer, line: line.into() }
    }
}

/// Does something.
pub(crate) async fn act(client: &Client, command: Command) -> Result<Done, Failure> {
    match command {
        Command::Pause => post(client, "/v1/pause", Value::Null, "paused: nothing begins until `syncmgr resume`").await,
        Command::Resume => post(client, "/v1/resume", Value::Null, "resumed").await,
        Command::Stop { what } => stop(client, what.as_deref()).await,
        Command::Skip { item } => skip(client, &item).await,
        Command::Choose { items } => choose(client, &items, "checked", "chosen").await,
        Command::Unchoose { items } => {
            choose(client, &items, "unchecked", "left out of sessions that do not name it").await
        }
        Command::Disable { what, reason } => {
            let line = format!("disabled until `syncmgr enable {what}`", what = Escaped(&what));
            set_enabled(client, &what, "disable", json!({ "reason": reason }), line).await
        }
        Command::Enable { what } => {
            set_enabled(client, &what, "enable", json!({}), format!("enabled: {}", Escaped(&what))).await
        }
        Command::Properties { what } => {
            let path = format!("{}/properties", names::find(client, &what).await?.path());
            post(client, &path, Value::Null, "the properties are closed").await
        }
        Command::Forget { what } => forget(client, &what).await,
        Command::Show { entry } => {
            let answer = log::open(client, &entry).await?;
            let line = names::text(&answer["text"]).to_owned();
            Ok(Done::new(answer, line))
        }
        Command::Answer { entry, choice } => {
            let answer = log::answer(client, &entry, choice).await?;
            let line = format!("answered: the item runs again in session {}", answer["session"]);
            Ok(Done::new(answer, line))
        }
        #[cfg(feature = "manual")]
        Command::Man { directory } => {
            let written = manual::write_man(&directory)?;
            Ok(Done::new(written, format!("the man pages are in {}", Escaped(&directory.to_string_lossy()))))
        }
        _ => Ok(Done::new(Value::Null, "")),
    }
}

async fn post(client: &Client, path: &str, body: Value, line: impl Into<String>) -> Result<Done, Failure> {
    Ok(Done::new(client.post(path, &body).await?, line))
}

async fn forget(client: &Client, what: &str) -> Result<Done, Failure> {
    let named = names::find(client, what).await?;
    client.delete(&named.path()).await?;
    let what = Escaped(what);
    let line = match named.item {
        Some(_) => format!("forgotten: the next run of {what} begins anew"),
        None => format!(
            "forgotten: {what} does not run until the program registers it again; `syncmgr host` does at SIGHUP"
        ),
    };
    Ok(Done::new(Value::Null, line))
}

/// Returns the numbers of the sessions that run.
async fn running(client: &Client) -> Result<Vec<u64>, Failure> {
    let sessions: Value = client.get("/v1/sessions").await?;
    let sessions = sessions["sessions"].as_array().into_iter().flatten();
    Ok(sessions.filter(|of| of["state"] == "running").filter_map(|of| of["session"].as_u64()).collect())
}

/// Stops all sessions, the runs of a handler, or the session with this number.
async fn stop(client: &Client, what: Option<&str>) -> Result<Done, Failure> {
    let Some(text) = what else { return Ok(stopped("", in_sessions(client, "/stop").await?)) };
    match (names::find_handler(client, text).await, text.parse::<u64>()) {
        (Ok(handler), _) => {
            let sessions = in_sessions(client, &format!("/handlers/{handler}/stop")).await?;
            Ok(stopped(&format!("{} in ", Escaped(text)), sessions))
        }
        (Err(Failure::Unknown { .. }), Ok(session)) if running(client).await?.contains(&session) => {
            client.post::<Value>(&format!("/v1/sessions/{session}/stop"), &Value::Null).await?;
            Ok(stopped("", vec![session]))
        }
        (Err(Failure::Unknown { .. }), Ok(session)) => Err(Failure::NotRunning { text: format!("session {session}") }),
        (Err(failure), _) => Err(failure),
    }
}

fn stopped(what: &str, sessions: Vec<u64>) -> Done {
    let line = match sessions.is_empty() {
        true => "nothing was stopped, because nothing runs".to_owned(),
        false => format!("stopping {what}{}", numbered(&sessions)),
    };
    Done::new(json!({ "sessions": sessions }), line)
}

fn numbered(sessions: &[u64]) -> String {
    let numbers: Vec<_> = sessions.iter().map(u64::to_string).collect();
    format!("session{} {}", if sessions.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

async fn skip(client: &Client, text: &str) -> Result<Done, Failure> {
    let (handler, item) = Names::new(client).find_item_of(text).await?;
    let sessions = in_sessions(client, &format!("/handlers/{handler}/items/{item}/skip")).await?;
    let text = Escaped(text).to_string();
    match sessions.is_empty() {
        true => Err(Failure::NotRunning { text }),
        false => {
            let line = format!("skipping {text} in {}", numbered(&sessions));
            Ok(Done::new(json!({ "sessions": sessions }), line))
        }
    }
}

/// Requests something of each running session. Returns those that have the handler or item.
async fn in_sessions(client: &Client, path: &str) -> Result<Vec<u64>, Failure> {
    let mut concerned = Vec::new();
    for session in running(client).await? {
        match client.post::<Value>(&format!("/v1/sessions/{session}{path}"), &Value::Null).await {
            Ok(_) => concerned.push(session),
            // It does not have it, or the item has ended in it.
            Err(ClientError::Refused { status: 404 | 409, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(concerned)
}

async fn choose(client: &Client, items: &[String], state: &str, done: &str) -> Result<Done, Failure> {
    let (mut names, mut found) = (Names::new(client), Vec::new());
    // All are found before the first is chosen.
    for item in items {
        found.push(names.find_item_of(item).await?);
    }
    for (handler, item) in found {
        let body = json!({ "items": [item], "state": state });
        client.post::<Value>(&format!("/v1/handlers/{handler}/choice"), &body).await?;
    }
    let items: Vec<_> = items.iter().map(|item| Escaped(item).to_string()).collect();
    Ok(Done::new(Value::Null, format!("{done}: {}", items.join(", "))))
}

async fn set_enabled(client: &Client, what: &str, verb: &str, mut body: Value, line: String) -> Result<Done, Failure> {
    let named = names::find(client, what).await?;
    if let Some(item) = named.item {
        body["items"] = json!([item]);
    }
    post(client, &format!("/v1/handlers/{}/{verb}", named.handler), body, line).await
}
