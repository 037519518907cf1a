//! Operations on the results of many items.

use syncmgr::log::ErrorId;
use syncmgr::{ItemId, Report, Subject, SyncItem, SyncManager};
use tokio::runtime::Runtime;

use crate::fixture::{End, ID, fixture, items, runtime, start, started, with};
use crate::items::waiting;
use crate::meter::Meter;

fn ids(count: usize) -> Vec<ItemId> {
    items(count).iter().map(SyncItem::id).collect()
}

/// Runs a session whose items end in this way.
fn ended(count: usize, end: End) -> (Runtime, SyncManager, Report) {
    let (runtime, manager) = (runtime(), with(fixture(0, items(count), end)));
    let report = runtime.block_on(async { start(&manager).finish().await });
    (runtime, manager, report)
}

fn explain(manager: &SyncManager, ids: &[ItemId]) {
    for item in ids {
        manager.explain_item(ID, *item).expect("the store is in memory");
    }
}

pub(crate) fn explain_open(count: usize, meter: &Meter) {
    let (runtime, manager) = waiting(count);
    let _session = runtime.block_on(started(&manager));
    meter.measure(count, || explain(&manager, &ids(count)));
}

pub(crate) fn explain_closed(count: usize, meter: &Meter) {
    let (_runtime, manager, _) = ended(count, End::Failure);
    meter.measure(count, || explain(&manager, &ids(count)));
}

pub(crate) fn why(count: usize, meter: &Meter) {
    let (_runtime, _manager, report) = ended(count, End::Failure);
    meter.measure(count, || {
        ids(count).iter().for_each(|item| assert!(report.runs[0].why(*item).is_some()));
    });
}

/// Answers the questions of a closed session one by one.
pub(crate) fn answer(count: usize, meter: &Meter) {
    let (runtime, manager, _) = ended(count, End::Question);
    meter.measure(count, || {
        runtime.block_on(async {
            for item in ids(count) {
                let session = manager.answer(ID, ErrorId::of_question(item, "conflict"), 0).expect("it is asked");
                session.finish().await;
            }
        });
    });
}

pub(crate) fn list(count: usize, meter: &Meter) {
    let (runtime, manager, _) = ended(count, End::Failure);
    let listed = meter.measure(count, || runtime.block_on(manager.items(ID)));
    assert_eq!(listed.expect("the store is in memory").len(), count);
}

pub(crate) fn read(count: usize, meter: &Meter) {
    let (runtime, manager, _) = ended(count, End::Failure);
    let log = meter.measure(count, || runtime.block_on(manager.log(ID)));
    assert!(!log.expect("the store is in memory").is_empty());
}

pub(crate) fn disable(count: usize, meter: &Meter) {
    let (runtime, manager, _) = ended(count, End::Failure);
    meter.measure(count, || {
        runtime.block_on(async {
            for item in ids(count) {
                manager.disable(ID, Subject::Item(item), "broken").await.expect("the store is in memory");
            }
        });
    });
}

pub(crate) fn forget(count: usize, meter: &Meter) {
    let (runtime, manager, _) = ended(count, End::Failure);
    meter.measure(count, || {
        runtime.block_on(async {
            for item in ids(count) {
                manager.forget_item(ID, item).await.expect("the store is in memory");
            }
        });
    });
}
