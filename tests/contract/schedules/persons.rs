//! What a person sets for handlers and items: schedules, requirements and windows.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use syncmgr::environment::Power;
use syncmgr::explain::Next;
use syncmgr::handler::Requirement;
use syncmgr::item::Completeness;
use syncmgr::request::RequestError;
use syncmgr::schedule::{Override, OverrideKind, Schedule};
use syncmgr::session::SettingsError;
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{HandlerInfo, Hold, Items, Subject, SyncItem, SyncManager};
use tokio::time::sleep;

use super::{Scheduled, every, item, minutes};
use crate::support::awaitable_host::within;
use crate::support::steps::{nth, start_background, wait_until_idle};
use crate::support::test_clock::{HOUR, MINUTE};
use crate::support::{Scripted, id};

/// Sets a value in its text form, or resets it.
fn try_set(
    manager: &SyncManager,
    subject: Subject,
    (kind, text): (OverrideKind, Option<&str>),
) -> Result<(), SettingsError> {
    let stored = match text {
        Some(text) => manager.set_override(nth(1), subject, kind.parse(text).expect("it is valid")).now_or_never(),
        None => manager.reset_override(nth(1), subject, kind).now_or_never(),
    };
    stored.expect("the store is in memory")
}

fn set(manager: &SyncManager, subject: Subject, kind: OverrideKind, text: &str) {
    try_set(manager, subject, (kind, Some(text))).expect("it is possible");
}

fn set_schedule(manager: &SyncManager, subject: Subject, text: &str) {
    set(manager, subject, OverrideKind::Schedule, text);
}

fn reset(manager: &SyncManager, subject: Subject, kind: OverrideKind) {
    try_set(manager, subject, (kind, None)).expect("it is possible");
}

fn named(name: &str) -> Subject {
    Subject::Item(id(name))
}

/// A handler with the item `own`, which runs every two minutes, and the item `shared`.
fn mixed(scheduled: &Scheduled, schedule: Schedule) -> Scripted {
    let items = || Ok([item("own", every(2 * MINUTE)), SyncItem::named("shared")].into_iter().collect());
    scheduled.handler(&[], schedule).items(items)
}

#[tokio::test(start_paused = true)]
async fn a_person_replaces_the_schedule_of_a_handler_and_resets_it() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(scheduled.handler(&["a"], every(10 * MINUTE)));
    set_schedule(&manager, Subject::Handler, "every 1m");
    minutes(2).await;
    set_schedule(&manager, Subject::Handler, "every 3m");
    minutes(4).await;
    assert_eq!(scheduled.began.of("a"), [60, 120, 300]);
    reset(&manager, Subject::Handler, OverrideKind::Schedule);
    minutes(20).await;
    assert_eq!(scheduled.began.of("a")[3..], [960, 1_560], "the declared one begins anew");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_without_a_schedule_gets_one_from_a_person() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(scheduled.began.handler(1, &["a"], |_, _| Ok(())));
    set_schedule(&manager, Subject::Handler, "every 1m");
    minutes(2).await;
    assert_eq!(scheduled.began.of("a"), [60, 120]);
    let item = manager.explain_item(nth(1), id("a")).unwrap();
    assert!(matches!(item.next, Next::At { time } if time > scheduled.clock.wall()), "{item}");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_set_to_never_leaves_the_schedules_of_its_items() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(mixed(&scheduled, every(MINUTE)));
    set_schedule(&manager, Subject::Handler, "never");
    assert!(manager.agenda().is_empty(), "nothing is listed yet");
    manager.update_all().unwrap().finish().await;
    minutes(4).await;
    assert_eq!((scheduled.began.of("own"), scheduled.began.of("shared")), (vec![0, 120, 240], vec![0]));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_an_item_shares_with_its_handler_stays_with_the_item() {
    let scheduled = Scheduled::new();
    let items = || Ok([item("own", every(MINUTE)), SyncItem::named("shared")].into_iter().collect());
    let manager = scheduled.start(scheduled.handler(&[], every(MINUTE)).items(items));
    minutes(1).await;
    set_schedule(&manager, Subject::Handler, "never");
    minutes(1).await;
    assert_eq!((scheduled.began.of("own"), scheduled.began.of("shared")), (vec![60, 120], vec![60]));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_replaces_the_schedules_of_items_and_new_listings_do_not() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(mixed(&scheduled, every(10 * MINUTE)));
    manager.update_all().unwrap().finish().await;
    set_schedule(&manager, named("own"), "never");
    set_schedule(&manager, named("shared"), "every 4m");
    minutes(8).await;
    assert_eq!((scheduled.began.of("own"), scheduled.began.of("shared")), (vec![0], vec![0, 240, 480]));
    assert!(!matches!(manager.explain_item(nth(1), id("own")).unwrap().next, Next::At { .. }));
    reset(&manager, named("own"), OverrideKind::Schedule);
    minutes(3).await;
    assert_eq!(scheduled.began.of("own"), [0, 600]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lists_its_items_keeps_the_schedules_set_meanwhile() {
    let (scheduled, manager) = (Scheduled::new(), Arc::<OnceLock<SyncManager>>::default());
    let application = manager.clone();
    let items = move || {
        let manager = application.get().expect("the manager lists the items");
        set_schedule(manager, Subject::Handler, "every 1h");
        if has_listed(manager) {
            set_schedule(manager, named("b"), "every 2h");
        }
        Ok(["a", "b"].map(SyncItem::named).into_iter().collect())
    };
    manager.get_or_init(|| scheduled.start(scheduled.handler(&[], every(MINUTE)).items(items)));
    sleep(4 * HOUR).await;
    assert_eq!(scheduled.began.of("a"), [3_660, 7_260, 10_860], "the firing of the replaced schedule runs nothing");
    assert_eq!(scheduled.began.of("b"), [10_860], "its own one counts from the second listing");
    manager.get().unwrap().shutdown().await;
}

/// Returns `true` once the handler has listed its items.
fn has_listed(manager: &SyncManager) -> bool {
    manager.settings(nth(1), named("b")).is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_a_set_schedule_neither_loses_nor_repeats_a_firing() {
    let scheduled = Scheduled::new();
    let handler = || scheduled.handler(&["a"], every(5 * MINUTE));
    let manager = scheduled.start(handler());
    set_schedule(&manager, Subject::Handler, "every 10m");
    manager.shutdown().await;
    for _ in 0..10 {
        let manager = scheduled.start(handler());
        minutes(3).await;
        manager.shutdown().await;
    }
    assert_eq!(scheduled.began.of("a"), [600, 1_200, 1_800]);
}

#[tokio::test(start_paused = true)]
async fn what_is_set_for_an_item_applies_after_a_restart_before_anything_is_listed() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(mixed(&scheduled, every(HOUR)));
    manager.update_all().unwrap().finish().await;
    set_schedule(&manager, named("own"), "once 2100-01-01T00:00:00Z");
    set(&manager, named("own"), OverrideKind::Requirements, "mains");
    manager.shutdown().await;
    drop(manager);
    let manager = scheduled.start(mixed(&scheduled, every(HOUR)));
    let own = manager.items(nth(1)).await.unwrap().into_iter().find(|item| &*item.name == "own").unwrap();
    assert_eq!(own.settings.declared, None);
    assert_eq!(own.settings.in_force().requirements.iter().collect::<Vec<_>>(), [Requirement::Mains]);
    let schedules: Vec<_> = manager.agenda().iter().map(|entry| entry.work.to_string()).collect();
    assert!(schedules.iter().any(|work| work.contains("2100")), "{schedules:?}");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_registration_does_not_overwrite_what_is_set_and_a_forget_does() {
    let scheduled = Scheduled::new();
    let handler = |every_minutes| scheduled.handler(&["a"], every(every_minutes * MINUTE));
    let manager = scheduled.start(handler(5));
    set_schedule(&manager, Subject::Handler, "every 1m");
    for every_minutes in [5, 7] {
        assert!(manager.unregister(nth(1)));
        manager.register(handler(every_minutes)).unwrap();
    }
    minutes(2).await;
    assert_eq!(scheduled.began.of("a"), [60, 120]);
    within(manager.forget(nth(1))).await.unwrap();
    manager.register(handler(7)).unwrap();
    assert!(manager.settings(nth(1), Subject::Handler).unwrap().overrides.is_empty());
    minutes(8).await;
    assert_eq!(scheduled.began.of("a")[2..], [540]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_registered_again_with_another_schedule_no_longer_has_the_first() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(scheduled.handler(&["a"], every(MINUTE)));
    assert!(manager.unregister(nth(1)));
    manager.register(scheduled.handler(&["a"], every(HOUR))).unwrap();
    assert_eq!(manager.agenda().len(), 1);
    assert_eq!(scheduled.store.firings(nth(1)).unwrap().into_keys().collect::<Vec<_>>(), [every(HOUR)]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_waits_for_its_handler_starts_once_a_person_requires_nothing() {
    let scheduled = Scheduled::new();
    scheduled.environment.set_power(Power::Battery);
    let handler = scheduled.handler(&["a"], every(MINUTE)).info(|info: HandlerInfo| info.requires(Requirement::Mains));
    let manager = scheduled.start(handler);
    minutes(1).await;
    assert_eq!(manager.agenda()[0].hold, Some(Hold::OnBattery));
    let mut changes = manager.agenda_changes();
    set(&manager, Subject::Handler, OverrideKind::Requirements, "none");
    assert!(within(changes.next()).await);
    wait_until_idle().await;
    assert_eq!(scheduled.began.of("a"), [60]);
    assert!(manager.explain_handler(nth(1)).unwrap().holds.is_empty());
    set(&manager, Subject::Handler, OverrideKind::Requirements, "mains");
    minutes(2).await;
    assert_eq!(scheduled.began.of("a"), [60]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_waits_for_its_requirement_waits_for_the_one_that_is_set() {
    let (scheduled, plugged) = (Scheduled::new(), || SyncItem::named("a").requires(Requirement::Mains));
    scheduled.environment.set_power(Power::Battery);
    let handler = scheduled.began.handler(1, &[], |_, _| Ok(())).items(move || Ok([plugged()].into_iter().collect()));
    let manager = scheduled.start(handler);
    let _ = within(start_background(&manager, 1).finish()).await;
    assert_eq!(manager.explain_item(nth(1), id("a")).unwrap().holds, [Hold::OnBattery]);
    set(&manager, named("a"), OverrideKind::Requirements, "battery-not-low");
    wait_until_idle().await;
    assert_eq!(scheduled.began.of("a"), [0]);
    let known = manager.settings(nth(1), named("a")).unwrap();
    assert!(known.declared.unwrap().requirements.contains(Requirement::Mains));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_that_a_person_sets_holds_and_releases_automatic_work() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    let minute = |after| {
        let now = scheduled.clock.wall() + after * MINUTE;
        now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 60 % (24 * 60)
    };
    let of_day = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let window = format!("{}-{} in UTC", of_day(minute(10)), of_day(minute(12)));
    set(&manager, Subject::Handler, OverrideKind::Window, &window);
    minutes(5).await;
    assert!(scheduled.began.of("a").is_empty());
    assert!(matches!(manager.explain_handler(nth(1)).unwrap().holds[..], [Hold::OutsideWindow { .. }]));
    set(&manager, Subject::Handler, OverrideKind::Window, "always");
    minutes(1).await;
    assert_eq!(scheduled.began.of("a").len(), 2);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_set_for_an_item_ends_once_a_complete_listing_lacks_it() {
    let scheduled = Scheduled::new();
    let names = Arc::new(std::sync::Mutex::new((vec!["a", "b"], Completeness::Complete)));
    let listed = names.clone();
    let items = move || {
        let (names, completeness) = listed.lock().unwrap().clone();
        let items = names.into_iter().map(SyncItem::named);
        Ok(if completeness == Completeness::Complete { items.collect() } else { Items::incomplete(items) })
    };
    let manager = scheduled.start(scheduled.handler(&[], every(HOUR)).items(items));
    let list = async |names_now: Vec<&'static str>, completeness| {
        *names.lock().unwrap() = (names_now, completeness);
        manager.update_all().unwrap().finish().await;
        manager.settings(nth(1), named("b")).map(|known| known.overrides.is_empty())
    };
    assert!(matches!(list(vec!["a", "b"], Completeness::Complete).await, Ok(true)));
    set_schedule(&manager, named("b"), "never");
    assert!(matches!(list(vec!["a"], Completeness::MissingItems).await, Ok(false)));
    assert!(matches!(list(vec!["a", "b"], Completeness::Complete).await, Ok(false)));
    assert!(matches!(list(vec!["a"], Completeness::Complete).await, Ok(true)));
    assert!(matches!(list(vec!["a", "b"], Completeness::Complete).await, Ok(true)));
    assert!(scheduled.store.overrides(nth(1)).unwrap().is_empty());
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn forgetting_an_item_forgets_what_is_set_for_it() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(mixed(&scheduled, every(HOUR)));
    manager.update_all().unwrap().finish().await;
    set_schedule(&manager, named("shared"), "every 5m");
    within(manager.forget_item(nth(1), id("shared"))).await.unwrap();
    manager.update_all().unwrap().finish().await;
    assert!(manager.settings(nth(1), named("shared")).unwrap().overrides.is_empty());
    assert_eq!(manager.agenda().len(), 2, "that of the handler and that of the other item");
    assert!(scheduled.store.overrides(nth(1)).unwrap().is_empty());
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_apply_is_refused_and_changes_nothing() {
    let scheduled = Scheduled::new();
    let handler = scheduled.handler(&["a"], every(HOUR)).info(|info: HandlerInfo| info.requires(Requirement::IdleUser));
    let manager = scheduled.start(handler);
    let unknown = try_set(&manager, named("a"), (OverrideKind::Schedule, Some("never")));
    assert!(matches!(unknown, Err(SettingsError::UnknownItem { .. })), "nothing is listed yet: {unknown:?}");
    manager.update_all().unwrap().finish().await;
    let both = try_set(&manager, Subject::Handler, (OverrideKind::Requirements, Some("idle-user,active-user")));
    assert!(matches!(both, Err(SettingsError::Refused(RequestError::Contradictory { .. }))), "{both:?}");
    let of_item = try_set(&manager, named("a"), (OverrideKind::Requirements, Some("active-user")));
    assert!(matches!(of_item, Err(SettingsError::Refused(RequestError::Contradictory { .. }))), "{of_item:?}");
    set(&manager, Subject::Handler, OverrideKind::Window, "08:00-12:00 in UTC");
    let windows = try_set(&manager, named("a"), (OverrideKind::Window, Some("13:00-17:00 in UTC")));
    assert!(matches!(windows, Err(SettingsError::Refused(RequestError::NeverOpen { .. }))), "{windows:?}");
    assert!(manager.settings(nth(1), named("a")).unwrap().overrides.is_empty());
    assert_eq!(scheduled.store.overrides(nth(1)).unwrap().len(), 1);
    let never = Override::Schedule(Schedule::NEVER);
    let elsewhere = within(manager.set_override(nth(2), Subject::Handler, never)).await;
    assert!(matches!(elsewhere, Err(SettingsError::Refused(RequestError::NotRegistered { .. }))));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_contradicts_its_handler_is_refused_for_an_item_not_yet_listed() {
    let scheduled = Scheduled::new();
    let handler =
        || scheduled.handler(&["a"], every(HOUR)).info(|info: HandlerInfo| info.requires(Requirement::IdleUser));
    let manager = scheduled.start(handler());
    manager.update_all().unwrap().finish().await;
    manager.shutdown().await;
    drop(manager);
    let manager = scheduled.start(handler());
    let refused = try_set(&manager, named("a"), (OverrideKind::Requirements, Some("active-user")));
    assert!(matches!(refused, Err(SettingsError::Refused(RequestError::Contradictory { .. }))), "{refused:?}");
    assert!(scheduled.store.overrides(nth(1)).unwrap().is_empty());
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_item_that_the_last_listing_lacks_waits_on() {
    let (scheduled, names) = (Scheduled::new(), Arc::new(std::sync::Mutex::new(vec!["a"])));
    scheduled.environment.set_power(Power::Battery);
    let listed = names.clone();
    let items = move || {
        let names = listed.lock().unwrap().clone();
        Ok(Items::incomplete(names.into_iter().map(|name| SyncItem::named(name).requires(Requirement::Mains))))
    };
    let handler = scheduled.began.handler(1, &[], |_, _| Ok(())).items(items);
    let manager = scheduled.start(handler.clone());
    let _ = within(start_background(&manager, 1).finish()).await;
    names.lock().unwrap().clear();
    let _ = within(start_background(&manager, 1).finish()).await;
    let (holds, listings) = (|| manager.agenda()[0].hold.clone(), handler.transcript.count("items"));
    assert_eq!(holds(), Some(Hold::OnBattery));
    set(&manager, Subject::Handler, OverrideKind::Window, "always");
    wait_until_idle().await;
    assert_eq!((handler.transcript.count("items"), holds()), (listings, Some(Hold::OnBattery)));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_what_is_set_applies_next_to_a_value_that_cannot_be_read() {
    let unreadable = Unreadable(Scheduled::new());
    let manager = unreadable.0.builder().store(unreadable.store()).build();
    for _ in 0..2 {
        manager.register(unreadable.0.handler(&["a"], every(5 * MINUTE))).unwrap();
        manager.unregister(nth(1));
    }
    manager.register(unreadable.0.handler(&["a"], every(5 * MINUTE))).unwrap();
    let known = manager.settings(nth(1), Subject::Handler).unwrap();
    let set: Vec<_> = known.overrides.iter().map(ToString::to_string).collect();
    assert_eq!(set, ["mains"]);
    assert_eq!(known.in_force().schedule, Some(every(5 * MINUTE)), "the declared one applies");
    let log = manager.log(nth(1)).await.unwrap();
    assert_eq!(log.len(), 1, "each registration replaces the entry");
    assert!(log[0].entry.text.contains("`Mars/Base` is not known"), "{log:?}");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn setting_or_resetting_a_value_that_cannot_be_read_deletes_the_entry_about_it() {
    for text in [Some("every 1m"), None] {
        let unreadable = Unreadable(Scheduled::new());
        let manager = unreadable.0.builder().store(unreadable.store()).build();
        manager.register(unreadable.0.handler(&["a"], every(5 * MINUTE))).unwrap();
        set(&manager, Subject::Handler, OverrideKind::Requirements, "none");
        assert_eq!(manager.log(nth(1)).await.unwrap().len(), 1, "the entry is about another value");
        try_set(&manager, Subject::Handler, (OverrideKind::Schedule, text)).unwrap();
        assert!(manager.log(nth(1)).await.unwrap().is_empty());
        manager.shutdown().await;
    }
}

/// A store with a schedule in a time zone that does not exist.
struct Unreadable(Scheduled);

impl Unreadable {
    fn store(&self) -> WithUnreadable {
        let value = OverrideKind::Requirements.parse("mains").ok();
        let (subject, kind) = (Subject::Handler, OverrideKind::Requirements);
        let change = StateChange::Override { handler: nth(1), subject, kind, value };
        self.0.store.write(vec![change]).now_or_never().expect("the store is in memory").expect("it is stored");
        WithUnreadable { inner: self.0.store.clone() }
    }
}

struct WithUnreadable {
    inner: syncmgr::store::MemoryStore,
}

impl StateStore for WithUnreadable {
    syncmgr_test::reads_from!(inner: handlers, choices, log, answer, record, retry_states, recorded_items, ended_since);
    syncmgr_test::reads_from!(inner: resources, records, names, disabled, firings, sessions, interrupted, last_session);
    syncmgr_test::reads_from!(inner: histogram);

    fn overrides(&self, handler: syncmgr::HandlerId) -> syncmgr::SyncResult<syncmgr::schedule::StoredOverrides> {
        let mut stored = self.inner.overrides(handler)?;
        stored.insert((Subject::Handler, OverrideKind::Schedule), "cron 0 1 * * * in Mars/Base".into());
        Ok(stored)
    }

    fn write(&self, changes: Vec<StateChange>) -> futures::future::BoxFuture<'static, syncmgr::SyncResult> {
        self.inner.write(changes)
    }
}
