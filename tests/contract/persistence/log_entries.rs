//! The log entries that are stored with the ends of items.

use std::collections::BTreeMap;

use futures::FutureExt;
use syncmgr::store::StateChange;
use syncmgr::{ItemId, LogEntry, LogLevel};
use syncmgr_core::id::{ErrorId, ErrorScope};
use tokio::task::yield_now;

use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::RecordingStore;
use crate::support::{HANDLER, Scripted, id, stored_log};

/// The number of the first write with the end of each item, and of that with an entry about it.
fn first_writes(writes: &[Vec<StateChange>]) -> [BTreeMap<ItemId, usize>; 2] {
    let [mut ends, mut entries_about] = [BTreeMap::new(), BTreeMap::new()];
    for (number, change) in writes.iter().enumerate().flat_map(|(number, all)| all.iter().map(move |one| (number, one)))
    {
        match change {
            StateChange::Ended { items, .. } => {
                items.iter().for_each(|(item, _)| _ = ends.entry(*item).or_insert(number))
            }
            StateChange::Logged { entries, .. } | StateChange::Log { entries, .. } => {
                let items = entries.iter().filter_map(|entry| entry.item);
                items.for_each(|item| _ = entries_about.entry(item).or_insert(number));
            }
            _ => {}
        }
    }
    [ends, entries_about]
}

#[tokio::test(start_paused = true)]
async fn the_faults_of_many_unreported_items_are_stored_with_their_ends() {
    let names: Vec<String> = (0..3_000).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let store = RecordingStore::default();
    let handler = Scripted::new(&names).on_synchronize(|_| async { Ok(()) }.boxed());
    within(begin(&store.manager(&handler)).finish()).await;
    let [ends, entries] = first_writes(&store.writes());
    assert_eq!(ends.len(), names.len());
    assert_eq!(entries, ends, "an end was stored without its log entry");
}

#[tokio::test(start_paused = true)]
async fn the_entry_of_a_running_item_is_stored_once_although_others_are_deleted() {
    let store = RecordingStore::default();
    let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let handler = Scripted::new(&names).on_item(|item| {
        async move {
            item.info("an entry");
            let error = ErrorId::from_key(item.name());
            item.log(LogEntry::new(LogLevel::Warning, "deleted again").with_id(error));
            for _ in 0..item.index() % 7 {
                yield_now().await;
            }
            item.run().delete_log(ErrorScope::One(error));
            for _ in 0..item.index() % 5 {
                yield_now().await;
            }
            Ok(())
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    within(begin(&manager).finish()).await;
    let mut entries = BTreeMap::<_, usize>::new();
    stored_log(&manager, HANDLER).iter().for_each(|record| *entries.entry(record.entry.item).or_default() += 1);
    assert_eq!(entries, names.iter().map(|name| (Some(id(name)), 1)).collect());
}
