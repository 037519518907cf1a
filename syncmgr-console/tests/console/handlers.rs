//! Handlers, their items and their log through the console.

use serde_json::{Value, json};
use syncmgr::{ItemId, Trigger};

use crate::support::Host;

#[tokio::test]
async fn handlers_and_items_have_their_last_results() {
    let host = Host::start();
    host.gate.add_permits(3);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let handlers = host.get("/v1/handlers").await;
    assert_eq!(handlers["handlers"][0]["name"], "Gated");
    let items = host.get(&host.handler("/items")).await;
    let texts: Vec<_> = items["items"].as_array().unwrap().iter().map(|item| item["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0].starts_with("broken: backing off") && texts[1].starts_with("one: succeeded"), "{texts:?}");
    let broken = host.get(&host.handler(&format!("/items/{}", ItemId::from_name("broken")))).await;
    assert_eq!(broken["explanation"]["last"]["outcome"], "failed");
    let log = host.get(&host.handler("/log")).await;
    let texts: Vec<_> = log["log"].as_array().unwrap().iter().map(|entry| entry["entry"]["text"].clone()).collect();
    assert_eq!(texts, ["the disk is full", "the disk is slow"]);
    let history = host.get("/v1/history?limit=1").await;
    assert_eq!(history["sessions"][0]["end"]["items"], json!({ "failed": 1, "succeeded": 2 }));
}

#[tokio::test]
async fn an_item_that_is_not_chosen_does_not_run() {
    let host = Host::start();
    host.gate.add_permits(3);
    let choice = json!({ "items": [ItemId::from_name("two"), ItemId::from_name("broken")], "state": "unchecked" });
    assert_eq!(host.post(&host.handler("/choice"), choice).await, Value::Null);
    let report = host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    assert_eq!(report.items().map(|item| item.item.name()).collect::<Vec<_>>(), ["one"]);
}

#[tokio::test]
async fn a_disabled_handler_says_why_until_it_is_enabled() {
    let host = Host::start();
    host.post(&host.handler("/disable"), json!({ "reason": "on a journey" })).await;
    let handler = host.get(&host.handler("")).await;
    assert!(handler["text"].as_str().unwrap().contains("disabled: on a journey"), "{handler}");
    host.post(&host.handler("/enable"), Value::Null).await;
    assert_eq!(host.get(&host.handler("")).await["explanation"]["holds"], Value::Null);
}

#[tokio::test]
async fn a_forgotten_item_has_no_last_result() {
    let host = Host::start();
    host.gate.add_permits(3);
    host.manager.session(Trigger::Manual).start().unwrap().finish().await;
    let path = host.handler(&format!("/items/{}", ItemId::from_name("one")));
    host.client.delete(&path).await.unwrap();
    assert_eq!(host.get(&path).await["explanation"]["last"], Value::Null);
}
