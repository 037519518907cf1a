//! Listed items: R46, R47, R49, R58, R59, R61. R56, R57 and R60 are in `choice`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use syncmgr::classic::{HResult, win32};
use syncmgr::handler::HandlerFlags;
use syncmgr::item::{ItemFlags, ItemState};
use syncmgr::request::RunFlags;
use syncmgr::session::RunFault;
use syncmgr::{ItemId, Items, LogLevel, RunEnding, Subject, SyncItem, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::choosing::choice::{Picker, manager_with_chooser, run_attended, run_unattended};
use crate::support::awaitable_host::{HandlerOnHost, begin, host_classic, items_named, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run};

/// Returns a manager, its handler and the listing of that handler: the items `a`, which a choice has unchecked, and `b`.
async fn manager_with_unchecked_item() -> (SyncManager, Scripted, Arc<Mutex<Items>>) {
    let listing = Arc::new(Mutex::new(items_named(&["a", "b"])));
    let lists = listing.clone();
    let handler = Scripted::new(&[]).items(move || Ok(lists.lock().expect("not poisoned").clone()));
    let manager = manager_with_chooser(&handler, &Picker::these(&["b"], &Transcript::new()));
    run_attended(&manager).await;
    (manager, handler, listing)
}

/// Unchecks `a`, lists `without` once, lists `a` and `b` again, and returns the calls of `prepare`.
async fn prepared_after_absence(without: Items) -> Vec<String> {
    let (manager, handler, listing) = manager_with_unchecked_item().await;
    *listing.lock().expect("not poisoned") = without;
    run_unattended(&manager).await;
    *listing.lock().expect("not poisoned") = items_named(&["a", "b"]);
    run_unattended(&manager).await;
    handler.transcript.of(&["prepare"])
}

#[tokio::test(start_paused = true)]
async fn r046_a_complete_listing_drops_the_choices_of_absent_items() {
    assert_eq!(prepared_after_absence(items_named(&["b"])).await, ["prepare b", "prepare b", "prepare a b"]);
    assert_eq!(prepared_after_absence(items_named(&[])).await, ["prepare b", "prepare a b"]);
}

#[tokio::test(start_paused = true)]
async fn r046_a_complete_listing_keeps_the_choices_of_other_handlers() {
    let (manager, handler, _listing) = manager_with_unchecked_item().await;
    let other = syncmgr::HandlerInfo::new(syncmgr::HandlerId::from_u128(u128::MAX), "Other");
    manager.register(Scripted::new(&["c"]).info(|_| other)).unwrap();
    run_unattended(&manager).await;
    run_unattended(&manager).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare b"; 3]);
}

#[tokio::test(start_paused = true)]
async fn r047_an_incomplete_listing_keeps_the_choices_of_absent_items() {
    let incomplete = |names: &[&'static str]| Items::incomplete(names.iter().copied().map(SyncItem::named));
    assert_eq!(prepared_after_absence(incomplete(&["b"])).await, ["prepare b"; 3]);
    assert_eq!(prepared_after_absence(incomplete(&[])).await, ["prepare b"; 2]);
}

#[tokio::test(start_paused = true)]
async fn r047_a_failed_listing_keeps_all_choices() {
    let failing = Arc::new(Mutex::new(false));
    let fails = failing.clone();
    let handler = Scripted::new(&[]).items(move || match *fails.lock().unwrap() {
        true => Err(anyhow::anyhow!("offline")),
        false => Ok(items_named(&["a", "b"])),
    });
    let manager = manager_with_chooser(&handler, &Picker::these(&["b"], &Transcript::new()));
    run_attended(&manager).await;
    *failing.lock().unwrap() = true;
    let report = within(begin(&manager).finish()).await;
    assert_eq!(ran(&report, HANDLER).ending, Some(RunEnding::NotBegun(RunFault::Failed)));
    *failing.lock().unwrap() = false;
    within(begin(&manager).finish()).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare b", "prepare b"]);
}

#[tokio::test(start_paused = true)]
async fn r047_an_incomplete_listing_of_a_classic_handler_is_not_a_failure() {
    let (manager, handler) = host_classic(ScriptedHandler::new(Items::incomplete([SyncItem::named("a")])));
    let session = begin(&manager);
    crate::support::awaitable_host::until_run(&session, syncmgr::session::RunChange::Preparing).await;
    session.stop();
    within(session.finish()).await;
    assert_eq!(handler.transcript().count("PrepareForSync 1"), 1);
}

/// Returns an item with a nil id, an item with a duplicate id, and two valid items.
fn with_invalid_ids() -> Items {
    let nil = SyncItem::new(ItemId::from_u128(0), "nil");
    [SyncItem::named("a"), nil, SyncItem::new(id("a"), "again"), SyncItem::named("b")].into_iter().collect()
}

/// Returns `true` if these are the warnings about [`with_invalid_ids`].
fn are_about_invalid_ids(texts: &[String]) -> bool {
    let [nil, duplicate] = texts else { return false };
    nil.contains("`nil`") && duplicate.contains("`again`") && duplicate.contains(&id("a").to_string())
}

#[tokio::test(start_paused = true)]
async fn r049_nil_and_duplicate_ids_are_left_out_and_logged() {
    let handler = Scripted::new(&[]).items(|| Ok(with_invalid_ids()));
    let report = run(handler.clone()).await;
    assert_eq!(handler.transcript.of(&["prepare", "item "]), ["prepare a b", "item a", "item b"]);
    assert!(report.is_success(), "{report}");
    let log = &ran(&report, HANDLER).log;
    assert!(log.iter().all(|entry| entry.level == LogLevel::Warning), "{report}");
    assert!(are_about_invalid_ids(&log.iter().map(|entry| entry.text.to_string()).collect::<Vec<_>>()), "{report}");
}

#[tokio::test(start_paused = true)]
async fn r049_a_callback_set_before_the_listing_receives_the_warnings() {
    let on = HandlerOnHost::created(Scripted::new(&[]).items(|| Ok(with_invalid_ids())), &Transcript::new());
    on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    assert_eq!(on.attach(), HResult::S_OK);
    let items = on.adapter.enum_sync_items().await.unwrap();
    assert_eq!(items.iter().map(SyncItem::name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(are_about_invalid_ids(&on.lines()), "{:?}", on.lines());
}

#[tokio::test(start_paused = true)]
async fn r049_a_callback_set_after_the_listing_receives_the_warnings() {
    let on = HandlerOnHost::ready(Scripted::new(&[]).items(|| Ok(with_invalid_ids())), &Transcript::new()).await;
    assert!(are_about_invalid_ids(&on.lines()), "{:?}", on.lines());
}

#[tokio::test(start_paused = true)]
async fn r058_the_last_update_is_known_only_if_it_is_declared() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    let items = move || {
        let undated = SyncItem::named("undated").with_flags(ItemFlags::LAST_UPDATE_TIME | ItemFlags::TEMPORARY);
        Ok([undated, SyncItem::named("dated").with_last_update(time)].into_iter().collect())
    };
    let handler = Scripted::new(&[]).items(items);
    let on = HandlerOnHost::created(handler.clone(), &Transcript::new());
    on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    let received = on.adapter.enum_sync_items().await.unwrap();
    let report = run(handler).await;
    let reported: Items = report.items().map(|item| item.item.clone()).collect();
    for items in [received, reported] {
        let dates: Vec<_> = items.iter().map(|item| (item.last_update(), item.flags())).collect();
        let dated = (Some(time), ItemFlags::LAST_UPDATE_TIME);
        assert_eq!(dates, [(None, ItemFlags::TEMPORARY), dated]);
    }
}

#[tokio::test(start_paused = true)]
async fn r059_roaming_user_and_may_delete_item_have_no_effect() {
    let without_effect = ItemFlags::ROAMING_USER | ItemFlags::MAY_DELETE_ITEM;
    let unknown = ItemFlags::from_bits_retain(!(ItemFlags::MASK >> 1));
    let mut seen = Vec::new();
    for flags in [ItemFlags::empty(), without_effect, unknown] {
        let transcript = Transcript::new();
        let items = move || {
            let off = SyncItem::named("off").with_state(ItemState::Unchecked);
            Ok([SyncItem::named("on"), off].map(|item| item.with_flags(flags)).into_iter().collect())
        };
        let handler = Scripted::new(&[]).items(items).with_transcript(&transcript);
        let manager = manager_with_chooser(&handler, &Picker::these(&["off"], &transcript));
        run_unattended(&manager).await;
        run_attended(&manager).await;
        run_unattended(&manager).await;
        seen.push(transcript.lines());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[tokio::test(start_paused = true)]
async fn r061_a_peer_receives_127_characters_of_an_item_name() {
    let name = "ü".repeat(200);
    let long = name.clone();
    let items = move || Ok([SyncItem::named(long.as_str())].into_iter().collect());
    let handler = Scripted::new(&[]).items(items).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let shown = manager.show_properties(HANDLER, Subject::Handler).await.unwrap();
    assert_eq!((shown[0].name(), shown[0].id()), (name.as_str(), ItemId::from_name(&name)));
    let received = win32::item_name(shown[0].name());
    assert_eq!(received.len(), 128);
    assert_eq!(received[..127], [u16::from(b'\xFC'); 127]);
    assert_eq!(received[127], 0);
}

#[tokio::test(start_paused = true)]
async fn a_listing_passed_to_a_host_is_marked_complete_or_incomplete() {
    for items in [items_named(&["a"]), Items::incomplete([SyncItem::named("a")])] {
        let wanted = items.completeness();
        let on = HandlerOnHost::created(Scripted::new(&[]).items(move || Ok(items.clone())), &Transcript::new());
        on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
        let received = on.adapter.enum_sync_items().await.unwrap();
        assert_eq!((received.completeness(), received.len()), (wanted, 1));
    }
}
