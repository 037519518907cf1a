//! The texts of holds and their stored form.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_269_900_250)
}

/// Every hold with its stored form and its text.
fn table() -> Vec<(Hold, Value, &'static str)> {
    let (session, until) = (SessionId(7), time());
    vec![
        (Hold::Paused, json!("paused"), "paused"),
        (
            Hold::Behind { session },
            json!({"behind": {"session": 7}}),
            "waits for the run of the same handler in session 7",
        ),
        (Hold::NoFreeWorker, json!("no_free_worker"), "waits for a free worker"),
        (
            Hold::Claimed { claim: Claim::new("disk") },
            json!({"claimed": {"claim": "disk"}}),
            "waits for disk, which other items are using",
        ),
        (Hold::Quarantined, json!("quarantined"), "the abandoned work of an earlier attempt is still running"),
        (Hold::Merged { session }, json!({"merged": {"session": 7}}), "merged into session 7"),
        (
            Hold::BackingOff { until, failures: 3 },
            json!({"backing_off": {"until": 1_795_269_900_250_u64, "failures": 3}}),
            "backing off until 2026-11-21 14:05:00Z after 3 failures",
        ),
        (
            Hold::NotBefore { until },
            json!({"not_before": {"until": 1_795_269_900_250_u64}}),
            "the peer asked the host to wait until 2026-11-21 14:05:00Z",
        ),
        (Hold::NeedsUser, json!("needs_user"), "waits for an answer or for the user"),
        (
            Hold::NeedsAttention { failures: 1 },
            json!({"needs_attention": {"failures": 1}}),
            "needs attention: no more automatic attempts after 1 failure",
        ),
        (Hold::Permanent, json!("permanent"), "permanent failure: something has to change first"),
        (Hold::Gone, json!("gone"), "no longer exists at the peer"),
        (Hold::UnreadableState, json!("unreadable_state"), "the saved state can no longer be read and has to be reset"),
        (Hold::Offline, json!("offline"), "waits for a network"),
        (Hold::Metered, json!("metered"), "waits for a network that is not metered"),
        (Hold::OnBattery, json!("on_battery"), "waits for mains power"),
        (Hold::Guarded, json!("guarded"), "waits for an answer: the plan violates a guard rule"),
        (Hold::Unchosen, json!("unchosen"), "not chosen"),
        (
            Hold::Disabled { reason: "on a journey".into() },
            json!({"disabled": {"reason": "on a journey"}}),
            "disabled: on a journey",
        ),
    ]
}

#[test]
fn every_hold_is_displayed_as_its_text() {
    for (hold, _, text) in table() {
        assert_eq!(hold.to_string(), text);
    }
}

#[test]
fn every_hold_is_stored_under_its_name() {
    for (hold, stored, _) in table() {
        assert_eq!(serde_json::to_value(&hold).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Hold>(stored).unwrap(), hold);
    }
}

#[test]
fn absent_fields_of_a_held_entry_are_not_stored() {
    let handler = HandlerId::from_u128(1);
    let whole = Held::new(handler, Hold::Paused);
    let stored = json!({"handler": "00000000-0000-0000-0000-000000000001", "hold": "paused"});
    assert_eq!(serde_json::to_value(&whole).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Held>(stored).unwrap(), whole);
    let part = whole.with_session(SessionId(7)).with_item(ItemId::from_u128(2));
    let (handler, item) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
    let stored = json!({"handler": handler, "session": 7, "item": item, "hold": "paused"});
    assert_eq!(serde_json::to_value(&part).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Held>(stored).unwrap(), part);
}
