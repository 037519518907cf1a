//! Sessions through the console.

use serde_json::{Value, json};
use syncmgr::prelude::*;
use syncmgr_console::ClientError;

use crate::support::Host;

/// Reads events until one of this kind.
async fn until(events: &mut syncmgr_console::Events, kind: &str) -> Vec<Value> {
    let mut read: Vec<Value> = Vec::new();
    while read.last().is_none_or(|event| event["event"] != kind) {
        read.push(events.next().await.expect("the connection holds").expect("the session goes on"));
    }
    read
}

#[tokio::test]
async fn a_session_is_started_watched_and_read() {
    let host = Host::start();
    let session = host.session(Value::Null).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    let first = until(&mut events, "began").await;
    assert_eq!(first[0]["event"], "started");
    assert_eq!(host.get(&session).await["state"], "running");
    host.gate.add_permits(3);
    let rest = until(&mut events, "idle").await;
    let mut ended: Vec<_> = rest.iter().filter(|event| event["event"] == "ended").map(|event| &event["name"]).collect();
    ended.sort_by_key(|name| name.to_string());
    assert_eq!(ended, ["broken", "one", "two"]);
    let report = &host.get(&session).await["report"];
    assert_eq!((&report["success"], report["handlers"][0]["items"].as_array().unwrap().len()), (&json!(false), 3));
}

#[tokio::test]
async fn an_item_is_skipped_and_its_neighbours_go_on() {
    let host = Host::start();
    let session = host.session(Value::Null).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    until(&mut events, "began").await;
    let handler = host.manager.handlers()[0].id();
    let one = ItemId::from_name("one");
    host.post(&format!("{session}/handlers/{handler}/items/{one}/skip"), Value::Null).await;
    assert_eq!(until(&mut events, "ended").await.last().expect("it has ended")["name"], "one");
    host.gate.add_permits(2);
    until(&mut events, "idle").await;
    let report = host.get(&session).await;
    let outcome = |name: &str| {
        let items = report["report"]["handlers"][0]["items"].as_array().unwrap();
        items.iter().find(|item| item["name"] == name).unwrap()["outcome"].clone()
    };
    assert_eq!(["one", "two", "broken"].map(outcome), ["skipped", "succeeded", "failed"]);
}

#[tokio::test]
async fn only_the_named_items_run() {
    let host = Host::start();
    host.gate.add_permits(1);
    let (handler, two) = (host.manager.handlers()[0].id(), ItemId::from_name("two"));
    let session = host.session(json!({ "items": { handler.to_string(): [two] } })).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    let ended: Vec<_> =
        until(&mut events, "idle").await.into_iter().filter(|event| event["event"] == "ended").collect();
    assert_eq!((ended.len(), &ended[0]["name"]), (1, &json!("two")));
}

#[tokio::test]
async fn a_session_is_stopped() {
    let host = Host::start();
    let session = host.session(Value::Null).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    until(&mut events, "began").await;
    host.post(&format!("{session}/stop"), Value::Null).await;
    until(&mut events, "idle").await;
    let report = host.get(&session).await;
    assert!(
        report["report"]["handlers"][0]["items"].as_array().unwrap().iter().all(|item| item["outcome"] == "stopped")
    );
}

#[tokio::test]
async fn unknown_sessions_handlers_and_items_are_refused_with_advice() {
    let host = Host::start();
    let session = host.session(Value::Null).await;
    let id = "00000000-0000-0000-0000-000000000009";
    for path in [
        "/v1/sessions/99/stop".to_owned(),
        format!("{session}/handlers/{id}/stop"),
        format!("{session}/handlers/none/stop"),
        host.handler(&format!("/log/{id}/answer")),
    ] {
        let body = if path.ends_with("answer") { json!({ "choice": 0 }) } else { Value::Null };
        let refused = host.client.post::<Value>(&path, &body).await.unwrap_err();
        assert!(matches!(&refused, ClientError::Refused { status: 404, .. }), "{path}: {refused}");
    }
}

/// A handler with two items.
struct Pair;

#[sync_handler(id = "2f1f6f0e-5c80-4d0e-8d75-7a3c1c1a9f02", name = "Pair")]
impl SyncHandler for Pair {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["left", "right"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_beside_named_items_of_another_runs_its_chosen_items() {
    let host = Host::start();
    let other = host.manager.register(Pair).unwrap();
    host.gate.add_permits(9);
    let handlers: Vec<_> = host.manager.handlers().iter().map(|info| info.id()).collect();
    let start = |items: Value| json!({ "handlers": handlers, "items": items });
    let one = json!({ other.to_string(): [ItemId::from_name("left")] });
    let refused = host.client.post::<Value>("/v1/sessions", &start(one.clone())).await.unwrap_err();
    assert!(refused.to_string().contains("not known before its first run"), "{refused}");
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let session = host.session(start(one)).await;
    for session in host.manager.sessions() {
        session.report().await;
    }
    let report = host.get(&session).await["report"].clone();
    let ran = |of: &Value| of["items"].as_array().unwrap().iter().filter(|item| item["outcome"] != "skipped").count();
    let counts: usize = report["handlers"].as_array().unwrap().iter().map(ran).sum();
    assert_eq!(counts, 4, "{report}");
}

impl Host {
    /// Runs 40 sessions of the handler, one after the other.
    async fn run_others(&self, handler: HandlerId) {
        for _ in 0..40 {
            let session = self.session(json!({ "handlers": [handler] })).await;
            let mut events = self.client.events(&format!("{session}/events")).await.expect("the console serves");
            until(&mut events, "idle").await;
        }
    }
}

#[tokio::test]
async fn a_long_session_is_readable_after_its_end_though_many_came_and_went() {
    let host = Host::start();
    let gated = host.manager.handlers()[0].id();
    let other = host.manager.register(Pair).unwrap();
    let session = host.session(json!({ "handlers": [gated] })).await;
    host.run_others(other).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    host.gate.add_permits(3);
    until(&mut events, "idle").await;
    drop(events);
    host.session(json!({ "handlers": [other] })).await;
    assert_eq!(host.get(&session).await["report"]["handlers"][0]["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_report_of_a_session_stays_while_a_client_reads_its_events() {
    let host = Host::start();
    let other = host.manager.register(Pair).unwrap();
    let read = host.session(json!({ "handlers": [other] })).await;
    let unread = host.session(json!({ "handlers": [other] })).await;
    let mut events = host.client.events(&format!("{read}/events")).await.unwrap();
    until(&mut events, "idle").await;
    host.run_others(other).await;
    assert_eq!(host.get(&read).await["report"]["success"], true);
    let refused = host.client.get::<Value>(&unread).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 404, .. }), "{refused}");
}

#[tokio::test]
async fn a_skip_of_an_item_that_has_ended_is_refused() {
    let host = Host::start();
    let session = host.session(Value::Null).await;
    let mut events = host.client.events(&format!("{session}/events")).await.unwrap();
    host.gate.add_permits(1);
    let ended = until(&mut events, "ended").await.pop().unwrap();
    let skip = format!(
        "{session}/handlers/{}/items/{}/skip",
        ended["handler"].as_str().unwrap(),
        ended["item"].as_str().unwrap()
    );
    let refused = host.client.post::<Value>(&skip, &Value::Null).await.unwrap_err();
    let problem = format!("item {} has already ended in this session", ended["name"].as_str().unwrap());
    assert!(
        matches!(&refused, ClientError::Refused { status: 409, problem: text, .. } if *text == problem),
        "{refused}"
    );
}
