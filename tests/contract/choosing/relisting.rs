//! The listed items after properties were shown: R70 to R73.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::handler::{HandlerFlags, PropertiesOutcome};
use syncmgr::item::ItemFlags;
use syncmgr::session::PropertiesError;
use syncmgr::{HandlerInfo, Items, Subject, SyncItem, SyncManager, SyncResult};
use syncmgr_test::{ScriptedHandler, Transcript};
use tokio::sync::Notify;

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, within};
use crate::support::{HANDLER, Scripted, id};

/// Returns the item whose properties are shown.
fn shown_item() -> Subject {
    Subject::Item(id("a"))
}

/// Returns items with properties.
fn items_with_properties(names: &[&'static str]) -> Items {
    names.iter().map(|name| SyncItem::named(*name).with_flags(ItemFlags::HAS_PROPERTIES)).collect()
}

fn names(items: &[SyncItem]) -> Vec<&str> {
    items.iter().map(SyncItem::name).collect()
}

/// Returns a handler with the items `a` and `b`. Its `show_properties` adds `c` and returns `outcome()`.
fn handler_adding_item(outcome: fn() -> SyncResult<PropertiesOutcome>) -> Scripted {
    let listing = Arc::new(Mutex::new(items_with_properties(&["a", "b"])));
    let listed = listing.clone();
    Scripted::new(&[])
        .items(move || Ok(listed.lock().expect("not poisoned").clone()))
        .info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES))
        .on_show_properties(move |_, _| {
            *listing.lock().expect("not poisoned") = items_with_properties(&["a", "b", "c"]);
            async move { outcome() }.boxed()
        })
}

fn manager_of(handler: &Scripted) -> SyncManager {
    let manager = SyncManager::new();
    manager.register(handler.clone()).expect("the handler can be registered");
    manager
}

#[tokio::test(start_paused = true)]
async fn r070_the_list_again_outcome_lists_the_items_again() {
    for subject in [Subject::Handler, shown_item()] {
        let handler = handler_adding_item(|| Ok(PropertiesOutcome::ListAgain));
        let items = within(manager_of(&handler).show_properties(HANDLER, subject)).await.unwrap();
        assert_eq!(names(&items), ["a", "b", "c"]);
        let shown = format!("show_properties {subject:?}");
        assert_eq!(handler.transcript.lines()[1..], ["items", &shown, "items"]);
    }
}

#[tokio::test(start_paused = true)]
async fn r070_a_host_receives_enumitems_and_lists_again() {
    let handler = handler_adding_item(|| Ok(PropertiesOutcome::ListAgain));
    let on = HandlerOnHost::ready(handler, &Transcript::new()).await;
    assert_eq!(on.adapter.prepare_for_sync(&[id("c")]), HResult::E_INVALIDARG);
    assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::S_OK);
    on.host.wait_for("ShowPropertiesCompleted S_SYNCMGR_ENUMITEMS").await;
    assert_eq!(on.adapter.enum_sync_items().await.unwrap().len(), 3);
    assert_eq!(on.adapter.prepare_for_sync(&[id("c")]), HResult::S_OK);
}

#[tokio::test(start_paused = true)]
async fn r071_the_item_deleted_outcome_removes_the_shown_item() {
    let handler = handler_adding_item(|| Ok(PropertiesOutcome::ItemDeleted));
    let items = within(manager_of(&handler).show_properties(HANDLER, shown_item())).await.unwrap();
    assert_eq!(names(&items), ["b"]);
    assert_eq!(handler.transcript.count("items"), 1);
}

#[tokio::test(start_paused = true)]
async fn r071_item_deleted_for_the_handler_removes_nothing() {
    let handler = handler_adding_item(|| Ok(PropertiesOutcome::ItemDeleted));
    let items = within(manager_of(&handler).show_properties(HANDLER, Subject::Handler)).await.unwrap();
    assert_eq!(names(&items), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn r071_a_host_receives_itemdeleted() {
    let on = HandlerOnHost::ready(handler_adding_item(|| Ok(PropertiesOutcome::ItemDeleted)), &Transcript::new()).await;
    assert_eq!(on.adapter.show_properties(shown_item()), HResult::S_OK);
    on.host.wait_for("ShowPropertiesCompleted S_SYNCMGR_ITEMDELETED").await;
    assert_eq!(on.adapter.prepare_for_sync(&[id("b")]), HResult::S_OK);
}

/// Completes `ShowProperties` of a classic handler with a code; returns the items and the number of listings.
async fn complete_with(code: HResult) -> (Result<Vec<String>, PropertiesError>, usize) {
    let info = HandlerInfo::new(CLASSIC, "Scripted").with_flags(HandlerFlags::HAS_PROPERTIES);
    let handler =
        ScriptedHandler::new(items_with_properties(&["a", "b"])).with_info(info).on_show_properties(move |side| {
            side.callback().show_properties_completed(code);
            HResult::S_OK
        });
    let (manager, handler) = host_classic(handler);
    let items = within(manager.show_properties(CLASSIC, shown_item())).await;
    let named = items.map(|items| items.iter().map(|item| item.name().to_owned()).collect());
    (named, handler.transcript().count("EnumSyncMgrItems"))
}

#[tokio::test(start_paused = true)]
async fn r070_r071_the_codes_of_a_classic_handler_are_applied() {
    let both = Ok(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(complete_with(HResult::S_SYNCMGR_ENUMITEMS).await, (both, 2));
    assert_eq!(complete_with(HResult::S_SYNCMGR_ITEMDELETED).await, (Ok(vec!["b".to_owned()]), 1));
}

#[tokio::test(start_paused = true)]
async fn r072_any_other_code_leaves_the_items_unchanged() {
    let others = [
        HResult::S_OK,
        HResult::S_FALSE,
        HResult::S_SYNCMGR_MISSINGITEMS,
        HResult::S_SYNCMGR_RETRYSYNC,
        HResult::S_SYNCMGR_CANCELITEM,
        HResult::S_SYNCMGR_CANCELALL,
    ];
    for code in others {
        assert_eq!(complete_with(code).await, (Ok(vec!["a".to_owned(), "b".to_owned()]), 1), "{code}");
    }
    let (failed, listed) = complete_with(HResult::E_FAIL).await;
    assert!(matches!(failed, Err(PropertiesError::NotShown { code: HResult::E_FAIL, .. })), "{failed:?}");
    assert_eq!(listed, 1);
}

#[tokio::test(start_paused = true)]
async fn r072_the_done_outcome_lists_nothing_again() {
    let handler = handler_adding_item(|| Ok(PropertiesOutcome::Done));
    let items = within(manager_of(&handler).show_properties(HANDLER, shown_item())).await.unwrap();
    assert_eq!((names(&items), handler.transcript.count("items")), (vec!["a", "b"], 1));
}

/// Returns a handler whose `show_properties` waits for the notification, and then notes `closed`.
fn handler_with_open_dialog(transcript: &Transcript) -> (Scripted, Arc<Notify>) {
    let (close, notes) = (Arc::new(Notify::new()), transcript.clone());
    let closing = close.clone();
    let handler = handler_adding_item(|| Ok(PropertiesOutcome::Done)).with_transcript(transcript).on_show_properties(
        move |_, _| {
            let (closing, notes) = (closing.clone(), notes.clone());
            async move {
                closing.notified().await;
                notes.note("closed");
                Ok(PropertiesOutcome::Done)
            }
            .boxed()
        },
    );
    (handler, close)
}

#[tokio::test(start_paused = true)]
async fn r073_properties_are_shown_one_at_a_time() {
    let transcript = Transcript::new();
    let (handler, close) = handler_with_open_dialog(&transcript);
    let manager = manager_of(&handler);
    let closing = async {
        for shown in 1..=2 {
            while transcript.count("show_properties") < shown {
                tokio::task::yield_now().await;
            }
            // Gives the second call time to begin.
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            assert_eq!(transcript.count("show_properties"), shown);
            close.notify_one();
        }
    };
    let (first, second) =
        (manager.show_properties(HANDLER, Subject::Handler), manager.show_properties(HANDLER, shown_item()));
    let (first, second, ()) = within(async { tokio::join!(first, second, closing) }).await;
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    let lines = transcript.of(&["show_properties", "closed"]);
    let short: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(short, ["show_properties", "closed", "show_properties", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn r073_a_host_is_refused_a_second_show_properties_at_the_same_time() {
    let transcript = Transcript::new();
    let (handler, close) = handler_with_open_dialog(&transcript);
    let on = HandlerOnHost::ready(handler, &transcript).await;
    assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::S_OK);
    assert_eq!(on.adapter.show_properties(shown_item()), HResult::E_UNEXPECTED);
    assert_eq!(transcript.count("show_properties"), 1);
    close.notify_one();
    on.host.wait_for("ShowPropertiesCompleted S_OK").await;
    close.notify_one();
    assert_eq!(on.adapter.show_properties(shown_item()), HResult::S_OK);
    assert_eq!(transcript.count("show_properties"), 2);
}
