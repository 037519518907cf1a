//! Settings that change while a host runs.

use rustix::process::Signal;

use serde_json::{Value, json};

use crate::support::{Host, Place};

async fn reload(host: &Host<'_>) {
    host.signal(Signal::HUP);
    host.told("RELOADING=1").await;
    host.told("READY=1").await;
}

#[tokio::test]
async fn a_changed_schedule_applies_after_a_reload() {
    let place = Place::new("schedule = \"every 1h\"");
    let host = place.host().await;
    assert!(place.client(&["agenda"]).await.1.contains("every 1h"));
    place.set("schedule = \"every 2h\"");
    reload(&host).await;
    let agenda = place.client(&["agenda"]).await.1;
    assert!(agenda.contains("every 2h") && !agenda.contains("every 1h"), "{agenda}");
}

#[tokio::test]
async fn what_a_person_has_set_survives_a_reload_and_a_kill_until_it_is_reset() {
    let place = Place::new("schedule = \"every 1h\"");
    let host = place.host().await;
    assert_eq!(place.client(&["schedule", "docs", "every 5m", "--requires", "mains"]).await.0, 0);
    place.set("schedule = \"every 2h\"");
    reload(&host).await;
    let shown =
        "schedule: every 5m (set; declared: every 2h)\nrequirements: mains (set; declared: none)\nwindow: always\n";
    assert_eq!(place.client(&["schedule", "docs"]).await.1, shown);
    host.signal(Signal::KILL);
    host.end().await;
    let host = place.host().await;
    assert_eq!(place.client(&["schedule", "docs"]).await.1, shown);
    let agenda = place.client(&["agenda"]).await.1;
    assert!(agenda.contains("every 5m") && !agenda.contains("every 1h") && !agenda.contains("every 2h"), "{agenda}");
    assert_eq!(place.client(&["schedule", "docs", "--reset"]).await.0, 0);
    let agenda = place.client(&["agenda"]).await.1;
    assert!(agenda.contains("every 2h") && !agenda.contains("every 5m"), "{agenda}");
    drop(host);
}

#[tokio::test]
async fn folders_appear_and_vanish_with_a_reload() {
    let place = Place::new("");
    let host = place.host().await;
    place.set("[[folder]]\nname = \"letters\"\nfrom = \"from/plans\"\nto = \"copy\"");
    reload(&host).await;
    let (code, out) = place.client(&["run", "letters"]).await;
    assert!(code == 0 && place.read("copy/plan").is_some(), "{out}");
    place.set("");
    reload(&host).await;
    let status = place.client(&["status"]).await.1;
    assert!(status.contains("  docs: ") && !status.contains("letters"), "{status}");
}

#[tokio::test]
async fn with_a_bad_file_the_settings_from_before_apply() {
    let place = Place::new("schedule = \"every 1h\"");
    let host = place.host().await;
    place.set("schedule = \"hourly\"");
    reload(&host).await;
    assert!(place.client(&["agenda"]).await.1.contains("every 1h"));
    let (status, _, log) = host.terminate().await;
    assert!(log.contains("host.toml:7: schedule: `hourly` cannot be read"), "{log}");
    assert!(log.contains("the settings were not read again: those from before apply"), "{log}");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_setting_that_needs_a_restart_is_named() {
    let place = Place::new("");
    let host = place.host().await;
    let settings = place.read("host.toml").unwrap();
    place.write("host.toml", &settings.replace("state.sqlite", "other.sqlite"));
    reload(&host).await;
    let (_, _, log) = host.terminate().await;
    assert!(log.contains("`state` has changed: the new value applies after a restart"), "{log}");
}

#[tokio::test]
async fn a_run_that_is_active_during_a_reload_ends_before_the_next_begins() {
    let place = Place::new("");
    let host = place.host().await;
    let api = host.api();
    let (all, nothing) = (json!({ "ask": false }), Value::Null);
    let mut events = api.events("/v1/events").await.unwrap();
    api.post::<Value>("/v1/pause", &nothing).await.unwrap();
    let first: Value = api.post("/v1/sessions", &all).await.unwrap();
    while events.next::<Value>().await.unwrap().unwrap()["change"] != "synchronizing" {}
    place.set("delete = \"always\"");
    reload(&host).await;
    let second: Value = api.post("/v1/sessions", &all).await.unwrap();
    let sessions = [first, second].map(|started| format!("/v1/sessions/{}", started["session"]));
    let mut events = api.events(&format!("{}/events", sessions[1])).await.unwrap();
    api.post::<Value>("/v1/resume", &nothing).await.unwrap();
    while events.next::<Value>().await.unwrap().is_some_and(|event| event["event"] != "idle") {}
    for session in sessions {
        let session: Value = api.get(&session).await.unwrap();
        assert_eq!(session["report"]["success"], true, "{session}");
    }
}
