//! What happens when the world around a manager changes.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{FactSource, Facts, ManualFacts, Network};
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Hold, Outcome, SyncManager, Trigger};
use tokio::time::sleep;

use crate::retries::world::{NEEDS, held, in_world, needing, online};
use crate::support::daytime::{Began, DAY, Daytime, EXACT, HOUR, fails, stored, timed};
use crate::support::id;
use crate::support::steps::{Steps, background, idle, manual, nth, outcome, registered, succeeds};
use crate::support::watched::within;

/// Knows one thing and ends.
struct Ending(Network);

impl FactSource for Ending {
    fn now(&self) -> Facts {
        Facts::UNKNOWN.with_network(self.0)
    }

    fn changes(&self) -> BoxStream<'static, Facts> {
        futures::stream::iter([Facts::UNKNOWN.with_network(self.0)]).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn the_network_coming_back_ends_backoff_and_not_what_the_peer_asked_for() {
    let (began, clock, store) = (Began::new(), Daytime::new(), MemoryStore::new());
    let facts = ManualFacts::new(Facts::UNKNOWN.with_network(Network::Online));
    let handler = began.handler(1, &["weak", "busy", "never"], |item, times| match (item.name(), times) {
        ("weak", 1) => fails(),
        ("busy", 1) => Err(anyhow!("busy")).retry_after(HOUR),
        ("never", 1) => Err(anyhow!("never")).permanent(),
        _ => Ok(()),
    });
    let builder = stored(&clock, &store).retry(EXACT.with_initial(DAY)).facts(facts.clone());
    let manager = registered(builder.build(), [needing(handler, NEEDS)]);
    within(manual(&manager, 1).finish()).await;
    for network in [Network::Metered, Network::Online, Network::Unknown, Network::Online] {
        facts.set_network(network);
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(began.of("weak"), [0], "it was never gone");
    facts.set_network(Network::Offline);
    sleep(Duration::from_secs(5)).await;
    facts.set_network(Network::Online);
    sleep(Duration::from_secs(5)).await;
    assert_eq!([began.of("weak"), began.of("busy"), began.of("never")], [vec![0, 25], vec![0], vec![0]]);
    sleep(HOUR).await;
    assert_eq!((began.of("busy"), began.of("never").len()), (vec![0, 3600], 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_falls_due_without_a_network_runs_once_when_there_is_one() {
    let (began, (builder, facts)) = (Began::new(), in_world(Network::Online));
    let handler = began.handler(1, &["a"], |_, times| if times == 1 { fails() } else { Ok(()) });
    let manager = registered(builder.build(), [needing(handler, NEEDS)]);
    within(manual(&manager, 1).finish()).await;
    facts.set_network(Network::Offline);
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0]);
    facts.set_network(Network::Online);
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 3600]);
}

#[tokio::test(start_paused = true)]
async fn what_the_network_coming_back_has_cleared_is_cleared_in_the_store_too() {
    let (began, clock, store) = (Began::new(), Daytime::new(), MemoryStore::new());
    let facts = ManualFacts::new(Facts::UNKNOWN.with_network(Network::Online));
    let never =
        began.handler(1, &["a:server", "b:server", "c:server"], |_, times| if times == 1 { fails() } else { Ok(()) });
    let builder = stored(&clock, &store).retry(EXACT.with_initial(DAY)).facts(facts.clone());
    let manager = registered(builder.build(), [never]);
    within(manual(&manager, 1).finish()).await;
    manager.pause();
    facts.set_network(Network::Offline);
    idle().await;
    facts.set_network(Network::Online);
    idle().await;
    assert_eq!(syncmgr::store::StateStore::resources(&store).unwrap(), [].into());
}

#[tokio::test(start_paused = true)]
async fn what_runs_goes_on_when_the_network_is_gone() {
    let (steps, (builder, facts)) = (Steps::default(), in_world(Network::Online));
    let manager = registered(builder.build(), [needing(steps.handler(1, &["a", "b"]), NEEDS)]);
    let session = background(&manager, 1);
    assert_eq!(steps.running().await, "a b");
    facts.set_network(Network::Offline);
    steps.let_go(&["a", "b"]).await;
    let report = succeeds(session).await;
    assert_eq!(outcome(&report, id("b")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waited_behind_another_looks_at_the_world_when_its_turn_comes() {
    let (steps, (builder, facts)) = (Steps::default(), in_world(Network::Online));
    let manager = registered(builder.build(), [needing(steps.handler(1, &["a", "b"]), NEEDS)]);
    let first = manager.session(Trigger::Scheduled).items(nth(1), [id("a")]).start().unwrap();
    let second = manager.session(Trigger::Scheduled).items(nth(1), [id("b")]).start().unwrap();
    assert_eq!(steps.running().await, "a");
    facts.set_network(Network::Offline);
    steps.let_go(&["a"]).await;
    succeeds(first).await;
    held(&within(second.finish()).await, &Hold::Offline);
    facts.set_network(Network::Metered);
    idle().await;
    assert_eq!(steps.running().await, "", "a metered network is not for what nobody asked for");
    facts.set_network(Network::Online);
    assert_eq!(steps.running().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_is_believed_and_retries_go_on_without_spinning() {
    let began = Began::new();
    let handler = began.handler(1, &["a"], |_, times| if times < 4 { fails() } else { Ok(()) });
    let manager: SyncManager =
        registered(timed(&Daytime::new()).facts(Ending(Network::Online)).build(), [needing(handler, NEEDS)]);
    within(manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 30, 90, 210]);
    let offline = registered(timed(&Daytime::new()).facts(Ending(Network::Offline)).build(), [online(&began)]);
    held(&within(background(&offline, 1).finish()).await, &Hold::Offline);
    sleep(DAY).await;
    assert!(within(offline.shutdown()).await.is_empty());
}
