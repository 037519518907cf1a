//! Items that are absent from a listing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::item::ItemState;
use syncmgr::log::{Action, Remedy};
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Classify, Items, LogLevel, Outcome, SyncItem, SyncManager};
use syncmgr_test::ManualClock;

use crate::asking::stored_log::question;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{find_record, record};
use crate::support::steps::{assert_succeeds, outcome, register_all};
use crate::support::{HANDLER, Scripted, id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A manager with a store and a handler whose listing the test sets.
struct Listing {
    store: MemoryStore,
    clock: ManualClock,
    listed: Arc<Mutex<(Vec<String>, bool)>>,
    handler: Scripted,
    manager: SyncManager,
}

impl Listing {
    fn new(names: &[String]) -> Self {
        let (store, clock) = (MemoryStore::new(), ManualClock::default());
        let listed = Arc::new(Mutex::new((names.to_vec(), true)));
        let listing = listed.clone();
        let handler = Scripted::new(&[])
            .items(move || {
                let (names, complete) = listing.lock().expect("no thread panics while it holds the lock").clone();
                let items = names.into_iter().map(SyncItem::named);
                Ok(if complete { items.collect() } else { Items::incomplete(items) })
            })
            .on_item(|item| {
                let fails = item.name() == "permanent";
                async move { if fails { Err(anyhow!("the fault")).permanent() } else { Ok(()) } }.boxed()
            });
        let manager = Self::with_store(&store, &clock, &handler);
        Self { store, clock, listed, handler, manager }
    }

    fn with_store(store: &MemoryStore, clock: &ManualClock, handler: &Scripted) -> SyncManager {
        register_all(SyncManager::builder().store(store.clone()).clock(clock.clone()).build(), [handler.clone()])
    }

    /// Runs a session with a complete listing of these items.
    async fn list(&self, names: &[String]) -> syncmgr::Report {
        *self.listed.lock().expect("no thread panics while it holds the lock") = (names.to_vec(), true);
        within(begin(&self.manager).finish()).await
    }

    /// Runs a session with an incomplete listing of these items.
    async fn list_some(&self, names: &[String]) -> syncmgr::Report {
        *self.listed.lock().expect("no thread panics while it holds the lock") = (names.to_vec(), false);
        within(begin(&self.manager).finish()).await
    }

    fn absent_count(&self) -> usize {
        self.store
            .recorded_items(HANDLER)
            .expect("a memory store does not fail")
            .values()
            .filter(|since| since.is_some())
            .count()
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_lacks_most_of_more_than_ten_items_asks_the_user() {
    let listing = Listing::new(&names(11));
    listing.list(&names(11)).await;
    let unchecked = BTreeMap::from([(id("10"), Some(ItemState::Unchecked))]);
    listing.store.write(vec![StateChange::Choices { handler: HANDLER, items: unchecked }]).await.unwrap();
    let report = listing.list(&names(5)).await;
    let asks = |entry: &syncmgr::LogEntry| match &entry.action {
        Some(Action::Decide(question)) => question.remedies.contains(&Remedy::Allow),
        _ => false,
    };
    let entry = report.runs[0].log.iter().find(|entry| asks(entry)).expect("a question is logged");
    assert!(entry.level == LogLevel::Warning && entry.text.contains("6 of 11"), "{report}");
    assert_eq!(
        report.items().filter(|item| item.outcome == Outcome::Succeeded).count(),
        5,
        "a listed item did not run"
    );
    assert_eq!(listing.absent_count(), 0);
    assert_eq!(listing.store.choices(HANDLER).unwrap().len(), 1, "the choice was deleted");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_lacks_half_of_its_items_or_all_of_ten_is_accepted() {
    for (before, after) in [(12, 6), (10, 0)] {
        let listing = Listing::new(&names(before));
        listing.list(&names(before)).await;
        listing.list(&names(after)).await;
        assert_eq!(listing.absent_count(), before - after);
    }
}

#[tokio::test(start_paused = true)]
async fn confirming_a_suspicious_listing_records_its_absent_items() {
    let listing = Listing::new(&names(11));
    listing.list(&names(11)).await;
    listing.list(&names(1)).await;
    assert_succeeds(listing.manager.answer(HANDLER, question(&listing.manager), 0).unwrap()).await;
    assert_eq!(listing.absent_count(), 10);
    // The question is not asked again, and items that return are present again.
    let report = listing.list(&names(1)).await;
    assert!(report.runs[0].log.is_empty(), "{report}");
    listing.list(&names(11)).await;
    assert_eq!(listing.absent_count(), 0);
    // The answer was consumed, so another suspicious listing records no absent items.
    listing.list(&names(1)).await;
    assert_eq!(listing.absent_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_suspicious_listing_can_be_confirmed_in_the_open_session() {
    let listing = Listing::new(&names(11));
    listing.list(&names(11)).await;
    *listing.listed.lock().unwrap() = (names(1), true);
    let session = begin(&listing.manager);
    let report = within(session.report()).await;
    let error = report.runs[0].log.iter().find_map(|entry| entry.id).expect("a question is logged");
    within(session.answer(HANDLER, error, 0)).await.unwrap();
    let report = within(session.finish()).await;
    assert!(!report.runs[0].log.iter().any(|entry| entry.text.contains("requested but is not listed")), "{report}");
    listing.list(&names(1)).await;
    assert_eq!(listing.absent_count(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_items_records_are_deleted_after_exactly_thirty_days_of_absence() {
    let listing = Listing::new(&names(2));
    listing.list(&names(2)).await;
    listing.list(&names(1)).await;
    listing.clock.advance(30 * DAY - Duration::from_millis(1));
    listing.list(&names(1)).await;
    assert!(find_record(&listing.store, "1").is_some());
    listing.clock.advance(Duration::from_millis(1));
    listing.list(&names(1)).await;
    assert!(find_record(&listing.store, "1").is_none());
    assert!(find_record(&listing.store, "0").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_returning_item_keeps_its_records_for_another_thirty_days() {
    let listing = Listing::new(&names(2));
    listing.list(&names(2)).await;
    listing.list(&names(1)).await;
    listing.clock.advance(29 * DAY);
    listing.list(&names(2)).await;
    assert_eq!(record(&listing.store, "1").absent_since, None);
    listing.list(&names(1)).await;
    listing.clock.advance(29 * DAY);
    listing.list(&names(1)).await;
    assert!(find_record(&listing.store, "1").is_some());
}

#[tokio::test(start_paused = true)]
async fn incomplete_listings_record_no_absence_and_ask_nothing() {
    let listing = Listing::new(&names(20));
    listing.list(&names(20)).await;
    let report = listing.list_some(&names(1)).await;
    assert!(report.runs[0].log.is_empty(), "{report}");
    assert_eq!(listing.absent_count(), 0);
    listing.list(&names(15)).await;
    listing.clock.advance(31 * DAY);
    listing.list_some(&names(15)).await;
    assert_eq!((listing.absent_count(), listing.store.recorded_items(HANDLER).unwrap().len()), (5, 20));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_returns_after_its_records_were_deleted_is_new() {
    let (with, without) = (["permanent".to_owned(), "a".to_owned()], ["a".to_owned()]);
    let listing = Listing::new(&with);
    listing.list(&with).await;
    listing.list(&without).await;
    listing.clock.advance(31 * DAY);
    listing.list(&without).await;
    assert!(find_record(&listing.store, "permanent").is_none());
    *listing.listed.lock().unwrap() = (with.to_vec(), true);
    let scheduled = listing.manager.session(syncmgr::Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    let report = within(scheduled.finish()).await;
    assert_eq!(outcome(&report, id("permanent")), Outcome::Failed, "the item did not run: {report}");
    assert_eq!(listing.handler.transcript.count("item permanent"), 2);
}
