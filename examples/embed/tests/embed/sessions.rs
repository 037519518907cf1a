//! Sessions, from start to report.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde_json::{Value, json};
use syncmgr::prelude::*;

use crate::events::Event;
use crate::running::Running;

/// The outcomes of the items in a report by name.
fn outcomes(report: &Value) -> BTreeMap<&str, &str> {
    let items = report["handlers"].as_array().unwrap().iter().flat_map(|run| run["items"].as_array().unwrap());
    items.map(|item| (item["name"].as_str().unwrap(), item["outcome"].as_str().unwrap())).collect()
}

/// The events except progress, which is sampled.
fn without_progress(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().filter(|event| event.kind != "progress").collect()
}

#[tokio::test]
async fn a_session_streams_its_events_and_then_has_a_report() {
    let server = Running::quick().await;
    let session = server.client.start().await;
    let events = without_progress(server.client.events(&session).await.rest().await);
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds[..5], ["started", "listed", "selected", "preparing", "synchronizing"]);
    assert_eq!(kinds[kinds.len() - 2..], ["idle", "closed"]);
    for kind in ["began", "ended"] {
        assert_eq!(kinds.iter().filter(|&&other| other == kind).count(), 4, "{kinds:?}");
    }
    let report = server.client.get(&session).await.json();
    assert_eq!((&report["state"], &report["success"]), (&json!("finished"), &json!(false)));
    let expected =
        [("broken link", "failed"), ("file 1", "succeeded"), ("file 2", "succeeded"), ("members only", "needs_user")];
    assert_eq!(outcomes(&report), BTreeMap::from(expected));
}

#[tokio::test]
async fn a_late_reader_receives_the_same_events() {
    let server = Running::quick().await;
    let session = server.client.start().await;
    let watched = server.client.events(&session).await.rest().await;
    let read_later = server.client.events(&session).await.rest().await;
    assert_eq!(without_progress(watched), without_progress(read_later));
}

#[tokio::test]
async fn a_running_session_shows_the_progress_of_its_items() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let mut events = server.client.events(&session).await;
    let began = events.until("began", Some("file 1")).await;
    events.until("progress", began.data["item"].as_str()).await;
    let report = server.client.get(&session).await.json();
    assert_eq!(report["state"], "running");
    let shown = report["items"].as_array().unwrap().iter().find(|item| item["item"] == began.data["item"]).unwrap();
    assert_eq!(shown["progress"]["total"], u64::MAX);
}

#[tokio::test]
async fn only_the_requested_items_run() {
    let server = Running::quick().await;
    let items = [ItemId::from_name("file 2").to_string()];
    let body = json!({ "handler": server.handler.to_string(), "items": items });
    let answer = server.client.send(server.client.start_with(body.to_string())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let session = answer.headers["location"].to_str().unwrap();
    server.client.events(session).await.rest().await;
    let report = server.client.get(session).await.json();
    assert_eq!(outcomes(&report), BTreeMap::from([("file 2", "succeeded")]));
    assert_eq!(report["success"], true);
}

#[tokio::test]
async fn one_item_is_skipped_and_the_others_continue() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let mut events = server.client.events(&session).await;
    let began = events.until("began", Some("file 1")).await;
    let (handler, item) = (began.data["handler"].as_str().unwrap(), began.data["item"].as_str().unwrap());
    let skipped = server.client.post(&format!("{session}/items/{handler}/{item}/skip")).await;
    assert_eq!(skipped.status, StatusCode::ACCEPTED);
    assert_eq!(events.until("ended", Some(item)).await.data["outcome"], "skipped");
    let report = server.client.get(&session).await.json();
    let running: Vec<_> = report["items"].as_array().unwrap().iter().map(|item| item["item"].clone()).collect();
    assert!(running.contains(&json!(ItemId::from_name("file 2").to_string())) && !running.contains(&json!(item)));
}

#[tokio::test]
async fn a_stopped_session_and_its_stream_end() {
    let server = Running::endless().await;
    let session = server.client.start().await;
    let mut events = server.client.events(&session).await;
    events.until("began", Some("file 2")).await;
    assert_eq!(server.client.post(&format!("{session}/stop")).await.status, StatusCode::ACCEPTED);
    assert_eq!(events.rest().await.last().unwrap().kind, "closed");
    let report = server.client.get(&session).await.json();
    assert_eq!(outcomes(&report)["file 1"], "stopped");
}

#[tokio::test]
async fn a_new_session_replaces_the_oldest_one_that_has_ended() {
    let server = Running::quick().await;
    let mut sessions = Vec::new();
    for _ in 0..17 {
        let session = server.client.start().await;
        server.client.events(&session).await.rest().await;
        sessions.push(session);
    }
    server.client.get(&sessions[0]).await.assert_error(404, "client");
    assert_eq!(server.client.get(&sessions[1]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_session_starts_beyond_the_maximum_until_one_ends() {
    let server = Running::endless().await;
    let mut first = None;
    for _ in 0..16 {
        first.get_or_insert(server.client.start().await);
    }
    server.client.post("/sync/sessions").await.assert_error(429, "client");
    let first = first.unwrap();
    let events = server.client.events(&first).await;
    server.client.post(&format!("{first}/stop")).await;
    events.rest().await;
    server.client.start().await;
    server.client.get(&first).await.assert_error(404, "client");
}

/// A handler whose item has control and bidirectional characters in its name.
struct Unprintable;

const UNPRINTABLE: &str = "a\x1b[2J\r\nb\u{9b}\u{202e}c\"";

#[sync_handler(id = "c3f9a1d4-2b6e-4f80-9a57-0d1e8b7c6f25", name = "Unprintable")]
impl SyncHandler for Unprintable {
    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named(UNPRINTABLE)].into_iter().collect())
    }

    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test]
async fn an_item_name_is_escaped_in_json_and_unchanged_after_parsing() {
    let server = Running::with(Unprintable).await;
    let session = server.client.start().await;
    let began = server.client.events(&session).await.until("began", Some(UNPRINTABLE)).await;
    server.client.events(&session).await.rest().await;
    let report = server.client.get(&session).await;
    assert_eq!(outcomes(&report.json()), BTreeMap::from([(UNPRINTABLE, "succeeded")]));
    for text in [began.raw.as_str(), report.body.trim_end()] {
        assert!(!text.contains(|character: char| character.is_control() || character == '\u{202e}'), "{text:?}");
    }
}

#[tokio::test]
async fn the_list_shows_the_stored_sessions_the_latest_first() {
    let server = Running::quick().await;
    assert_eq!(server.client.get("/sync/sessions").await.json(), json!({ "sessions": [] }));
    let first = server.client.start().await;
    server.client.events(&first).await.rest().await;
    let second = server.client.start().await;
    server.client.events(&second).await.rest().await;
    let listed = server.client.get("/sync/sessions").await.json();
    let reports: Vec<_> = listed["sessions"].as_array().unwrap().iter().map(|listed| &listed["report"]).collect();
    assert_eq!(reports, [&json!(second), &json!(first)]);
    assert_eq!(
        (&listed["sessions"][0]["state"], &listed["sessions"][0]["success"]),
        (&json!("finished"), &json!(false))
    );
}
