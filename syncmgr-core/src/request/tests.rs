use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::schedule::Schedule;

/// A request with every field set.
fn full_request() -> RunRequest {
    RunRequest::new(HandlerId::from_u128(0x5d0f_0f6e_6b6c_4a43_9d6e_3c1f_0a2b_7c11))
        .with_items([ItemId::from_u128(2), ItemId::from_u128(1)])
        .with_trigger(Trigger::Invoke)
        .with_flags(RunFlags::MAY_BOTHER_USER)
        .with_cookie(*b"\x00\xffab")
        .with_attempt(3)
        .with_session(SessionId(12))
        .with_deadline(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_000_000_123))
}

const MINIMAL: &str =
    r#"{"version":1,"handler":"00000000-0000-0000-0000-000000000007","trigger":"manual","flags":0,"attempt":1}"#;

const FULL: &str = r#"{
  "version": 1,
  "handler": "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11",
  "items": [
    "00000000-0000-0000-0000-000000000001",
    "00000000-0000-0000-0000-000000000002"
  ],
  "trigger": "invoke",
  "flags": 512,
  "cookie": "00ff6162",
  "attempt": 3,
  "session": 12,
  "deadline": 1795000000123
}"#;

/// Reads a request with one field replaced, and returns the error.
fn refusal(field: &str, value: Value) -> String {
    let mut request = serde_json::to_value(full_request()).unwrap();
    request[field] = value;
    serde_json::from_value::<RunRequest>(request).unwrap_err().to_string()
}

#[test]
fn version_1_is_written_in_its_original_format() {
    let minimal = RunRequest::new(HandlerId::from_u128(7));
    assert_eq!(serde_json::to_string(&minimal).unwrap(), MINIMAL);
    assert_eq!(serde_json::to_string_pretty(&full_request()).unwrap(), FULL);
}

#[test]
fn version_1_is_read_in_its_original_format() {
    assert_eq!(serde_json::from_str::<RunRequest>(MINIMAL).unwrap(), RunRequest::new(HandlerId::from_u128(7)));
    assert_eq!(serde_json::from_str::<RunRequest>(FULL).unwrap(), full_request());
}

#[test]
fn every_trigger_has_its_own_name() {
    let names = ["connect", "pending_disconnect", "manual", "idle", "invoke", "scheduled"];
    for (event, name) in (1..).zip(names) {
        let request = full_request().with_trigger(Trigger::from_word(event));
        let written = serde_json::to_value(&request).unwrap();
        assert_eq!(written["trigger"], name);
        assert_eq!(serde_json::from_value::<RunRequest>(written).unwrap(), request);
    }
}

#[test]
fn a_newer_version_is_refused_before_any_other_field_is_checked() {
    let newer = "the request has version 2, this program reads version 1; update the program";
    for text in [
        r#"{"version":2}"#,
        r#"{"version":2,"handler":{"by":"name"},"only_if":"idle"}"#,
        r#"{"handler":{"by":"name"},"only_if":"idle","version":2}"#,
    ] {
        let error = serde_json::from_str::<RunRequest>(text).unwrap_err().to_string();
        assert!(error.starts_with(newer), "{error}");
    }
    assert_eq!(refusal("version", json!(2)), newer);
}

#[test]
fn a_version_that_does_not_exist_is_refused() {
    assert_eq!(refusal("version", json!(0)), "the request has version 0, which does not exist; write version 1");
    assert!(refusal("version", json!("1")).contains("expected u64"));
    assert!(serde_json::from_str::<RunRequest>("{}").unwrap_err().to_string().contains("missing field `version`"));
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    assert_eq!(refusal("only_if", json!("idle")), "version 1 of a request has no field `only_if`; leave it out");
    assert!(refusal("a\u{1b}[2J", json!(1)).contains("`a\\u{1b}[2J`"));
    assert!(refusal(&"x".repeat(100_000), json!(1)).len() < 5_000);
}

#[test]
fn a_duplicate_field_is_refused() {
    let twice = MINIMAL.replace(r#""attempt":1"#, r#""attempt":1,"attempt":2"#);
    assert!(serde_json::from_str::<RunRequest>(&twice).unwrap_err().to_string().contains("duplicate field `attempt`"));
    let twice = MINIMAL.replace(r#""version":1"#, r#""version":1,"version":1"#);
    assert!(serde_json::from_str::<RunRequest>(&twice).unwrap_err().to_string().contains("duplicate field `version`"));
}

#[test]
fn a_missing_field_is_reported_by_name() {
    for field in ["version", "handler", "trigger", "flags", "attempt"] {
        let mut request = serde_json::to_value(full_request()).unwrap();
        request.as_object_mut().unwrap().remove(field);
        let error = serde_json::from_value::<RunRequest>(request).unwrap_err().to_string();
        assert_eq!(error, format!("missing field `{field}`"));
    }
}

#[test]
fn every_invalid_field_is_refused_with_its_reason() {
    let nil = json!("00000000-0000-0000-0000-000000000000");
    for (field, value, expected) in [
        ("handler", nil.clone(), "the handler's id is nil"),
        ("handler", json!("mail"), "`mail` is not an id"),
        ("handler", json!(7), "expected a GUID"),
        ("items", json!([nil]), "names the nil item"),
        ("items", json!([]), "names no item"),
        ("items", json!(["inbox"]), "`inbox` is not an id"),
        ("trigger", json!("tuesday"), "there is no trigger `tuesday`; write connect"),
        ("trigger", json!(3), "expected a string"),
        ("trigger", json!({"manual": null}), "expected a string"),
        ("flags", json!(0x0603), "flag bits 0x403 are not defined"),
        ("flags", json!(-1), "expected u32"),
        ("cookie", json!("abc"), "not hexadecimal"),
        ("cookie", json!("+a"), "not hexadecimal"),
        ("cookie", json!("zz"), "not hexadecimal"),
        ("cookie", json!("ää"), "not hexadecimal"),
        ("cookie", json!("00".repeat(MAX_COOKIE + 1)), "the cookie has 1048577 bytes"),
        ("attempt", json!(0), "numbered from 1"),
        ("session", json!("12"), "expected u64"),
        ("deadline", json!(-1), "expected u64"),
        ("deadline", json!(LAST_MILLI + 1), "between the years 1970 and 9999"),
        ("deadline", json!(u64::MAX), "between the years 1970 and 9999"),
    ] {
        let refusal = refusal(field, value);
        assert!(refusal.contains(expected), "{field}: {refusal}");
    }
}

#[test]
fn too_many_items_are_refused() {
    let items = |count| (1..=count).map(|id| ItemId::from_u128(id as u128));
    assert_eq!(full_request().with_items(items(MAX_ITEMS)).check(), Ok(()));
    let refused = full_request().with_items(items(MAX_ITEMS + 1)).check();
    assert_eq!(refused, Err(RunRequestError::TooManyItems { count: MAX_ITEMS + 1 }));
}

#[test]
fn a_request_that_could_not_be_read_is_not_written() {
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
    for (request, error) in [
        (RunRequest::new(HandlerId::from_u128(0)), RequestError::NilHandler.into()),
        (
            full_request().with_flags(RunFlags::from_bits_retain(0x401)),
            RequestError::UnknownFlags { bits: 0x401 }.into(),
        ),
        (full_request().with_items([]), RunRequestError::NoItems),
        (full_request().with_attempt(0), RunRequestError::AttemptZero),
        (full_request().with_deadline(before_1970), RunRequestError::DeadlineOutOfRange),
    ] {
        assert_eq!(request.check(), Err(error.clone()));
        assert_eq!(serde_json::to_string(&request).unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn a_deadline_is_rounded_down_to_the_millisecond() {
    let request = full_request().with_deadline(SystemTime::UNIX_EPOCH + Duration::from_micros(1_999));
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["deadline"], 1);
}

#[test]
fn null_reads_as_absent_and_hexadecimal_ignores_case() {
    let mut request = serde_json::to_value(full_request()).unwrap();
    request["items"] = Value::Null;
    request["cookie"] = json!("00FF6162");
    let read = serde_json::from_value::<RunRequest>(request).unwrap();
    assert_eq!(read, RunRequest { items: None, ..full_request() });
}

fn every(millis: u64) -> Schedule {
    Schedule::every(Duration::from_millis(millis)).unwrap()
}

#[test]
fn a_request_for_schedules_names_them_and_no_items() {
    let request = RunRequest::new(HandlerId::from_u128(7)).with_schedules([every(60_000)]);
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["schedules"], json!(["every 1m"]));
    assert_eq!(serde_json::from_value::<RunRequest>(written).unwrap(), request);
    assert_eq!(request.with_items([ItemId::from_u128(1)]).check(), Err(RunRequestError::NoSchedules));
    let empty = RunRequest::new(HandlerId::from_u128(7)).with_schedules([]);
    assert_eq!(empty.check(), Err(RunRequestError::NoSchedules));
}

fn requests() -> impl Strategy<Value = RunRequest> {
    let items = proptest::option::of(proptest::collection::btree_set(1..u128::MAX, 1..20));
    let cookie = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let schedules = proptest::option::of(proptest::collection::btree_set(1..30_000_000_000_000_u64, 1..4));
    let items = (items, schedules).prop_map(|(items, schedules)| (schedules.filter(|_| items.is_none()), items));
    let optional = (items, cookie, proptest::option::of(any::<u64>()), proptest::option::of(0..=LAST_MILLI));
    let fixed = (1..u128::MAX, 1_u32..=6, 0_u32..4, 1..u32::MAX);
    (fixed, optional).prop_map(|((handler, event, flags, attempt), ((schedules, items), cookie, session, deadline))| {
        RunRequest {
            handler: HandlerId::from_u128(handler),
            items: items.map(|items| Arc::new(items.into_iter().map(ItemId::from_u128).collect())),
            schedules: schedules.map(|schedules| Arc::new(schedules.into_iter().map(every).collect())),
            trigger: Trigger::from_word(event),
            flags: RunFlags::from_bits_retain(flags << 8),
            cookie: cookie.map(Arc::from),
            attempt,
            session: session.map(SessionId),
            deadline: deadline.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
        }
    })
}

proptest! {
    #[test]
    fn a_request_survives_a_round_trip_with_fields_in_any_order(request in requests()) {
        let text = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(&serde_json::from_str::<RunRequest>(&text).unwrap(), &request);
        let sorted: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&serde_json::from_value::<RunRequest>(sorted).unwrap(), &request);
    }
}
