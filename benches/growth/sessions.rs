//! Operations on many sessions.

use syncmgr::{ManagerEvent, Session, SessionEvent, SessionRequest, SyncItem, SyncManager, Trigger};

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

/// Runs a session of one item for each of many handlers, all at once, and reads the manager's events.
pub(crate) fn manager_events(count: usize, meter: &Meter) {
    let manager = builder().build();
    let register = |number| manager.register(fixture(number, items(1), End::Success)).expect("the handler is new");
    let handlers: Vec<_> = (0..count).map(register).collect();
    let sessions = || handlers.iter().map(|id| manager.session(Trigger::Manual).handlers([*id])).collect();
    assert_eq!(read_events(&manager, count, sessions, meter), count);
}

/// Runs one session of many handlers, and reads the manager's events.
pub(crate) fn manager_events_of_handlers(count: usize, meter: &Meter) {
    let manager = builder().build();
    for number in 0..count {
        manager.register(fixture(number, items(1), End::Success)).expect("the handler is new");
    }
    assert_eq!(read_events(&manager, count, || vec![manager.session(Trigger::Manual)], meter), count);
}

/// Starts sessions, and reads the manager's events until all of `count` items have ended. Returns the number of ends.
fn read_events(
    manager: &SyncManager,
    count: usize,
    sessions: impl FnOnce() -> Vec<SessionRequest>,
    meter: &Meter,
) -> usize {
    let (runtime, mut events) = (runtime(), manager.events());
    meter.measure(count, || {
        runtime.block_on(async {
            let start = |request: SessionRequest| request.start().expect("inside a runtime");
            let _sessions: Vec<_> = sessions().into_iter().map(start).collect();
            let mut ended = 0;
            while ended < count
                && let Some(ManagerEvent { event, .. }) = events.next().await
            {
                ended += usize::from(matches!(event, SessionEvent::Ended { .. }));
            }
            ended
        })
    })
}
