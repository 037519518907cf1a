//! Loads parts of the model from the program.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use syncmgr_console::{Client, ClientError};

use super::data::{Handler, Held, Item, Past, Planned, Question, Record};
use super::load::{Load, Loaded, Part};

/// The number of earlier sessions that are shown.
const SESSIONS: usize = 100;

#[derive(Deserialize)]
struct About {
    paused: bool,
}

#[derive(Deserialize)]
struct Questions {
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Handlers {
    handlers: Vec<Handler>,
}

#[derive(Deserialize)]
struct Agenda {
    agenda: Vec<Planned>,
}

#[derive(Deserialize)]
struct Waiting {
    held: Vec<Held>,
}

#[derive(Deserialize)]
struct History {
    sessions: Vec<Past>,
}

#[derive(Default, Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
struct Log {
    log: Vec<Record>,
}

/// Loads these parts. If the connection is lost, the others are left.
pub(super) async fn load(client: &Client, mut parts: BTreeSet<Part>) -> Load {
    let mut load = Load::default();
    while let Some(part) = parts.first().copied() {
        match load_one(client, part).await {
            Ok(loaded) => load.parts.push(loaded),
            Err(ClientError::NotServed { .. } | ClientError::Broken { .. }) => break,
            Err(error) => load.problem = Some(error.to_string()),
        }
        parts.remove(&part);
    }
    Load { left: parts, ..load }
}

async fn load_one(client: &Client, part: Part) -> Result<Loaded, ClientError> {
    Ok(match part {
        Part::About => Loaded::About(client.get::<About>("/v1").await?.paused),
        Part::Questions => Loaded::Questions(client.get::<Questions>("/v1/questions").await?.questions),
        Part::Handlers => Loaded::Handlers(client.get::<Handlers>("/v1/handlers").await?.handlers),
        Part::Agenda => {
            let agenda = client.get::<Agenda>("/v1/agenda").await?.agenda;
            Loaded::Agenda(agenda, client.get::<Waiting>("/v1/held").await?.held)
        }
        Part::History => {
            Loaded::History(client.get::<History>(&format!("/v1/history?limit={SESSIONS}")).await?.sessions)
        }
        Part::Items(id) => {
            Loaded::Items(id, or_none::<Items>(client, &format!("/v1/handlers/{id}/items")).await?.items)
        }
        Part::Log(id) => Loaded::Log(id, or_none::<Log>(client, &format!("/v1/handlers/{id}/log")).await?.log),
    })
}

/// Reads what belongs to a handler. Nothing, if the handler was unregistered meanwhile.
async fn or_none<T: Default + DeserializeOwned>(client: &Client, path: &str) -> Result<T, ClientError> {
    match client.get(path).await {
        Err(ClientError::Refused { status: 404, .. }) => Ok(T::default()),
        answer => answer,
    }
}
