//! A host that is killed.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use syncmgr_console::Events;

use crate::support::{Host, Place, within};

/// The number of files of the item `many`, which takes a while.
const MANY: usize = 4000;

impl Place {
    /// Runs until the item `photos` asks whether to delete what its FROM has lost.
    async fn ask(&self) {
        (0..12).for_each(|number| self.write(&format!("from/photos/{number}"), "text"));
        assert_eq!(self.client(&["run", "docs"]).await.0, 0);
        fs::remove_dir_all(self.path("from/photos")).expect("it was written");
        fs::create_dir(self.path("from/photos")).expect("the directory is writable");
        assert_eq!(self.client(&["run", "docs"]).await.0, 1);
    }

    /// Returns what a command shows.
    async fn shown(&self, command: &[&str]) -> String {
        let (code, out) = self.client(command).await;
        assert_eq!(code, 0, "{out}");
        out
    }

    fn copied(&self) -> usize {
        fs::read_dir(self.path("to/many")).map_or(0, Iterator::count)
    }
}

/// Reads events until one that fits.
async fn until(events: &mut Events, fits: impl Fn(&Value) -> bool) {
    while !fits(&within(events.next()).await.expect("the host serves").expect("the host runs")) {}
}

/// Waits until `many` has begun and has files in TO.
async fn copying(place: &Place, host: &Host<'_>, events: &mut Events) {
    until(events, |event| event["event"] == "began" && event["name"] == "many").await;
    while place.copied() == 0 {
        // Also gives the host time.
        host.api().get::<Value>("/v1").await.expect("the host serves");
    }
}

/// Copies `many` until the host is killed. Nothing of the handler is resumed before it is enabled again.
async fn kill_at_work(place: &Place, host: Host<'_>) {
    (0..MANY).for_each(|number| place.write(&format!("from/many/{number}"), "text"));
    let api = host.api();
    let mut events = api.events("/v1/events?from=now").await.expect("the host serves");
    api.post::<Value>("/v1/sessions", &json!({ "ask": false })).await.expect("the host serves");
    copying(place, &host, &mut events).await;
    let handlers: Value = api.get("/v1/handlers").await.expect("the host serves");
    let handler = handlers["handlers"][0]["handler"].as_str().expect("it has an id");
    api.post::<Value>(&format!("/v1/handlers/{handler}/disable"), &json!({})).await.expect("the host serves");
    host.signal(Signal::KILL);
    assert_eq!(host.end().await.0.code(), None);
}

#[tokio::test]
async fn a_host_that_is_killed_at_work_resumes_and_its_question_stays() {
    let place = Place::new("delete = \"guarded\"");
    let host = place.host().await;
    place.ask().await;
    let asked = place.log().await;
    kill_at_work(&place, host).await;
    assert!((1..MANY).contains(&place.copied()), "{}", place.copied());

    let host = place.host().await;
    let status = place.shown(&["status"]).await;
    assert!(status.contains("  docs: interrupted in session 3, disabled\n"), "{status}");
    let items = place.shown(&["items", "docs"]).await;
    assert!(items.contains("  many: interrupted in session 3"), "{items}");
    assert_eq!(place.log().await, asked);

    let mut events = host.api().events("/v1/events").await.unwrap();
    place.shown(&["enable", "docs"]).await;
    until(&mut events, |event| event["event"] == "idle" && event["session"] == 4).await;
    assert_eq!(place.copied(), MANY);
    let history = place.shown(&["history"]).await;
    assert!(history.contains("session 3 of docs: interrupted\n") && history.contains(" session 4"), "{history}");
    let log = place.log().await;
    let question = log[1].split(' ').nth(2).unwrap();
    assert!(place.shown(&["answer", question, "1"]).await.starts_with("answered: "), "{log:?}");
    Host::ended(&mut events, "photos").await;
    assert_eq!(place.read("to/photos/3"), None);
    assert_eq!(place.log().await, Vec::<String>::new());
}
