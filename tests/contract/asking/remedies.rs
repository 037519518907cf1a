//! Log entries with remedies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::ensure;
use syncmgr::explain::Next;
use syncmgr::handler::Resolution;
use syncmgr::log::{Action, ErrorId, Remedy};
use syncmgr::store::MemoryStore;
use syncmgr::{LogEntry, LogLevel, Outcome, SyncManager};

use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{assert_succeeds, outcome};
use crate::support::{HANDLER, Scripted, id};

const REMEDY: ErrorId = ErrorId::from_u128(0x5E);

/// Returns a handler whose item `a` fails until `show_error` has applied the remedy.
fn repairable_handler(remedy: Remedy) -> Scripted {
    let fixed = Arc::new(AtomicBool::new(false));
    let fixes = fixed.clone();
    Scripted::new(&["a", "b"])
        .on_item(move |item| {
            let failing = item.name() == "a" && !fixed.load(Ordering::Relaxed);
            if failing {
                item.log(
                    LogEntry::new(LogLevel::Error, "no room").with_item(item.id()).with_remedy(REMEDY, remedy.clone()),
                );
            }
            async move {
                ensure!(!failing, "the item is not repaired");
                Ok(())
            }
            .boxed()
        })
        .on_show_error(move |_, error| {
            assert_eq!(error, REMEDY);
            fixes.store(true, Ordering::Relaxed);
            async { Ok(Resolution::Retry(vec![id("a")])) }.boxed()
        })
}

fn all_remedies() -> Vec<Remedy> {
    let soon = std::time::SystemTime::UNIX_EPOCH + crate::support::test_clock::DAY;
    vec![
        Remedy::SignIn,
        Remedy::FreeSpace,
        Remedy::WaitUntil(soon),
        Remedy::OpenPage(syncmgr::log::RedactedUrl::new("https://example.org/").expect("the URL is valid")),
        Remedy::TryAgain,
        Remedy::Reset,
    ]
}

#[tokio::test(start_paused = true)]
async fn opening_a_remedy_in_its_session_runs_the_item_again() {
    for remedy in all_remedies() {
        let handler = repairable_handler(remedy.clone());
        let manager = with_store(&MemoryStore::new(), &handler);
        let session = begin(&manager);
        let report = within(session.report()).await;
        let entry = report.runs[0].log.iter().find(|entry| entry.id == Some(REMEDY)).unwrap();
        assert_eq!(entry.action, Some(Action::Remedy(remedy)));
        assert!(entry.is_link());
        within(session.show_error(HANDLER, REMEDY)).await.unwrap();
        assert_succeeds(session).await;
        assert_eq!(handler.transcript.of(&["prepare"]), ["prepare a b", "prepare a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_remedy_can_be_opened_after_its_session_and_in_another_manager() {
    for remedy in all_remedies() {
        for restarted in [false, true] {
            let (store, handler) = (MemoryStore::new(), repairable_handler(remedy.clone()));
            let mut manager: SyncManager = with_store(&store, &handler);
            within(begin(&manager).finish()).await;
            if restarted {
                manager = with_store(&store.after_crash(), &handler);
            }
            let stored = manager.log(HANDLER).await.unwrap();
            let entry = &stored.iter().find(|record| record.entry.id == Some(REMEDY)).unwrap().entry;
            assert_eq!(entry.action, Some(Action::Remedy(remedy.clone())));
            let report = within(manager.show_error(HANDLER, REMEDY)).await.unwrap();
            assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
            assert_eq!(handler.transcript.count("show_error"), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_remedy_cannot_be_answered() {
    let manager = with_store(&MemoryStore::new(), &repairable_handler(Remedy::SignIn));
    let session = begin(&manager);
    within(session.report()).await;
    assert!(within(session.answer(HANDLER, REMEDY, 0)).await.is_err());
    within(session.finish()).await;
    assert!(manager.answer(HANDLER, REMEDY, 0).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_the_remedy_of_a_permanent_failure() {
    use syncmgr::Classify;
    let handler = Scripted::new(&["a"]).on_item(|item| {
        item.log(LogEntry::new(LogLevel::Error, "sign in").with_item(item.id()).with_remedy(REMEDY, Remedy::SignIn));
        async { Err(syncmgr::anyhow::anyhow!("not signed in")).permanent() }.boxed()
    });
    let manager = with_store(&MemoryStore::new(), &handler);
    within(begin(&manager).finish()).await;
    let explanation = manager.explain_item(HANDLER, id("a")).unwrap();
    assert_eq!(explanation.next, Next::WhenAnswered { error: REMEDY }, "{explanation}");
}
