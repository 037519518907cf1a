//! Streams of events.

use serde_json::{Value, json};
use syncmgr::Trigger;
use syncmgr::prelude::*;

use crate::support::Host;

#[tokio::test]
async fn every_client_sees_the_events_of_all_sessions() {
    let host = Host::start();
    let mut streams =
        [host.client.events("/v1/events").await.unwrap(), host.client.events("/v1/events").await.unwrap()];
    host.gate.add_permits(3);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    for events in &mut streams {
        let mut names = Vec::new();
        while names.len() < 3 {
            let event: Value = events.next().await.unwrap().unwrap();
            if event["event"] == "ended" {
                names.push(event["name"].clone());
            }
        }
        names.sort_by_key(ToString::to_string);
        assert_eq!(names, ["broken", "one", "two"]);
    }
}

/// Many items.
struct Large;

#[sync_handler(id = "6a2f4d2c-2f5f-4b8e-9f55-3a1d6b0c7e42", name = "Large")]
impl SyncHandler for Large {
    async fn items(&self) -> SyncResult<Items> {
        Ok((0..3_000).map(|number| SyncItem::named(format!("Item {number}"))).collect())
    }

    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_delays_nobody_and_the_other_sees_everything() {
    let host = Host::start();
    let large = host.manager.register(Large).unwrap();
    // The events of the session are half a megabyte, more than all buffers of a connection hold.
    let _unread = host.client.events("/v1/events").await.unwrap();
    let mut events = host.client.events("/v1/events").await.unwrap();
    let session = host.manager.session(Trigger::Manual).handlers([large]).start().unwrap();
    let mut ended = 0;
    while ended < 3_000 {
        let event: Value = events.next().await.unwrap().unwrap();
        ended += usize::from(event["event"] == "ended");
    }
    assert!(session.finish().await.is_success());
}

#[tokio::test]
async fn a_stream_of_what_runs_leaves_out_the_sessions_that_are_idle() {
    let host = Host::start();
    host.gate.add_permits(3);
    let idle = host.manager.session(Trigger::Manual).start().unwrap();
    idle.report().await;
    let running = host.manager.session(Trigger::Manual).start().unwrap();
    let mut events = host.client.events("/v1/events?from=running").await.unwrap();
    let first: Value = events.next().await.unwrap().unwrap();
    assert_eq!((&first["event"], &first["session"]), (&json!("started"), &json!(running.id())));
}

#[tokio::test]
async fn a_stream_from_now_on_leaves_out_what_was_before() {
    let host = Host::start();
    host.gate.add_permits(6);
    // Both sessions stay open.
    let earlier = host.manager.session(Trigger::Manual).start().unwrap();
    earlier.report().await;
    let mut events = host.client.events("/v1/events?from=now").await.unwrap();
    let later = host.manager.session(Trigger::Manual).start().unwrap();
    later.report().await;
    loop {
        let event: Value = events.next().await.unwrap().unwrap();
        assert_ne!(event["session"], json!(earlier.id()), "{event}");
        if event["event"] == "idle" {
            break;
        }
    }
    let refused = host.client.events("/v1/events?from=then").await.unwrap_err();
    assert!(matches!(refused, syncmgr_console::ClientError::Refused { status: 400, .. }), "{refused}");
}

#[tokio::test]
async fn viewers_are_told_of_sessions_and_of_what_other_clients_change() {
    let host = Host::start();
    let mut changes = host.client.events("/v1/changes").await.unwrap();
    let mut told = async |wanted: &str| loop {
        let changed: Value = changes.next().await.unwrap().unwrap();
        if changed["what"].as_array().unwrap().contains(&json!(wanted)) {
            break;
        }
    };
    host.gate.add_permits(3);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    told("sessions").await;
    host.post("/v1/pause", Value::Null).await;
    told("settings").await;
}

#[tokio::test]
async fn the_streams_end_and_the_manager_goes_on_when_the_console_stops() {
    let host = Host::start();
    let mut events = host.client.events("/v1/events").await.unwrap();
    let (path, manager) = (host.console.path().to_owned(), host.manager.clone());
    host.console.stop().await;
    while events.next::<Value>().await.is_ok_and(|event| event.is_some()) {}
    assert!(!path.exists());
    host.gate.add_permits(3);
    assert_eq!(manager.session(Trigger::Manual).start().unwrap().finish().await.items().count(), 3);
}

#[tokio::test]
async fn a_paused_manager_begins_nothing_and_says_so() {
    let host = Host::start();
    host.post("/v1/pause", Value::Null).await;
    let session = host.session(Value::Null).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    let started: Value = events.next().await.unwrap().unwrap();
    assert_eq!(started["event"], "started");
    while host.get("/v1/held").await["held"].as_array().is_none_or(Vec::is_empty) {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.get("/v1/held").await["held"][0]["text"], json!("paused"));
    host.post("/v1/resume", Value::Null).await;
    let began: Value = loop {
        let event: Value = events.next().await.unwrap().unwrap();
        if event["event"] == "began" {
            break event;
        }
    };
    assert_eq!(began["handler_name"], "Gated");
}

/// Reads events until one of this kind.
async fn until(events: &mut syncmgr_console::Events, kind: &str) {
    while events.next::<Value>().await.expect("the connection holds").expect("the console goes on")["event"] != kind {}
}

#[tokio::test]
async fn every_client_hears_of_what_another_one_changes() {
    let host = Host::start();
    let mut events = host.client.events("/v1/events").await.unwrap();
    host.post("/v1/pause", Value::Null).await;
    until(&mut events, "changed").await;
    assert_eq!(host.get("/v1").await["paused"], json!(true));
    let one = syncmgr::ItemId::from_name("one");
    host.post(&host.handler("/choice"), json!({ "items": [one], "state": "unchecked" })).await;
    until(&mut events, "changed").await;
}

#[tokio::test]
async fn every_client_hears_when_the_agenda_changes() {
    let host = Host::start();
    host.manager.start_scheduler().unwrap();
    let mut events = host.client.events("/v1/events").await.unwrap();
    host.gate.add_permits(3);
    // `broken` fails, and is retried later.
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    until(&mut events, "agenda").await;
}
