//! A host that is killed.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Host, Place};

#[tokio::test]
async fn a_killed_host_shows_the_interruption_and_resumes() {
    let place = Place::new("");
    let host = place.host().await;
    let api = host.api();
    // No item begins, so that the session is not over when the host is killed.
    api.post::<Value>("/v1/pause", &Value::Null).await.unwrap();
    let mut events = api.events("/v1/events").await.unwrap();
    api.post::<Value>("/v1/sessions", &json!({ "ask": false })).await.unwrap();
    while events.next::<Value>().await.unwrap().unwrap()["change"] != "synchronizing" {}
    host.signal(Signal::KILL);
    assert_eq!(host.end().await.0.code(), None);

    let host = place.host().await;
    let mut events = host.api().events("/v1/events").await.unwrap();
    while place.read("to/plans/plan").is_none() {
        Host::ended(&mut events, "plans").await;
    }
    let (_, history) = place.client(&["history"]).await;
    assert!(history.contains("session 1 of docs: interrupted"), "{history}");
}
