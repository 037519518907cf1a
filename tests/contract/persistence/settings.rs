//! State that a manager stores between sessions: choices, settings, registrations, answers and the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::ensure;
use syncmgr::handler::Resolution;
use syncmgr::item::ItemState;
use syncmgr::log::ErrorId;
use syncmgr::request::{RegisterFlags, RequestError};
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{LogEntry, LogLevel, SyncManager, Trigger};
use syncmgr_test::Transcript;

use crate::choosing::choice::Picker;
use crate::support::awaitable_host::{begin, items_named, within};
use crate::support::steps::{assert_succeeds, nth, register_all, wait_until_idle};
use crate::support::{HANDLER, Scripted, id, stored_log};

pub(crate) fn with_store(store: &MemoryStore, handler: &Scripted) -> SyncManager {
    register_all(SyncManager::builder().store(store.clone()).build(), [handler.clone()])
}

/// The texts in the stored log of the handler.
pub(crate) fn texts(manager: &SyncManager) -> Vec<String> {
    stored_log(manager, HANDLER).iter().map(|record| record.entry.text.to_string()).collect()
}

pub(crate) const LINK: ErrorId = ErrorId::from_u128(7);
pub(crate) const PLAIN: ErrorId = ErrorId::from_u128(8);

/// A handler whose item fails until the user has opened the error that it logs.
pub(crate) fn repairable() -> Scripted {
    let repaired = Arc::new(AtomicBool::new(false));
    let repairs = repaired.clone();
    Scripted::new(&["a", "b"])
        .on_item(move |item| {
            let broken = item.name() == "a" && !repaired.load(Ordering::Relaxed);
            if broken {
                item.log(LogEntry::new(LogLevel::Error, "the folder is gone").with_link(LINK));
                item.log(LogEntry::new(LogLevel::Warning, "an aside").with_id(PLAIN));
            }
            async move {
                ensure!(!broken, "it failed");
                Ok(())
            }
            .boxed()
        })
        .on_show_error(move |_, _| {
            repairs.store(true, Ordering::Relaxed);
            async { Ok(Resolution::Retry(vec![id("a")])) }.boxed()
        })
}

#[tokio::test(start_paused = true)]
async fn r056_items_chosen_in_one_manager_are_preferred_by_the_next() {
    let (store, handler) = (MemoryStore::new(), Scripted::new(&["a", "b"]));
    let chooser = Picker::these(&["b"], &Transcript::new());
    let first = SyncManager::builder().store(store.clone()).chooser(chooser).build();
    first.register(handler.clone()).unwrap();
    within(first.update_all().unwrap().finish()).await;
    drop(first);
    let second = with_store(&store, &handler);
    assert_succeeds(begin(&second)).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare b", "prepare b"]);
}

#[tokio::test(start_paused = true)]
async fn r046_a_complete_listing_drops_the_stored_choices_of_absent_items() {
    let store = MemoryStore::new();
    let choices = BTreeMap::from([(id("a"), Some(ItemState::Unchecked)), (id("gone"), Some(ItemState::Unchecked))]);
    store.write(vec![StateChange::Choices { handler: HANDLER, items: choices }]).await.unwrap();
    let incomplete =
        Scripted::new(&[]).items(|| Ok(syncmgr::Items::incomplete(items_named(&["a", "b"]).iter().cloned())));
    assert_succeeds(begin(&with_store(&store, &incomplete))).await;
    assert_eq!(store.choices(HANDLER).unwrap().len(), 2, "an incomplete listing dropped a choice");
    assert_succeeds(begin(&with_store(&store, &Scripted::new(&["a", "b"])))).await;
    assert_eq!(store.choices(HANDLER).unwrap(), BTreeMap::from([(id("a"), ItemState::Unchecked)]));
}

#[tokio::test(start_paused = true)]
async fn flags_set_by_the_user_override_those_of_a_later_registration() {
    let (store, handler) = (MemoryStore::new(), Scripted::new(&["a"]));
    let first = with_store(&store, &handler);
    first.set_flags(HANDLER, RegisterFlags::IDLE).unwrap();
    assert_eq!(first.registration(HANDLER).unwrap().flags, RegisterFlags::IDLE);
    drop(first);
    let second = SyncManager::builder().store(store.clone()).build();
    second.register_for(Arc::new(handler.clone()), RegisterFlags::CONNECT).unwrap();
    assert_eq!(second.registration(HANDLER).unwrap().flags, RegisterFlags::IDLE);
    for (trigger, items) in [(Trigger::Idle, 1), (Trigger::Connect, 0)] {
        let report = within(second.session(trigger).start().unwrap().finish()).await;
        assert_eq!(report.items().count(), items, "{trigger:?}");
    }
    // The same holds after a new registration in the same manager.
    second.unregister(HANDLER);
    second.register(handler).unwrap();
    assert_eq!(second.registration(HANDLER).unwrap().flags, RegisterFlags::IDLE);
}

#[tokio::test(start_paused = true)]
async fn a_stored_registration_stays_when_its_handler_is_unregistered() {
    let (store, handler) = (MemoryStore::new(), Scripted::new(&["a"]));
    let manager = with_store(&store, &handler);
    let stored = |store: &MemoryStore| store.handlers().unwrap().remove(&HANDLER).unwrap();
    assert_eq!(stored(&store).registration, manager.registration(HANDLER));
    assert_eq!(stored(&store).flags, None);
    manager.unregister(HANDLER);
    assert!(stored(&store).registration.is_some());
    assert_eq!(manager.set_flags(HANDLER, RegisterFlags::IDLE), Err(RequestError::NotRegistered { handler: HANDLER }));
    assert_eq!(stored(&store).flags, None);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_session_is_stored_once_the_session_is_idle() {
    let (store, handler) = (MemoryStore::new(), repairable());
    let manager = with_store(&store, &handler);
    assert!(texts(&manager).is_empty());
    let session = begin(&manager);
    within(session.report()).await;
    wait_until_idle().await;
    let expected = ["the folder is gone", "an aside", "it failed"];
    assert_eq!(texts(&manager), expected);
    let number = session.id();
    within(session.finish()).await;
    assert_eq!(texts(&manager), expected);
    assert!(manager.log(HANDLER).await.unwrap().iter().all(|record| record.session == number));
    assert!(manager.log(nth(9)).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_manager_keeps_the_log_of_the_previous_manager() {
    let store = MemoryStore::new();
    let handler = |text: &'static str| {
        Scripted::new(&["a"]).on_item(move |item| {
            item.warn(text);
            async { Ok(()) }.boxed()
        })
    };
    assert_succeeds(begin(&with_store(&store, &handler("of the first")))).await;
    let second = with_store(&store, &handler("of the second"));
    assert_eq!(texts(&second), ["of the first"]);
    assert_succeeds(begin(&second)).await;
    assert_eq!(texts(&second), ["of the first", "of the second"]);
}

#[tokio::test(start_paused = true)]
async fn the_logs_of_a_managers_sessions_are_stored_oldest_first() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        item.warn(format!("in session {}", item.run().session()));
        async { Ok(()) }.boxed()
    });
    let manager = with_store(&MemoryStore::new(), &handler);
    for _ in 0..3 {
        assert_succeeds(begin(&manager)).await;
    }
    assert_eq!(texts(&manager), ["in session 1", "in session 2", "in session 3"]);
}
