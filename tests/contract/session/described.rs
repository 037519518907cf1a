//! Runs that are described as data, and the clock and the randomness of a manager.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr::environment::Randomness;
use syncmgr::request::{RequestError, RunFlags, RunRequest, RunRequestError};
use syncmgr::{HandlerId, Outcome, StartError, SyncManager, Trigger, Uuid};
use syncmgr_test::ManualClock;

use crate::support::awaitable_host::within;
use crate::support::{HANDLER, Scripted, id};

fn manager_and_handler(names: &[&'static str]) -> (SyncManager, Scripted) {
    let handler = Scripted::new(names);
    let manager = SyncManager::new();
    manager.register(handler.clone()).expect("the handler can be registered");
    (manager, handler)
}

#[tokio::test(start_paused = true)]
async fn a_deserialized_run_runs_its_items_with_its_flags_and_cookie() {
    let (manager, handler) = manager_and_handler(&["a", "b"]);
    let request = manager.session(Trigger::Invoke).items(HANDLER, [id("b")]).may_bother_user().cookie(*b"page 7");
    let text = serde_json::to_string(&request.describe().unwrap()).unwrap();
    let described: Vec<RunRequest> = serde_json::from_str(&text).unwrap();
    assert_eq!(described.len(), 1);
    let session = manager.start(described[0].clone()).unwrap();
    assert_eq!(session.trigger(), Trigger::Invoke);
    assert!(within(session.finish()).await.is_success());
    assert_eq!(handler.transcript.of(&["item "]), ["item b"]);
    let described = &described[0];
    assert_eq!((described.flags, described.cookie.as_deref()), (RunFlags::MAY_BOTHER_USER, Some(&b"page 7"[..])));
}

#[tokio::test(start_paused = true)]
async fn a_described_run_without_items_runs_the_preferred_items() {
    let (manager, _) = manager_and_handler(&["a", "b"]);
    let report = within(manager.start(RunRequest::new(HANDLER)).unwrap().finish()).await;
    assert_eq!(report.items().filter(|item| item.outcome == Outcome::Succeeded).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_impossible_described_run_is_refused_with_a_reason() {
    let (manager, handler) = manager_and_handler(&["a"]);
    let unknown = HandlerId::from_u128(9);
    let refused = manager.start(RunRequest::new(unknown)).unwrap_err();
    assert_eq!(refused, StartError::Refused(RequestError::NotRegistered { handler: unknown }));
    let mut nothing = RunRequest::new(HANDLER);
    nothing.items = Some(Arc::default());
    assert!(matches!(manager.start(nothing).unwrap_err(), StartError::Described(RunRequestError::NoItems)));
    assert_eq!(handler.transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_after_its_deadline_is_refused() {
    let clock = ManualClock::default();
    let manager = SyncManager::builder().clock(clock.clone()).build();
    manager.register(Scripted::new(&["a"])).unwrap();
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    clock.advance(Duration::from_secs(61));
    let refused = manager.start(RunRequest::new(HANDLER).with_deadline(deadline)).unwrap_err();
    assert_eq!(refused, StartError::TooLate { deadline });
}

/// Randomness that always returns the same bytes.
struct Sevens;

impl Randomness for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[test]
fn a_manager_derives_its_id_from_the_given_randomness() {
    let with_sevens = || SyncManager::builder().randomness(Sevens).build().id();
    assert_eq!(with_sevens(), with_sevens());
    assert_eq!(with_sevens().get_version_num(), 4);
    let managers: BTreeSet<Uuid> = (0..10).map(|_| SyncManager::new().id()).collect();
    assert_eq!(managers.len(), 10, "two managers have the same id");
}
