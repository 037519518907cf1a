//! The log.

use std::collections::HashSet;
use std::mem;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde_json::{Value, json};
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::log::Question;
use syncmgr_console::Client;

use super::entries::{self, Names};
use super::failure::Failure;
use super::names;
use super::output::{line, safe, time, warn};
use super::streams::is_lost;

/// The number of earlier entries that come before the new ones.
const EARLIER: usize = 10;

/// The events from now on.
const NEW: &str = "/v1/events?from=now";

/// Returns the entries of the log of a handler, or of all, with their handlers. The latest comes first.
pub(crate) async fn entries(client: &Client, handler: Option<&str>) -> Result<Value, Failure> {
    let all: Value = client.get("/v1/handlers").await?;
    let only = match handler {
        Some(handler) => Some(names::find_handler(client, handler).await?),
        None => None,
    };
    let mut entries = Vec::new();
    for handler in all["handlers"].as_array().into_iter().flatten() {
        let id = handler["handler"].as_str().unwrap_or_default();
        if only.as_deref().is_some_and(|only| only != id) {
            continue;
        }
        let mut log: Value = client.get(&format!("/v1/handlers/{id}/log")).await?;
        for entry in log["log"].as_array_mut().into_iter().flatten() {
            (entry["handler"], entry["handler_name"]) = (id.into(), handler["name"].clone());
            entries.push(entry.take());
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry["time"].as_u64()));
    Ok(entries.into())
}

/// Opens an entry.
pub(crate) async fn open(client: &Client, entry: &str) -> Result<Value, Failure> {
    let record = entries::find(client, entry).await?;
    Ok(client.post(&format!("{}/show", entries::path(&record)), &Value::Null).await?)
}

/// Answers the question of an entry with the choice that has this number, from 1.
pub(crate) async fn answer(client: &Client, entry: &str, number: u32) -> Result<Value, Failure> {
    let record = entries::find(client, entry).await?;
    let choices = record["entry"]["action"]["decide"]["choices"].as_array().map_or(0, Vec::len);
    if choices > 0 && number as usize > choices {
        return Err(Failure::NoSuchChoice { number, choices });
    }
    let mut body = json!({ "choice": number.saturating_sub(1) });
    if let Some(revision) = record.get("revision") {
        body["revision"] = revision.clone();
    }
    Ok(client.post(&format!("{}/answer", entries::path(&record)), &body).await?)
}

/// Prints the last entries, and then new ones until the program ends.
pub(crate) async fn follow(client: &Client, handler: Option<&str>, json: bool) -> Result<(), Failure> {
    let only = match handler {
        Some(handler) => Some(names::find_handler(client, handler).await?),
        None => None,
    };
    let read =
        async || Ok::<_, Failure>(entries(client, handler).await?.as_array_mut().map(mem::take).unwrap_or_default());
    let before: HashSet<_> = read().await?.iter().map(Value::to_string).collect();
    let mut events = client.events(NEW).await?;
    let now = read().await?;
    let mut known = Names::of(&now);
    now.iter().take(EARLIER).rev().for_each(|record| show(record, &known, json));
    // Those of them that are among the events, too.
    let mut shown: HashSet<_> = now.iter().filter(|record| !before.contains(&record.to_string())).map(key).collect();
    loop {
        let event: Value = events.next().await.map_err(Failure::of_stream)?.ok_or(Failure::Ended)?;
        if is_lost(&event) {
            warn("entries may be missing here, because the output was not read; `syncmgr log` shows all", json);
            events = client.events(NEW).await.map_err(Failure::of_stream)?;
        } else if event["event"] == "logged"
            && only.as_ref().is_none_or(|only| event["handler"] == **only)
            && !shown.remove(&key(&event))
        {
            let record = record_of(event);
            known.add(&record);
            show(&record, &known, json);
        }
    }
}

/// Returns what an entry has in common with its event.
fn key(entry: &Value) -> String {
    json!(["session", "handler", "entry"].map(|key| &entry[key])).to_string()
}

/// Returns the record of an event of the log, which has just happened.
fn record_of(mut event: Value) -> Value {
    let now = SystemClock::default().now().wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut record = json!({ "time": u64::try_from(now.as_millis()).unwrap_or(u64::MAX) });
    for key in ["session", "handler", "handler_name", "name", "entry"] {
        record[key] = event[key].take();
    }
    if let Ok(question) = Question::deserialize(&record["entry"]["action"]["decide"]) {
        record["revision"] = question.revision().into();
    }
    record
}

fn show(record: &Value, known: &Names, json: bool) {
    if json { line(record) } else { print(record, known) }
}

/// Prints entries, with names that are different among them.
pub(crate) fn print_all(records: &Value) {
    let records = records.as_array().map(Vec::as_slice).unwrap_or_default();
    let known = Names::of(records);
    records.iter().for_each(|record| print(record, &known));
}

/// Prints an entry, and the commands that act on it.
fn print(record: &Value, known: &Names) {
    let entry = &record["entry"];
    let (when, level, text) = (time(&record["time"]), safe(&entry["level"]), safe(&entry["text"]));
    let name = if record["name"].is_null() { String::new() } else { format!("/{}", safe(&record["name"])) };
    line(format_args!("{when} {}{name}: {level}: {text}", safe(&record["handler_name"])));
    let Some(id) = known.name(record) else { return };
    match entry["action"]["decide"]["choices"].as_array() {
        Some(choices) => {
            for (number, choice) in choices.iter().enumerate() {
                line(format_args!("    syncmgr answer {id} {}: {}", number + 1, safe(choice)));
            }
        }
        None if entry["action"].is_null() => {}
        None => line(format_args!("    syncmgr show {id}")),
    }
}
