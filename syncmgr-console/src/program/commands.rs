//! The commands.

use std::process::ExitCode;

use serde_json::{Value, json};
use syncmgr_console::{Client, socket_path};

use super::act::{Done, act};
use super::args::{Args, Command};
use super::failure::Failure;
#[cfg(feature = "manual")]
use super::manual;
use super::output::{line, percent, safe, texts, time};
use super::web::{self, Show};
use super::{advice, log, names, run, schedule};

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
            let Done { answer, line: text } = act(&client, command).await?;
            match json {
                true => line(if answer.is_null() { json!({}) } else { answer }),
                false => line(text),
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
        Command::Log { .. } => log::print_all(&answer),
        Command::Explain { .. } => explain(client, &answer).await?,
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

/// Prints an explanation, the reason of the last failure, and what can be done.
async fn explain(client: &Client, answer: &Value) -> Result<(), Failure> {
    line(names::text(&answer["text"]));
    if !answer["reason"].is_null() {
        line(format_args!("  reason: {}", safe(&answer["reason"])));
    }
    for advice in advice::on(client, &answer["explanation"]).await? {
        line(format_args!("  {advice}"));
    }
    Ok(())
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

/// Prints a handler, why it failed, and how many questions are open.
fn handler(handler: &Value) {
    line(format_args!("  {}", names::text(&handler["text"])));
    if !handler["reason"].is_null() {
        line(format_args!("    reason: {}", safe(&handler["reason"])));
    }
    match handler["questions"].as_u64() {
        None | Some(0) => {}
        Some(1) => line("    1 question is open; `syncmgr log` shows it, with the command for each answer"),
        Some(questions) => line(format_args!(
            "    {questions} questions are open; `syncmgr log` shows them, with the command for each answer"
        )),
    }
}

fn status(overview: &Value) {
    if overview["paused"] == true {
        line("paused: nothing begins until `syncmgr resume`");
    }
    line("handlers:");
    overview["handlers"].as_array().into_iter().flatten().for_each(handler);
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
    let items = if items.is_empty() { String::new() } else { format!(", {}", items.join(", ")) };
    let names: Vec<_> = session["handler_names"].as_array().into_iter().flatten().map(safe).collect();
    let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
    line(format_args!("{} session {}{of}: {outcome}{items}", time(&session["began"]), session["session"]));
}
