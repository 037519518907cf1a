//! Reports as errors: the text for people, and the questions that are still open.

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::store::MemoryStore;

use crate::guards::plans::{Planning, many_deletions, question, questions, with_store};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::manager_with;
use crate::support::{HANDLER, Scripted};

async fn text_of_failure(handler: Scripted) -> String {
    let report = within(begin(&manager_with([handler])).finish()).await;
    report.into_result().expect_err("an item fails").to_string()
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_report_names_the_items_that_failed_and_the_reasons() {
    let handler = Scripted::new(&["a", "b"]).on_item(|item| {
        let fails = item.name() == "b";
        async move { if fails { Err(anyhow!("disk full").context("save b")) } else { Ok(()) } }.boxed()
    });
    let text = text_of_failure(handler).await;
    assert_eq!(text, "Scripted: 1 succeeded, 1 failed\n  failed: b: save b: disk full");
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_a_failed_run_is_written_once() {
    let handler = Scripted::new(&["a", "b"]).on_prepare(|_| async { Err(anyhow!("no route to the host")) }.boxed());
    let text = text_of_failure(handler).await;
    assert_eq!(text, "Scripted: was not prepared\n  could not prepare: no route to the host\n  failed: a\n  failed: b");
}

#[tokio::test(start_paused = true)]
async fn the_report_of_a_success_is_no_error() {
    let report = within(begin(&manager_with([Scripted::new(&["a"])])).finish()).await;
    assert_eq!(report.into_result().expect("a success").items().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_answered_through_the_manager_is_not_open_in_an_earlier_report() {
    let manager = with_store(&MemoryStore::new(), &Planning::new(many_deletions()));
    let session = begin(&manager);
    assert_eq!(questions(&within(session.report()).await).len(), 1);
    let _again = manager.answer(HANDLER, question(&manager), 0).unwrap();
    let report = within(session.report()).await;
    assert!(questions(&report).is_empty(), "{report}");
}
