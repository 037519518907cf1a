//! A stream of server-sent events.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// A stream of events.
pub(crate) struct Events {
    body: Incoming,
    read: String,
}

/// One event with its raw data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) raw: String,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, read: String::new() }
    }

    /// Returns the next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let event = parse(event);
                self.read = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            self.read += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    }

    /// Reads up to the next event of this kind. If `about` is given, the event must have this item name or id.
    pub(crate) async fn until(&mut self, kind: &str, about: Option<&str>) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {kind}"));
            let is_about = |name: &str| ["name", "item"].iter().any(|field| event.data[field] == name);
            if event.kind == kind && about.is_none_or(is_about) {
                return event;
            }
        }
    }

    /// Reads all events until the stream ends.
    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(event: &str) -> Event {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
    let raw = field("data").to_owned();
    Event { kind: field("event").to_owned(), data: serde_json::from_str(&raw).unwrap(), raw }
}
