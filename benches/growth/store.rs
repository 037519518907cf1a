//! Operations of an SQLite store.

use crate::fixture::{End, fixture, items, runtime, session, started, stored};
use crate::meter::Meter;

/// Runs sessions of one item, one after another.
pub(crate) fn one_item_sessions(count: usize, meter: &Meter) {
    sessions(0, count, meter);
}

/// Runs sessions of one item after `count` others.
pub(crate) fn session_after_many(count: usize, meter: &Meter) {
    sessions(count, 300, meter);
}

fn sessions(before: usize, count: usize, meter: &Meter) {
    let (runtime, (manager, _directory)) = (runtime(), stored());
    manager.register(fixture(0, items(1), End::Success)).expect("the handler is new");
    let run = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                session(&manager).await;
            }
        });
    };
    run(before);
    meter.measure(count, || run(count));
}

pub(crate) fn stop(count: usize, meter: &Meter) {
    let (runtime, (manager, _directory)) = (runtime(), stored());
    manager.register(fixture(0, items(count), End::Wait)).expect("the handler is new");
    let session = runtime.block_on(started(&manager));
    meter.measure(count, || {
        session.stop();
        runtime.block_on(session.clone().finish())
    });
}

pub(crate) fn save(count: usize, meter: &Meter) {
    let (runtime, (manager, _directory)) = (runtime(), stored());
    manager.register(fixture(0, items(count), End::Save)).expect("the handler is new");
    meter.measure(count, || runtime.block_on(session(&manager)));
}
