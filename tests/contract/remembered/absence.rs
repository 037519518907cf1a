//! Items that a listing no longer has.

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
use crate::support::steps::{outcome, registered, succeeds};
use crate::support::watched::{begin, within};
use crate::support::witness::{find, record};
use crate::support::{HANDLER, Scripted, id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A manager over a store whose handler lists what it is told to.
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
        let lists = listed.clone();
        let handler = Scripted::new(&[])
            .items(move || {
                let (names, complete) = lists.lock().expect("nobody panics with it").clone();
                let items = names.into_iter().map(SyncItem::named);
                Ok(if complete { items.collect() } else { Items::incomplete(items) })
            })
            .on_item(|item| {
                let fails = item.name() == "permanent";
                async move { if fails { Err(anyhow!("the fault")).permanent() } else { Ok(()) } }.boxed()
            });
        let manager = Self::over(&store, &clock, &handler);
        Self { store, clock, listed, handler, manager }
    }

    fn over(store: &MemoryStore, clock: &ManualClock, handler: &Scripted) -> SyncManager {
        registered(SyncManager::builder().store(store.clone()).clock(clock.clone()).build(), [handler.clone()])
    }

    /// One session over these items.
    async fn lists(&self, names: &[String]) -> syncmgr::Report {
        *self.listed.lock().expect("nobody panics with it") = (names.to_vec(), true);
        within(begin(&self.manager).finish()).await
    }

    async fn lists_some(&self, names: &[String]) -> syncmgr::Report {
        *self.listed.lock().expect("nobody panics with it") = (names.to_vec(), false);
        within(begin(&self.manager).finish()).await
    }

    fn absent(&self) -> usize {
        self.store.known(HANDLER).expect("nothing is wrong here").values().filter(|since| since.is_some()).count()
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_complete_listing_that_lost_more_than_half_of_more_than_ten_is_doubted_and_asks() {
    let listing = Listing::new(&names(11));
    listing.lists(&names(11)).await;
    let unchecked = BTreeMap::from([(id("10"), Some(ItemState::Unchecked))]);
    listing.store.write(vec![StateChange::Choices { handler: HANDLER, items: unchecked }]).await.unwrap();
    let report = listing.lists(&names(5)).await;
    let asks = |entry: &syncmgr::LogEntry| match &entry.action {
        Some(Action::Decide(question)) => question.remedies.contains(&Remedy::Allow),
        _ => false,
    };
    let entry = report.runs[0].log.iter().find(|entry| asks(entry)).expect("it asks");
    assert!(entry.level == LogLevel::Warning && entry.text.contains("6 of 11"), "{report}");
    assert_eq!(report.items().filter(|item| item.outcome == Outcome::Succeeded).count(), 5, "what is there runs");
    assert_eq!(listing.absent(), 0);
    assert_eq!(listing.store.choices(HANDLER).unwrap().len(), 1, "what was chosen is kept");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_lost_half_or_of_ten_is_believed() {
    for (before, after) in [(12, 6), (10, 0)] {
        let listing = Listing::new(&names(before));
        listing.lists(&names(before)).await;
        listing.lists(&names(after)).await;
        assert_eq!(listing.absent(), before - after);
    }
}

#[tokio::test(start_paused = true)]
async fn once_somebody_says_that_a_doubted_listing_is_right_the_next_one_counts() {
    let listing = Listing::new(&names(11));
    listing.lists(&names(11)).await;
    listing.lists(&names(1)).await;
    succeeds(listing.manager.answer(HANDLER, question(&listing.manager), 0).unwrap()).await;
    assert_eq!(listing.absent(), 10);
    // Nothing is asked again, and what comes back is back.
    let report = listing.lists(&names(1)).await;
    assert!(report.runs[0].log.is_empty(), "{report}");
    listing.lists(&names(11)).await;
    assert_eq!(listing.absent(), 0);
    // The answer is used up.
    listing.lists(&names(1)).await;
    assert_eq!(listing.absent(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_question_of_a_doubted_listing_can_be_answered_in_the_open_session_too() {
    let listing = Listing::new(&names(11));
    listing.lists(&names(11)).await;
    *listing.listed.lock().unwrap() = (names(1), true);
    let session = begin(&listing.manager);
    let report = within(session.report()).await;
    let error = report.runs[0].log.iter().find_map(|entry| entry.error).expect("it asks");
    within(session.answer(HANDLER, error, 0)).await.unwrap();
    let report = within(session.finish()).await;
    assert!(!report.runs[0].log.iter().any(|entry| entry.text.contains("asked for but is not listed")), "{report}");
    listing.lists(&names(1)).await;
    assert_eq!(listing.absent(), 10);
}

#[tokio::test(start_paused = true)]
async fn after_thirty_days_of_absence_nothing_is_remembered_and_not_a_moment_earlier() {
    let listing = Listing::new(&names(2));
    listing.lists(&names(2)).await;
    listing.lists(&names(1)).await;
    listing.clock.advance(30 * DAY - Duration::from_millis(1));
    listing.lists(&names(1)).await;
    assert!(find(&listing.store, "1").is_some());
    listing.clock.advance(Duration::from_millis(1));
    listing.lists(&names(1)).await;
    assert!(find(&listing.store, "1").is_none());
    assert!(find(&listing.store, "0").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_was_back_in_between_is_kept_for_another_thirty_days() {
    let listing = Listing::new(&names(2));
    listing.lists(&names(2)).await;
    listing.lists(&names(1)).await;
    listing.clock.advance(29 * DAY);
    listing.lists(&names(2)).await;
    assert_eq!(record(&listing.store, "1").absent_since, None);
    listing.lists(&names(1)).await;
    listing.clock.advance(29 * DAY);
    listing.lists(&names(1)).await;
    assert!(find(&listing.store, "1").is_some());
}

#[tokio::test(start_paused = true)]
async fn incomplete_listings_neither_note_nor_forget_nor_doubt_anything() {
    let listing = Listing::new(&names(20));
    listing.lists(&names(20)).await;
    let report = listing.lists_some(&names(1)).await;
    assert!(report.runs[0].log.is_empty(), "{report}");
    assert_eq!(listing.absent(), 0);
    listing.lists(&names(15)).await;
    listing.clock.advance(31 * DAY);
    listing.lists_some(&names(15)).await;
    assert_eq!((listing.absent(), listing.store.known(HANDLER).unwrap().len()), (5, 20));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_comes_back_after_it_was_forgotten_for_absence_is_as_new() {
    let (with, without) = (["permanent".to_owned(), "a".to_owned()], ["a".to_owned()]);
    let listing = Listing::new(&with);
    listing.lists(&with).await;
    listing.lists(&without).await;
    listing.clock.advance(31 * DAY);
    listing.lists(&without).await;
    assert!(find(&listing.store, "permanent").is_none());
    *listing.listed.lock().unwrap() = (with.to_vec(), true);
    let scheduled = listing.manager.session(syncmgr::Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    let report = within(scheduled.finish()).await;
    assert_eq!(outcome(&report, id("permanent")), Outcome::Failed, "it ran: {report}");
    assert_eq!(listing.handler.transcript.count("item permanent"), 2);
}
