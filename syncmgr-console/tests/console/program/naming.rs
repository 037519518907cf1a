//! Handlers and items that a command names.

use serde_json::{Value, json};
use syncmgr::ItemId;

use super::following::Following;
use super::scripted::Scripted;
use crate::support::Host;

const HANDLER: &str = "7b0c7e52-7f3c-4a6c-9f0e-0d1b5a3f6e21";

#[tokio::test]
async fn a_command_reads_the_names_of_a_handler_once() {
    let mut console = Scripted::start();
    let choose = Following::at(console.path(), &["choose", "Mail/Inbox", "Mail/Sent"]);
    console.answer("GET /v1/handlers", json!({ "handlers": [{ "handler": HANDLER, "name": "Mail" }] })).await;
    let names = ["Inbox", "Sent"].map(|name| json!({ "item": ItemId::from_name(name), "name": name }));
    console.answer(&format!("GET /v1/handlers/{HANDLER}/names"), json!({ "names": names })).await;
    for _ in 0..2 {
        console.answer(&format!("POST /v1/handlers/{HANDLER}/choice"), Value::Null).await;
    }
    assert_eq!(choose.end().await, (Ok(0), String::new()));
}

#[tokio::test]
async fn nothing_is_chosen_if_one_of_the_items_does_not_exist() {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(syncmgr::Trigger::Manual).start().unwrap().finish().await;
    assert_eq!(super::syncmgr(&host, &["unchoose", "Gated/one", "Gated/three"]).await.0, 4);
    let items = host.get(&host.handler("/items")).await["items"].take();
    assert!(items.as_array().unwrap().iter().all(|item| item["status"]["choice"] == "checked"), "{items}");
}

#[tokio::test]
async fn the_names_of_items_are_listed_in_order() {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(syncmgr::Trigger::Manual).start().unwrap().finish().await;
    let names = ["broken", "one", "two"].map(|name| json!({ "item": ItemId::from_name(name), "name": name }));
    assert_eq!(host.get(&host.handler("/names")).await, json!({ "names": names }));
}
