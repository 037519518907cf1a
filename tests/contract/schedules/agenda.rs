//! The agenda, its changes, and explanations of scheduled items.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::environment::Network;
use syncmgr::explain::Next;
use syncmgr::handler::Capabilities;
use syncmgr::retry::StartReason;
use syncmgr::schedule::AgendaWork;
use syncmgr::{Hold, Subject};
use tokio::time::sleep;

use super::{Scheduled, every, item, minutes};
use crate::support::id;
use crate::support::steps::{nth, wait_until_idle};
use crate::support::test_clock::{HOUR, MINUTE, fail_until};

#[tokio::test(start_paused = true)]
async fn the_agenda_is_in_the_order_of_the_starts() {
    let scheduled = Scheduled::new();
    let items = || Ok([item("own", every(HOUR)), item("fails", every(2 * HOUR))].into_iter().collect());
    let act = |item: &syncmgr::ItemContext, times| if item.name() == "fails" { fail_until(times, 1) } else { Ok(()) };
    let manager = scheduled.start(scheduled.began.handler(1, &[], act).items(items));
    manager.update_all().unwrap().finish().await;
    let now = scheduled.clock.wall();
    let agenda: Vec<_> = manager.agenda().into_iter().map(|entry| (entry.next, entry.reason, entry.work)).collect();
    assert_eq!(
        agenda,
        [
            (Next::At { time: now + MINUTE / 2 }, StartReason::Retry, AgendaWork::Items(1)),
            (Next::At { time: now + HOUR }, StartReason::Scheduled, AgendaWork::Scheduled(every(HOUR))),
            (Next::At { time: now + 2 * HOUR }, StartReason::Scheduled, AgendaWork::Scheduled(every(2 * HOUR))),
        ]
    );
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_agenda_says_is_what_happens() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    for expected in 1..=5 {
        let Next::At { time } = manager.agenda()[0].next else { panic!("the schedule has no next firing") };
        sleep(time.duration_since(scheduled.clock.wall()).unwrap()).await;
        wait_until_idle().await;
        assert_eq!(scheduled.began.of("a").len(), expected);
    }
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_the_agenda_says_what_holds_it() {
    let scheduled = Scheduled::new();
    scheduled.environment.set_network(Network::Offline);
    let needs_network = |info: syncmgr::HandlerInfo| info.with_capabilities(Capabilities::NEEDS_NETWORK);
    let manager = scheduled.start(scheduled.handler(&["a"], every(MINUTE)).info(needs_network));
    minutes(1).await;
    let held = manager.agenda().remove(0);
    assert_eq!((held.hold, held.next), (Some(Hold::Offline), Next::WhenOnline));
    manager.disable(nth(1), Subject::Handler, "moves house").await.unwrap();
    let disabled = manager.agenda().remove(0);
    assert_eq!(disabled.next, Next::WhenEnabled);
    assert_eq!(disabled.to_string(), "later: items with the schedule \"every 1m\" (disabled: moves house)");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_agenda_is_announced() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    wait_until_idle().await;
    let mut changes = manager.agenda_changes();
    assert!(changes.next().now_or_never().is_none());
    minutes(1).await;
    assert_eq!(changes.next().now_or_never(), Some(true));
    wait_until_idle().await;
    while changes.next().now_or_never().is_some() {}
    manager.unregister(nth(1));
    wait_until_idle().await;
    assert_eq!(changes.next().now_or_never(), Some(true));
    manager.shutdown().await;
    while changes.next().await {}
}

#[tokio::test(start_paused = true)]
async fn explanations_name_the_next_firing() {
    let scheduled = Scheduled::new();
    let items = || Ok([item("own", every(HOUR)), item("other", every(2 * HOUR))].into_iter().collect());
    let manager = scheduled.start(scheduled.began.handler(1, &[], |_, _| Ok(())).items(items));
    manager.update_all().unwrap().finish().await;
    let now = scheduled.clock.wall();
    let next = |name: &str| manager.explain_item(nth(1), id(name)).unwrap().next;
    assert_eq!((next("own"), next("other")), (Next::At { time: now + HOUR }, Next::At { time: now + 2 * HOUR }));
    assert_eq!(manager.explain_handler(nth(1)).unwrap().next, Next::At { time: now + HOUR });
    sleep(Duration::from_secs(1)).await;
    manager.shutdown().await;
}
