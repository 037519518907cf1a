//! Streams of events that are opened again if the program has ended them because they were not read.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syncmgr_console::{Client, Events};

use super::failure::Failure;

/// What has changed. While it is read, handlers may ask.
const CHANGES: &str = "/v1/changes?answers=true";

/// Returns `true` for the last event of a stream that was not read in time.
pub(crate) fn is_lost(event: &Value) -> bool {
    event["event"] == "lost"
}

/// The events of a session until it is idle, each one once.
pub(crate) struct SessionEvents<'a> {
    client: &'a Client,
    path: String,
    events: Option<Events>,
    /// Of each handler, the number of events of this stream, and of all streams. The order of events is that of their handler only, and
    /// progress is not counted, because it is sampled.
    counts: BTreeMap<String, (usize, usize)>,
}

impl<'a> SessionEvents<'a> {
    pub(crate) fn new(client: &'a Client, session: &str) -> Self {
        Self { client, path: format!("{session}/events"), events: None, counts: BTreeMap::new() }
    }

    /// Returns the next event, or `None` once the session is idle. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            let Some(events) = &mut self.events else {
                self.events = Some(self.client.events(&self.path).await.map_err(Failure::of_stream)?);
                self.counts.values_mut().for_each(|(read, _)| *read = 0);
                continue;
            };
            let event: Value = events.next().await.map_err(Failure::of_stream)?.ok_or(Failure::Ended)?;
            if is_lost(&event) {
                self.events = None;
            } else if event["event"] == "idle" {
                return Ok(None);
            } else if self.is_new(&event) {
                return Ok(Some(event));
            }
        }
    }

    fn is_new(&mut self, event: &Value) -> bool {
        let (read, of_all) = self.counts.entry(event["handler"].to_string()).or_default();
        if event["event"] == "progress" {
            return read == of_all;
        }
        *read += 1;
        let is_new = *read > *of_all;
        *of_all = (*read).max(*of_all);
        is_new
    }
}

/// A user who answers the questions of the program.
pub(crate) struct Asking<'a> {
    client: &'a Client,
    changes: Option<Events>,
}

impl<'a> Asking<'a> {
    /// Lets handlers ask the user.
    pub(crate) async fn open(client: &'a Client) -> Result<Self, Failure> {
        Ok(Self { client, changes: Some(client.events(CHANGES).await?) })
    }

    /// Waits until the open questions may have changed. Cancel safe.
    pub(crate) async fn changed(&mut self) -> Result<(), Failure> {
        loop {
            let Some(changes) = &mut self.changes else {
                self.changes = Some(self.client.events(CHANGES).await.map_err(Failure::of_stream)?);
                // They may have changed while no stream was open.
                return Ok(());
            };
            match changes.next::<Value>().await.map_err(Failure::of_stream)? {
                Some(change) if concerns_questions(&change) => return Ok(()),
                Some(_) => {}
                None => self.changes = None,
            }
        }
    }
}

fn concerns_questions(change: &Value) -> bool {
    change["what"].as_array().is_some_and(|what| what.contains(&json!("questions")))
}
