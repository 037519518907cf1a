//! The commands.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use syncmgr::schedule::OverrideError;
use syncmgr_console::{Client, ClientError, socket_path};

use super::args::{Args, Command};
use super::log;
#[cfg(feature = "manual")]
use super::manual;
use super::names;
use super::output::{line, percent, safe, texts, time};
use super::web::{self, Show};
use super::{run, schedule};

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("there is no {text}; {advice}")]
    Unknown { text: String, advice: &'static str },
    #[error("{text} is not running; `syncmgr status` shows what runs")]
    NotRunning { text: String },
    #[error("the question has {choices} choices, and no number {number}; `syncmgr log` shows them")]
    NoSuchChoice { number: u32, choices: usize },
    #[error("the program has ended; start it, and run this command again")]
    Ended,
    #[error("the page cannot be opened: {0}; use `syncmgr web --print`, and open the address in a browser")]
    Browser(#[source] io::Error),
    #[error("{} was not written by `syncmgr web`; move it away, or use `syncmgr web --print`", .0.display())]
    Foreign(PathBuf),
    #[error(transparent)]
    Invalid(#[from] OverrideError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    pub(crate) fn unknown(text: &str, advice: &'static str) -> Self {
        Self::Unknown { text: syncmgr::text::Escaped(text).to_string(), advice }
    }

    /// Returns the failure of a stream, or of opening it again. A program that is killed breaks it.
    pub(crate) fn of_stream(error: ClientError) -> Self {
        match error {
            ClientError::Broken { .. } | ClientError::NotServed { .. } => Self::Ended,
            error => error.into(),
        }
    }

    /// Returns the exit code for scripts.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Client(ClientError::NotServed { .. } | ClientError::Broken { .. }) | Self::Ended => 3,
            Self::Client(ClientError::Refused { .. }) | Self::Unknown { .. } => 4,
            Self::NotRunning { .. } | Self::NoSuchChoice { .. } => 4,
            Self::Invalid(_) => 2,
            _ => 1,
        }
    }
}

/// Performs the command.
pub(crate) async fn perform(args: Args) -> Result<ExitCode, Failure> {
    let json = args.json;
    let client = Client::new(args.socket.unwrap_or_else(|| socket_path("syncmgr")));
    let Some(command) = args.command else {
        #[cfg(feature = "view")]
        return super::view::show(client).await;
        #[cfg(not(feature = "view"))]
        return Ok(ExitCode::FAILURE);
    };
    match command {
        Command::Run { what, force, choose } => {
            return run::run(&client, run::Request { what, force, choose }, json).await;
        }
        Command::Watch => run::watch(&client, json).await?,
        Command::Log { handler, follow: true } => log::follow(&client, handler.as_deref(), json).await?,
        Command::Schedule(change) => schedule::schedule(&client, &change, json).await?,
        Command::Web { print, open } => web::web(&client, Show::of(print, open), json).await?,
        #[cfg(feature = "manual")]
        Command::Completions { shell } if json => line(json!({ "script": manual::completions(shell) })),
        #[cfg(feature = "manual")]
        Command::Completions { shell } => line(manual::completions(shell).trim_end()),
        command if is_query(&command) => query(&client, command, json).await?,
        command => {
            let shows = matches!(command, Command::Show { .. });
            let answer = act(&client, command).await?;
            if json {
                line(if answer.is_null() { json!({}) } else { answer });
            } else if shows {
                line(answer["text"].as_str().unwrap_or_default());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is_query(command: &Command) -> bool {
    use Command::{Agenda, Explain, Held, History, Items, Log, Status};
    matches!(command, Agenda | Explain { .. } | Held | History { .. } | Items { .. } | Log { .. } | Status)
}

/// Shows something.
async fn query(client: &Client, command: Command, json: bool) -> Result<(), Failure> {
    let answer = ask(client, &command).await?;
    if json {
        line(&answer);
        return Ok(());
    }
    match command {
        Command::Status => status(&answer),
        Command::Items { .. } => texts(&answer["items"]),
        Command::Log { .. } => answer.as_array().into_iter().flatten().for_each(log::print),
        Command::Explain { .. } => line(answer["text"].as_str().unwrap_or_default()),
        Command::Agenda => of_handlers(&answer["agenda"]),
        Command::Held => of_handlers(&answer["held"]),
        _ => answer["sessions"].as_array().into_iter().flatten().for_each(session),
    }
    Ok(())
}

/// Asks the program for what a command shows.
async fn ask(client: &Client, command: &Command) -> Result<Value, Failure> {
    let path = match command {
        Command::Status => return overview(client).await,
        Command::Log { handler, .. } => return log::entries(client, handler.as_deref()).await,
        Command::Items { handler } => format!("/v1/handlers/{}/items", names::find_handler(client, handler).await?),
        Command::Explain { what } => names::find(client, what).await?.path(),
        Command::History { limit } => format!("/v1/history?limit={limit}"),
        Command::Held => "/v1/held".to_owned(),
        _ => "/v1/agenda".to_owned(),
    };
    Ok(client.get(&path).await?)
}

async fn overview(client: &Client) -> Result<Value, Failure> {
    let (handlers, agenda): (Value, Value) = (client.get("/v1/handlers").await?, client.get("/v1/agenda").await?);
    let (sessions, held): (Value, Value) = (client.get("/v1/sessions").await?, client.get("/v1/held").await?);
    let (about, questions): (Value, Value) = (client.get("/v1").await?, client.get("/v1/questions").await?);
    let mut running = Vec::new();
    for session in sessions["sessions"].as_array().into_iter().flatten().filter(|of| of["state"] == "running") {
        running.push(client.get::<Value>(&format!("/v1/sessions/{}", session["session"])).await?);
    }
    Ok(json!({
        "paused": about["paused"], "handlers": handlers["handlers"], "running": running,
        "questions": questions["questions"], "agenda": agenda["agenda"], "held": held["held"],
    }))
}

fn status(overview: &Value) {
    if overview["paused"] == true {
        line("paused: nothing begins until `syncmgr resume`");
    }
    line("handlers:");
    texts(&overview["handlers"]);
    for session in overview["running"].as_array().into_iter().flatten() {
        let items = session["progress"].as_array().map(Vec::as_slice).unwrap_or_default();
        let items_word = if items.len() == 1 { "item" } else { "items" };
        line(format_args!("session {} runs {} {items_word}:", session["session"], items.len()));
        for item in items {
            let done = percent(&item["progress"]).map_or_else(String::new, |percent| format!(": {percent}%"));
            let handler = names::name_of(&overview["handlers"], &item["handler"]);
            line(format_args!("  {}/{}{done}", safe(handler), safe(&item["name"])));
        }
    }
    for question in overview["questions"].as_array().into_iter().flatten() {
        line(format_args!("{} asks: {}", safe(&question["asker"]), safe(&question["text"])));
        line("  answer on the page (`syncmgr web`) or in the full-screen view (`syncmgr`)");
    }
    if overview["agenda"].as_array().is_some_and(|agenda| !agenda.is_empty()) {
        line("next:");
        of_handlers(&overview["agenda"]);
    }
}

/// Prints the texts of entries, each with the name of its handler.
fn of_handlers(entries: &Value) {
    for entry in entries.as_array().into_iter().flatten() {
        line(format_args!("  {}: {}", safe(&entry["handler_name"]), entry["text"].as_str().unwrap_or_default()));
    }
}

/// Prints an earlier session.
fn session(session: &Value) {
    let outcome = if session["end"].is_null() { "running".to_owned() } else { safe(&session["end"]["outcome"]) };
    let items = session["end"]["items"].as_object().into_iter().flatten();
    let items: Vec<_> = items.map(|(outcome, count)| format!("{count} {outcome}")).collect();
    let items = if items.is_empty() { String::new() } else { format!(": {}", items.join(", ")) };
    line(format_args!("{} session {} {outcome}{items}", time(&session["began"]), session["session"]));
}

/// Does something, and returns the answer of the program, if there is one.
async fn act(client: &Client, command: Command) -> Result<Value, Failure> {
    match command {
        Command::Pause => post(client, "/v1/pause", Value::Null).await,
        Command::Resume => post(client, "/v1/resume", Value::Null).await,
        Command::Stop { handler } => stop(client, handler.as_deref()).await,
        Command::Skip { item } => skip(client, &item).await,
        Command::Choose { items } => choose(client, &items, "checked").await,
        Command::Unchoose { items } => choose(client, &items, "unchecked").await,
        Command::Disable { what, reason } => set_enabled(client, &what, "disable", json!({ "reason": reason })).await,
        Command::Enable { what } => set_enabled(client, &what, "enable", json!({})).await,
        Command::Properties { what } => {
            post(client, &format!("{}/properties", names::find(client, &what).await?.path()), Value::Null).await
        }
        Command::Forget { what } => {
            client.delete(&names::find(client, &what).await?.path()).await?;
            Ok(Value::Null)
        }
        Command::Show { entry } => log::open(client, &entry).await,
        Command::Answer { entry, choice } => log::answer(client, &entry, choice).await,
        #[cfg(feature = "manual")]
        Command::Man { directory } => Ok(manual::write_man(&directory)?),
        _ => Ok(Value::Null),
    }
}

async fn post(client: &Client, path: &str, body: Value) -> Result<Value, Failure> {
    Ok(client.post(path, &body).await?)
}

/// Returns the numbers of the sessions that run.
async fn running(client: &Client) -> Result<Vec<u64>, Failure> {
    let sessions: Value = client.get("/v1/sessions").await?;
    let sessions = sessions["sessions"].as_array().into_iter().flatten();
    Ok(sessions.filter(|of| of["state"] == "running").filter_map(|of| of["session"].as_u64()).collect())
}

async fn stop(client: &Client, handler: Option<&str>) -> Result<Value, Failure> {
    let of_handler = match handler {
        Some(handler) => format!("/handlers/{}", names::find_handler(client, handler).await?),
        None => String::new(),
    };
    Ok(json!({ "sessions": in_sessions(client, &format!("{of_handler}/stop")).await? }))
}

async fn skip(client: &Client, text: &str) -> Result<Value, Failure> {
    let (handler, item) = names::find_item_of(client, text).await?;
    let sessions = in_sessions(client, &format!("/handlers/{handler}/items/{item}/skip")).await?;
    match sessions.is_empty() {
        true => Err(Failure::NotRunning { text: syncmgr::text::Escaped(text).to_string() }),
        false => Ok(json!({ "sessions": sessions })),
    }
}

/// Requests something of each running session. Returns those that have the handler or item.
async fn in_sessions(client: &Client, path: &str) -> Result<Vec<u64>, Failure> {
    let mut concerned = Vec::new();
    for session in running(client).await? {
        match client.post::<Value>(&format!("/v1/sessions/{session}{path}"), &Value::Null).await {
            Ok(_) => concerned.push(session),
            Err(ClientError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(concerned)
}

async fn choose(client: &Client, items: &[String], state: &str) -> Result<Value, Failure> {
    for item in items {
        let (handler, item) = names::find_item_of(client, item).await?;
        post(client, &format!("/v1/handlers/{handler}/choice"), json!({ "items": [item], "state": state })).await?;
    }
    Ok(Value::Null)
}

async fn set_enabled(client: &Client, what: &str, verb: &str, mut body: Value) -> Result<Value, Failure> {
    let named = names::find(client, what).await?;
    if let Some(item) = named.item {
        body["items"] = json!([item]);
    }
    post(client, &format!("/v1/handlers/{}/{verb}", named.handler), body).await
}
