//! The tasks that talk to the program. Each sends messages for the model.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use syncmgr_console::{Client, Events};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use super::act::Act;
use super::event::Event;
use super::fetch;
use super::load::{Load, Part};
use super::model::Message;

/// The wait before a lost connection is tried again. A socket that appears cannot be waited for.
const RETRY: Duration = Duration::from_millis(500);

/// Passes on the events of the program, and connects again whenever the connection is lost, until the view ends.
pub(super) async fn watch(client: Client, messages: Sender<Message>) {
    let start = Instant::now();
    loop {
        if let Ok(events) = client.events("/v1/events?from=running&answers=true").await {
            if messages.send(Message::Connected).await.is_err() {
                return;
            }
            pass_on(events, start, &messages).await;
        }
        if messages.send(Message::Lost).await.is_err() {
            return;
        }
        sleep(RETRY).await;
    }
}

/// Passes on events until the connection is lost.
async fn pass_on(mut events: Events, start: Instant, messages: &Sender<Message>) {
    while let Ok(Some(event)) = events.next::<Event>().await {
        if messages.send(Message::Event(event, start.elapsed())).await.is_err() {
            return;
        }
    }
}

/// Loads parts of the model.
pub(super) async fn load(client: Client, parts: BTreeSet<Part>, messages: Sender<Message>) {
    let loaded = Message::Loaded(Load { today: today(), ..fetch::load(&client, parts).await });
    // Fails once the view has ended.
    let _ = messages.send(loaded).await;
}

/// Returns the date in UTC.
#[expect(clippy::disallowed_methods, reason = "the date of the user who looks at the screen")]
fn today() -> String {
    jiff::Timestamp::now().strftime("%F").to_string()
}

/// Sends the requests of an action.
pub(super) async fn act(client: Client, act: Act, messages: Sender<Message>) {
    let (mut done, mut problem) = (None, None);
    for (path, body) in &act.requests {
        match client.post::<Value>(path, body).await {
            Ok(answer) => done = Some(answer["text"].as_str().map(str::to_owned)),
            Err(error) => problem = Some(error),
        }
    }
    let result = match (done, problem) {
        (None, Some(problem)) => Err(format!("{}: {problem}", act.name)),
        (done, _) => Ok(done.flatten()),
    };
    let _ = messages.send(Message::Done(result)).await;
}
