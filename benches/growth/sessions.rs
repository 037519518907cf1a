//! Operations on many sessions.

use syncmgr::{Session, SyncItem, Trigger};

use crate::fixture::{End, ID, builder, fixture, items, runtime, start, started, with};
use crate::meter::Meter;

/// Pauses and resumes a manager whose sessions have one waiting item each.
pub(crate) fn pause(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), builder().max_concurrent_items(count).build());
    let sessions: Vec<_> = (0..count)
        .map(|number| {
            let id = manager.register(fixture(number, items(1), End::Wait)).expect("the handler is new");
            runtime
                .block_on(async { manager.session(Trigger::Manual).handlers([id]).start() })
                .expect("inside a runtime")
        })
        .collect();
    meter.measure(count, || {
        manager.pause();
        manager.resume();
    });
    drop(sessions);
}

/// Starts sessions of a handler whose items wait.
pub(crate) fn queue(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), with(fixture(0, items(1), End::Wait)));
    let first = runtime.block_on(started(&manager));
    let queued: Vec<Session> =
        meter.measure(count, || runtime.block_on(async { (0..count).map(|_| start(&manager)).collect() }));
    drop((first, queued));
}

/// Runs the items of a handler in sessions of their own.
pub(crate) fn one_of_many(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), with(fixture(0, items(count), End::Success)));
    let ids: Vec<_> = items(count).iter().map(SyncItem::id).collect();
    meter.measure(count, || {
        runtime.block_on(async {
            for item in ids {
                let session = manager.session(Trigger::Manual).items(ID, [item]).start().expect("inside a runtime");
                session.finish().await;
            }
        });
    });
}
