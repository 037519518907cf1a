//! Sessions of many items.

use std::time::Duration;

use syncmgr::{Items, SyncManager};
use tokio::runtime::Runtime;
use tokio::time::sleep;

use crate::fixture::{End, ID, builder, claiming, fixture, items, runtime, session, start, started, with};
use crate::meter::Meter;

/// Measures a session of these items.
fn measure(count: usize, meter: &Meter, listing: Items, end: End) {
    let (runtime, manager) = (runtime(), with(fixture(0, listing, end)));
    meter.measure(count, || runtime.block_on(session(&manager)));
}

pub(crate) fn succeed(count: usize, meter: &Meter) {
    measure(count, meter, items(count), End::Success);
}

pub(crate) fn fail(count: usize, meter: &Meter) {
    measure(count, meter, items(count), End::Failure);
}

pub(crate) fn fail_unstored(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), SyncManager::builder().build());
    manager.register(fixture(0, items(count), End::Failure)).expect("the handler is new");
    meter.measure(count, || runtime.block_on(session(&manager)));
}

pub(crate) fn need_user(count: usize, meter: &Meter) {
    measure(count, meter, items(count), End::NeedsUser);
}

pub(crate) fn ask(count: usize, meter: &Meter) {
    measure(count, meter, items(count), End::Question);
}

pub(crate) fn claim_one(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), builder().capacity("server", 1).build());
    manager.register(fixture(0, claiming(count, "server"), End::Success)).expect("the handler is new");
    meter.measure(count, || runtime.block_on(session(&manager)));
}

/// Handlers of ten items each that need one resource of capacity 4.
pub(crate) fn claim_of_handlers(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), builder().capacity("server", 4).build());
    for number in 0..count / 10 {
        manager.register(fixture(number, claiming(10, "server"), End::Success)).expect("the handler is new");
    }
    meter.measure(count, || runtime.block_on(session(&manager)));
}

/// The first retry of items that have failed together.
pub(crate) fn retry(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), with(fixture(0, items(count), End::Failure)));
    runtime.block_on(session(&manager));
    meter.measure(count, || runtime.block_on(async { sleep(Duration::from_secs(60)).await }));
}

pub(crate) fn events(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), with(fixture(0, items(count), End::Success)));
    let read = async {
        let session = start(&manager);
        let mut events = session.events();
        tokio::join!(session.finish(), async { while events.next().await.is_some() {} }).0
    };
    meter.measure(count, || runtime.block_on(read));
}

/// Skips the items that wait while the first one runs.
pub(crate) fn skip(count: usize, meter: &Meter) {
    let (runtime, manager) = waiting(count);
    let session = runtime.block_on(started(&manager));
    let ids: Vec<_> = items(count).iter().skip(1).map(syncmgr::SyncItem::id).collect();
    meter.measure(count, || ids.into_iter().for_each(|item| session.skip(ID, item).expect("the item is listed")));
}

/// A manager whose items run one at a time, and wait until they are cancelled.
pub(crate) fn waiting(count: usize) -> (Runtime, SyncManager) {
    (runtime(), with(fixture(0, items(count), End::Wait).one_at_a_time()))
}
