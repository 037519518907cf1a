//! What is listed, and what becomes of it: R46, R47, R49, R58, R59, R61. R56, R57 and R60 are in `choice`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use syncmgr::classic::{HResult, wide};
use syncmgr::handler::HandlerFlags;
use syncmgr::item::{ItemFlags, ItemState};
use syncmgr::request::RunFlags;
use syncmgr::session::RunFault;
use syncmgr::{ItemId, Items, LogLevel, RunEnding, Subject, SyncItem, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::choosing::choice::{Picking, attended, choosing, unattended};
use crate::support::watched::{OnHost, begin, hosting, listed, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run};

/// A handler whose listing can be changed, after somebody has unchecked `a` of `a` and `b`.
async fn with_a_unchecked() -> (SyncManager, Scripted, Arc<Mutex<Items>>) {
    let listing = Arc::new(Mutex::new(listed(&["a", "b"])));
    let lists = listing.clone();
    let handler = Scripted::new(&[]).items(move || Ok(lists.lock().expect("nobody panics with it").clone()));
    let manager = choosing(&handler, &Picking::these(&["b"], &Transcript::new()));
    attended(&manager).await;
    (manager, handler, listing)
}

/// What runs after `a` was unchecked, once it was absent from a listing and once it is there again.
async fn after_an_absence(without: Items) -> Vec<String> {
    let (manager, handler, listing) = with_a_unchecked().await;
    *listing.lock().expect("nobody panics with it") = without;
    unattended(&manager).await;
    *listing.lock().expect("nobody panics with it") = listed(&["a", "b"]);
    unattended(&manager).await;
    handler.transcript.of(&["prepare"])
}

#[tokio::test(start_paused = true)]
async fn r046_after_a_complete_listing_the_choices_of_absent_items_are_dropped() {
    assert_eq!(after_an_absence(listed(&["b"])).await, ["prepare b", "prepare b", "prepare a b"]);
    assert_eq!(after_an_absence(listed(&[])).await, ["prepare b", "prepare a b"]);
}

#[tokio::test(start_paused = true)]
async fn r046_a_complete_listing_drops_no_choice_of_another_handler() {
    let (manager, handler, _listing) = with_a_unchecked().await;
    let other = syncmgr::HandlerInfo::new(syncmgr::HandlerId::from_u128(u128::MAX), "Other");
    manager.register(Scripted::new(&["c"]).info(|_| other)).unwrap();
    unattended(&manager).await;
    unattended(&manager).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare b"; 3]);
}

#[tokio::test(start_paused = true)]
async fn r047_after_an_incomplete_listing_the_choices_of_absent_items_are_kept() {
    let incomplete = |names: &[&'static str]| Items::incomplete(names.iter().copied().map(SyncItem::named));
    assert_eq!(after_an_absence(incomplete(&["b"])).await, ["prepare b"; 3]);
    assert_eq!(after_an_absence(incomplete(&[])).await, ["prepare b"; 2]);
}

#[tokio::test(start_paused = true)]
async fn r047_a_listing_that_failed_drops_no_choice() {
    let failing = Arc::new(Mutex::new(false));
    let fails = failing.clone();
    let handler = Scripted::new(&[]).items(move || match *fails.lock().unwrap() {
        true => Err(anyhow::anyhow!("offline")),
        false => Ok(listed(&["a", "b"])),
    });
    let manager = choosing(&handler, &Picking::these(&["b"], &Transcript::new()));
    attended(&manager).await;
    *failing.lock().unwrap() = true;
    let report = within(begin(&manager).finish()).await;
    assert_eq!(ran(&report, HANDLER).ending, Some(RunEnding::NotBegun(RunFault::Failed)));
    *failing.lock().unwrap() = false;
    within(begin(&manager).finish()).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare b", "prepare b"]);
}

#[tokio::test(start_paused = true)]
async fn r047_an_incomplete_listing_of_a_call_completed_style_handler_is_no_failure() {
    let (manager, handler) = hosting(ScriptedHandler::new(Items::incomplete([SyncItem::named("a")])));
    let session = begin(&manager);
    crate::support::watched::until_run(&session, syncmgr::session::RunChange::Preparing).await;
    session.stop();
    within(session.finish()).await;
    assert_eq!(handler.transcript().count("PrepareForSync 1"), 1);
}

/// A nil id, an id that occurs twice, and two items that are as they should be.
fn offenders() -> Items {
    let nil = SyncItem::new(ItemId::from_u128(0), "nil");
    [SyncItem::named("a"), nil, SyncItem::new(id("a"), "again"), SyncItem::named("b")].into_iter().collect()
}

/// Whether these are the reports about [`offenders`].
fn are_about_offenders(texts: &[String]) -> bool {
    let [nil, twice] = texts else { return false };
    nil.contains("`nil`") && twice.contains("`again`") && twice.contains(&id("a").to_string())
}

#[tokio::test(start_paused = true)]
async fn r049_nil_and_double_ids_are_left_out_and_reported() {
    let handler = Scripted::new(&[]).items(|| Ok(offenders()));
    let report = run(handler.clone()).await;
    assert_eq!(handler.transcript.of(&["prepare", "item "]), ["prepare a b", "item a", "item b"]);
    assert!(report.is_success(), "{report}");
    let log = &ran(&report, HANDLER).log;
    assert!(log.iter().all(|entry| entry.level == LogLevel::Warning), "{report}");
    assert!(are_about_offenders(&log.iter().map(|entry| entry.text.to_string()).collect::<Vec<_>>()), "{report}");
}

#[tokio::test(start_paused = true)]
async fn r049_a_host_that_sets_the_callback_first_is_told_of_offenders() {
    let on = OnHost::created(Scripted::new(&[]).items(|| Ok(offenders())), &Transcript::new());
    on.driven.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    assert_eq!(on.attach(), HResult::S_OK);
    let items = on.driven.enum_sync_items().await.unwrap();
    assert_eq!(items.iter().map(SyncItem::name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(are_about_offenders(&on.lines()), "{:?}", on.lines());
}

#[tokio::test(start_paused = true)]
async fn r049_a_host_that_sets_the_callback_after_the_listing_is_told_of_offenders_then() {
    let on = OnHost::ready(Scripted::new(&[]).items(|| Ok(offenders())), &Transcript::new()).await;
    assert!(are_about_offenders(&on.lines()), "{:?}", on.lines());
}

#[tokio::test(start_paused = true)]
async fn r058_the_last_update_is_known_only_where_it_is_declared() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    let items = move || {
        let undated = SyncItem::named("undated").with_flags(ItemFlags::LAST_UPDATE_TIME | ItemFlags::TEMPORARY);
        Ok([undated, SyncItem::named("dated").with_last_update(time)].into_iter().collect())
    };
    let handler = Scripted::new(&[]).items(items);
    let on = OnHost::created(handler.clone(), &Transcript::new());
    on.driven.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    let handed = on.driven.enum_sync_items().await.unwrap();
    let report = run(handler).await;
    let reported: Items = report.items().map(|item| item.item.clone()).collect();
    for items in [handed, reported] {
        let dates: Vec<_> = items.iter().map(|item| (item.last_update(), item.flags())).collect();
        let dated = (Some(time), ItemFlags::LAST_UPDATE_TIME);
        assert_eq!(dates, [(None, ItemFlags::TEMPORARY), dated]);
    }
}

#[tokio::test(start_paused = true)]
async fn r059_roaming_user_and_may_delete_item_have_no_effect() {
    let without_effect = ItemFlags::ROAMING_USER | ItemFlags::MAY_DELETE_ITEM;
    let nameless = ItemFlags::from_bits_retain(!(ItemFlags::MASK >> 1));
    let mut seen = Vec::new();
    for flags in [ItemFlags::empty(), without_effect, nameless] {
        let transcript = Transcript::new();
        let items = move || {
            let off = SyncItem::named("off").with_state(ItemState::Unchecked);
            Ok([SyncItem::named("on"), off].map(|item| item.with_flags(flags)).into_iter().collect())
        };
        let handler = Scripted::new(&[]).items(items).with_transcript(&transcript);
        let manager = choosing(&handler, &Picking::these(&["off"], &transcript));
        unattended(&manager).await;
        attended(&manager).await;
        unattended(&manager).await;
        seen.push(transcript.lines());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[tokio::test(start_paused = true)]
async fn r061_a_peer_is_handed_127_characters_of_a_name_that_is_free_here() {
    let name = "ü".repeat(200);
    let long = name.clone();
    let items = move || Ok([SyncItem::named(long.as_str())].into_iter().collect());
    let handler = Scripted::new(&[]).items(items).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let shown = manager.show_properties(HANDLER, Subject::Handler).await.unwrap();
    assert_eq!((shown[0].name(), shown[0].id()), (name.as_str(), ItemId::from_name(&name)));
    let handed = wide::item_name(shown[0].name());
    assert_eq!(handed.len(), 128);
    assert_eq!(handed[..127], [u16::from(b'\xFC'); 127]);
    assert_eq!(handed[127], 0);
}

#[tokio::test(start_paused = true)]
async fn a_listing_handed_to_a_host_says_whether_it_is_complete() {
    for items in [listed(&["a"]), Items::incomplete([SyncItem::named("a")])] {
        let wanted = items.completeness();
        let on = OnHost::created(Scripted::new(&[]).items(move || Ok(items.clone())), &Transcript::new());
        on.driven.initialize(Trigger::Manual, RunFlags::empty(), None).await;
        let handed = on.driven.enum_sync_items().await.unwrap();
        assert_eq!((handed.completeness(), handed.len()), (wanted, 1));
    }
}
