//! Operations on many handlers.

use syncmgr::SyncManager;

use crate::fixture::{self, End, ID, builder, fixture, items, runtime, start};
use crate::meter::Meter;

/// Registers a manager's handlers, with one item each.
fn registered(count: usize) -> SyncManager {
    let manager = builder().build();
    for number in 0..count {
        manager.register(fixture(number, items(1), End::Success)).expect("the handler is new");
    }
    manager
}

pub(crate) fn register(count: usize, meter: &Meter) {
    drop(meter.measure(count, || registered(count)));
}

pub(crate) fn unregister(count: usize, meter: &Meter) {
    let manager = registered(count);
    let ids: Vec<_> = manager.handlers().iter().map(syncmgr::HandlerInfo::id).collect();
    assert_eq!((ids.len(), ids[0]), (count, ID));
    meter.measure(count, || ids.into_iter().for_each(|id| assert!(manager.unregister(id))));
}

/// Runs a session of handlers with one item each.
pub(crate) fn session(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), registered(count));
    meter.measure(count, || runtime.block_on(fixture::session(&manager)));
}

/// Reads the events of a session to its end, with one item for each handler.
pub(crate) fn events(count: usize, meter: &Meter) {
    let (runtime, manager) = (runtime(), registered(count));
    let read = async {
        let session = start(&manager);
        let mut events = session.events();
        tokio::join!(session.finish(), async { while events.next().await.is_some() {} }).0
    };
    let report = meter.measure(count, || runtime.block_on(read));
    assert_eq!(report.runs.len(), count);
}
