//! Schedules, requirements and windows that a person sets through the console.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use syncmgr::prelude::*;
use syncmgr_console::ClientError;

use crate::support::Host;

/// Starts a host whose handler has listed its items.
async fn listed() -> Host {
    let host = Host::start();
    host.gate.add_permits(9);
    host.manager.session(Trigger::Manual).start().expect("the handler is registered").finish().await;
    host
}

fn of_item(host: &Host, rest: &str) -> String {
    host.handler(&format!("/items/{}{rest}", ItemId::from_name("one")))
}

async fn set(host: &Host, path: &str, value: &str) -> Result<Value, ClientError> {
    host.client.post(path, &json!({ "value": value })).await
}

/// Returns the status and the problem of a refusal.
fn refusal(result: Result<Value, ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Refused { status, problem, .. }) => (status, problem),
        other => panic!("{other:?} is no refusal"),
    }
}

#[tokio::test]
async fn a_schedule_is_set_shown_and_reset() {
    let host = listed().await;
    for path in [host.handler("/settings"), of_item(&host, "/settings")] {
        set(&host, &format!("{path}/schedule"), "every 15m").await.unwrap();
        let shown = host.get(&path).await;
        assert_eq!(shown["schedule"], json!({ "in_force": "every 15m", "declared": null, "set": "every 15m" }));
        assert_eq!(shown["window"], json!({ "in_force": "always", "declared": "always", "set": null }));
    }
    assert_eq!(host.manager.agenda().iter().filter(|entry| entry.to_string().contains("every 15m")).count(), 1);
    let handler = host.get(&host.handler("")).await;
    assert_eq!((&handler["schedule"], &handler["set"]), (&json!("every 15m"), &json!(["schedule"])));
    host.client.delete(&host.handler("/settings/schedule")).await.unwrap();
    assert_eq!(host.get(&host.handler("/settings")).await["schedule"]["in_force"], Value::Null);
    assert_eq!(host.get(&of_item(&host, "/settings")).await["schedule"]["set"], "every 15m");
}

#[tokio::test]
async fn items_show_what_applies_and_what_is_set() {
    let host = listed().await;
    set(&host, &of_item(&host, "/settings/requirements"), "mains,internet").await.unwrap();
    set(&host, &of_item(&host, "/settings/window"), "22:00-06:00 in UTC").await.unwrap();
    let items = host.get(&host.handler("/items")).await;
    let one = items["items"].as_array().unwrap().iter().find(|item| item["status"]["name"] == "one").unwrap();
    assert_eq!(one["requires"], json!(["internet", "mains"]));
    assert_eq!(one["windows"], json!(["22:00-06:00 in UTC"]));
    assert_eq!(one["set"], json!(["requirements", "window"]));
    let two = items["items"].as_array().unwrap().iter().find(|item| item["status"]["name"] == "two").unwrap();
    assert_eq!((&two["requires"], &two["set"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn what_cannot_apply_is_refused_with_the_reason() {
    let host = listed().await;
    for (setting, value, problem) in [
        ("schedule", "cron 0 0 30 2 * in UTC", "never fires"),
        ("schedule", "every morning", "write a duration"),
        ("schedule", "every 1ms", "at least one second"),
        ("schedule", "once 2020-01-01T00:00:00Z", "is past"),
        ("schedule", "cron 0 8 * * * in Europe/Berlim", "did you mean `Europe/Berlin`?"),
        ("requirements", "mians", "write `unmetered-network`"),
        ("requirements", "idle-user,active-user", "exclude each other"),
        ("window", "22:00-22:00 in UTC", "has no length"),
    ] {
        let (status, text) = refusal(set(&host, &host.handler(&format!("/settings/{setting}")), value).await);
        assert!(status == 422 && text.contains(problem), "{value}: {status} {text}");
    }
    assert_eq!(host.get(&host.handler("")).await["set"], json!([]));
    let unknown = host.handler(&format!("/items/{}/settings/schedule", ItemId::from_name("none")));
    assert_eq!(refusal(set(&host, &unknown, "never").await).0, 404);
    assert_eq!(refusal(set(&host, &host.handler("/settings/color"), "never").await).0, 404);
}

#[tokio::test]
async fn a_handler_without_properties_says_so() {
    let host = listed().await;
    for path in [host.handler("/properties"), of_item(&host, "/properties")] {
        let (status, problem) = refusal(host.client.post(&path, &Value::Null).await);
        assert_eq!(status, 409, "{problem}");
        assert!(problem.contains("handler Gated did not declare"), "{problem}");
    }
}

/// A handler with properties.
struct WithProperties(Arc<AtomicBool>);

#[sync_handler(id = "2b0c7e52-7f3c-4a6c-9f0e-0d1b5a3f6e22", name = "With properties", flags(has_properties))]
impl SyncHandler for WithProperties {
    async fn show_properties(&self, _: &RunContext, _: Subject) -> SyncResult<PropertiesOutcome> {
        self.0.store(true, Ordering::Relaxed);
        Ok(PropertiesOutcome::Done)
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_shows_its_properties() {
    let (host, shown) = (Host::start(), Arc::<AtomicBool>::default());
    let id = host.manager.register(WithProperties(shown.clone())).unwrap();
    let path = format!("/v1/handlers/{id}");
    assert_eq!(host.get(&path).await["has_properties"], true);
    assert_eq!(host.post(&format!("{path}/properties"), Value::Null).await, Value::Null);
    assert!(shown.load(Ordering::Relaxed));
}
