//! What a person can do about what holds a handler or an item.

use serde_json::Value;
use syncmgr_console::Client;

use super::failure::Failure;
use super::output::{safe, warn};

/// Returns what ends a hold. `None` if nothing needs to be done, or if the hold says it.
pub(crate) fn about(hold: &Value) -> Option<String> {
    if hold == "paused" {
        return Some("`syncmgr resume` lets items begin again".to_owned());
    }
    let session = hold["behind"]["session"].as_u64()?;
    Some(format!("`syncmgr stop {session}` ends session {session}"))
}

/// Returns what can be done about what an explanation says.
pub(crate) async fn on(client: &Client, explanation: &Value) -> Result<Vec<String>, Failure> {
    let holds = explanation["holds"].as_array().into_iter().flatten();
    let mut advice: Vec<_> = holds.filter_map(about).collect();
    if !explanation["next"]["when_answered"].is_null() {
        advice.push("`syncmgr log` shows the question, with the command for each answer".to_owned());
    }
    advice.extend(choice(client, explanation).await?);
    Ok(advice)
}

/// Returns what ends a choice of items that the session of the handler waits for.
async fn choice(client: &Client, explanation: &Value) -> Result<Option<String>, Failure> {
    let Some(session) = explanation["condition"]["running"]["session"].as_u64() else { return Ok(None) };
    let questions: Value = client.get("/v1/questions").await?;
    let offers = |question: &Value| question["kind"]["items"]["handlers"].as_array().cloned().unwrap_or_default();
    let mut offered = questions["questions"].as_array().into_iter().flatten().flat_map(offers);
    let waits = offered.any(|of| of["handler"] == explanation["handler"]);
    Ok(waits.then(|| format!("it waits until its items are chosen; `syncmgr stop {session}` ends session {session}")))
}

/// Says on standard error what holds the handlers of a session that has just begun.
pub(crate) async fn say_what_holds(client: &Client, session: &Value) -> Result<(), Failure> {
    let (about_all, held): (Value, Value) = (client.get("/v1").await?, client.get("/v1/held").await?);
    if about_all["paused"] == true {
        warn("paused: nothing begins until `syncmgr resume`", false);
    }
    for of in held["held"].as_array().into_iter().flatten().filter(|of| of["held"]["session"] == *session) {
        let hold = &of["held"]["hold"];
        if let Some(advice) = about(hold).filter(|_| hold != "paused") {
            warn(&format!("{}: {}; {advice}", safe(&of["handler_name"]), safe(&of["text"])), false);
        }
    }
    Ok(())
}
