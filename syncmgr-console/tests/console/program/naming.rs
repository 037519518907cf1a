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

#[tokio::test]
async fn a_whole_handler_beside_its_items_runs_all_of_them_in_any_order() {
    let host = Host::start();
    host.gate.add_permits(99);
    host.manager.session(syncmgr::Trigger::Manual).start().unwrap().finish().await;
    for what in [["Gated/one", "Gated"], ["Gated", "Gated/one"]] {
        let (_, out, _) = super::syncmgr(&host, &["run", what[0], what[1]]).await;
        assert!(["one", "two"].iter().all(|item| out.contains(&format!("Gated/{item}: succeeded"))), "{what:?}: {out}");
    }
}

#[tokio::test]
async fn an_empty_name_is_called_that() {
    let host = Host::start();
    let of_handler = "syncmgr: the name of the handler is empty; `syncmgr status` lists the handlers\n";
    let of_item = "syncmgr: the name of the item is empty; `syncmgr items Gated` lists the items\n";
    for (args, expected) in [(["run", ""], of_handler), (["run", "Gated/"], of_item), (["explain", "Gated/"], of_item)]
    {
        let (code, _, err) = super::syncmgr(&host, &args).await;
        assert_eq!((code, err.as_str()), (4, expected), "{args:?}");
    }
}

#[tokio::test]
async fn an_unknown_item_is_named_with_its_handler() {
    let host = Host::start();
    let (code, _, err) = super::syncmgr(&host, &["run", "Gated/one"]).await;
    let expected = "syncmgr: no items of Gated are known yet; `syncmgr run Gated` lists them\n";
    assert_eq!((code, err.as_str()), (4, expected));
    host.gate.add_permits(9);
    host.manager.session(syncmgr::Trigger::Manual).start().unwrap().finish().await;
    let (code, _, err) = super::syncmgr(&host, &["run", "Gated/three"]).await;
    assert_eq!((code, err.as_str()), (4, "syncmgr: there is no Gated/three; `syncmgr items Gated` lists the items\n"));
}
