//! When something runs next is said only of what runs then.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::Network;
use syncmgr::explain::Next;
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Participation, SyncManager, Trigger};
use tokio::time::sleep;

use crate::explanations::situations::{handler, item};
use crate::retries::world::{NEEDS, in_world, needing};
use crate::support::daytime::{Began, DAY, Daytime, HOUR, MINUTE, fails, fails_until, stored, timed};
use crate::support::id;
use crate::support::steps::{manual, nth, registered, succeeds};
use crate::support::watched::within;

/// Waits until what was said to be the time, and a moment more.
async fn until_then(clock: &Daytime, next: Next) {
    let Next::At { time } = next else { panic!("{next:?}") };
    sleep(time.duration_since(clock.wall()).expect("it is not past") + Duration::from_millis(2)).await;
}

#[tokio::test(start_paused = true)]
async fn where_nothing_waits_the_world_is_no_reason_and_a_better_one_starts_nothing() {
    let (began, (builder, facts)) = (Began::new(), in_world(Network::Online));
    let noting = needing(began.handler(1, &["a"], |_, _| Ok(())), NEEDS);
    let manager = registered(builder.store(MemoryStore::new()).build(), [noting]);
    succeeds(manual(&manager, 1)).await;
    for network in [Network::Offline, Network::Metered] {
        facts.set_network(network);
        for explanation in [item(&manager, "a"), handler(&manager)] {
            assert!(explanation.holds.is_empty(), "{network:?}: {explanation}");
            assert_eq!(explanation.next, Next::WhenAsked, "{network:?}: {explanation}");
        }
    }
    facts.set_network(Network::Online);
    sleep(DAY).await;
    assert_eq!(began.of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_shares_a_claim_with_something_put_off_is_not_said_to_run_then() {
    let (began, clock) = (Began::new(), Daytime::new());
    let handler = began.handler(1, &["a:x", "b:x"], |item, times| match item.name() {
        "a" if times == 1 => Err(anyhow!("busy")).retry_after(10 * MINUTE),
        _ => Ok(()),
    });
    let manager = registered(stored(&clock, &MemoryStore::new()).build(), [handler]);
    let only = |name| manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().unwrap();
    let listing = only("b");
    within(listing.report()).await;
    within(only("a").finish()).await;
    let said = item(&manager, "b");
    assert_eq!(said.next, Next::WhenAsked, "{said}");
    until_then(&clock, item(&manager, "a").next).await;
    assert_eq!((began.of("a").len(), began.of("b").len()), (2, 1));
}

/// A manager whose item failed once, and whose handler declined its retry.
async fn declined(began: &Began, clock: &Daytime) -> SyncManager {
    let asked = Began::new();
    let handler = began.handler(1, &["a"], |_, times| fails_until(times, 1)).on_initialize(move |_| {
        let declines = asked.note("initialize") == 2;
        async move { Ok(if declines { Participation::Decline } else { Participation::TakePart }) }.boxed()
    });
    let manager = registered(timed(clock).build(), [handler]);
    within(manual(&manager, 1).finish()).await;
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [0], "its handler declined");
    manager
}

#[tokio::test(start_paused = true)]
async fn a_retry_its_handler_declined_says_when_it_is_tried_again_and_is() {
    let (began, clock) = (Began::new(), Daytime::new());
    let manager = declined(&began, &clock).await;
    until_then(&clock, item(&manager, "a").next).await;
    assert_eq!(began.of("a").len(), 2, "{}", item(&manager, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_what_is_not_listed_any_more_is_not_said_to_run() {
    let (began, listed) = (Began::new(), Began::new());
    let noting = began.handler(1, &["a"], |_, _| fails());
    let items = noting.items.clone();
    let noting = noting
        .items(move || if listed.note("items") == 1 { items() } else { Ok(crate::support::watched::listed(&["b"])) });
    let manager = registered(timed(&Daytime::new()).build(), [noting]);
    within(manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    let said = item(&manager, "a");
    assert!(!matches!(said.next, Next::Now | Next::At { .. }), "{said}");
    assert_eq!(began.of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_says_when_the_next_of_its_items_is_due() {
    let (began, clock) = (Began::new(), Daytime::new());
    let noting = began.handler(1, &["late", "soon", "well"], |item, times| match (item.name(), times) {
        ("late", 1) => Err(anyhow!("busy")).retry_after(HOUR),
        ("soon", times) => fails_until(times, 1),
        _ => Ok(()),
    });
    let manager = registered(timed(&clock).build(), [noting]);
    within(manual(&manager, 1).finish()).await;
    for name in ["soon", "late"] {
        assert_eq!(handler(&manager).next, item(&manager, name).next);
        until_then(&clock, handler(&manager).next).await;
        assert_eq!(began.of(name).len(), 2);
    }
    assert_eq!(handler(&manager).next, Next::WhenAsked);
}
