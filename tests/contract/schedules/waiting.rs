//! Firings that wait: for the run before, for the environment, or for the user.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::environment::Network;
use syncmgr::handler::Capabilities;
use syncmgr::{Subject, Trigger};
use tokio::time::sleep;

use super::{Scheduled, every, minutes};
use crate::support::steps::nth;
use crate::support::test_clock::MINUTE;

#[tokio::test(start_paused = true)]
async fn firings_during_a_run_become_one_run_after_it() {
    let scheduled = Scheduled::new();
    let began = scheduled.began.clone();
    let handler = scheduled.handler(&["a"], every(MINUTE)).on_item(move |item| {
        let times = began.note(item.name());
        async move {
            sleep(if times == 1 { Duration::from_secs(270) } else { Duration::ZERO }).await;
            Ok(())
        }
        .boxed()
    });
    let manager = scheduled.start(handler);
    minutes(7).await;
    // The firings at 120, 180, 240 and 300 s become one run at the end of the first, at 330 s.
    assert_eq!(scheduled.began.of("a"), [60, 330, 360, 420]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_firing_without_a_network_runs_once_there_is_one() {
    let scheduled = Scheduled::new();
    scheduled.environment.set_network(Network::Offline);
    let needs_network = |info: syncmgr::HandlerInfo| info.with_capabilities(Capabilities::NEEDS_NETWORK);
    let manager = scheduled.start(scheduled.handler(&["a"], every(MINUTE)).info(needs_network));
    minutes(3).await;
    assert!(scheduled.began.of("a").is_empty());
    scheduled.environment.set_network(Network::Online);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scheduled.began.of("a"), [180]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_firing_of_a_disabled_handler_runs_once_it_is_enabled() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    manager.disable(nth(1), Subject::Handler, "moves house").await.unwrap();
    minutes(3).await;
    assert!(scheduled.began.of("a").is_empty());
    manager.enable(nth(1), Subject::Handler).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scheduled.began.of("a"), [180]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_schedule_runs_all_items_meanwhile() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    assert!(manager.session(Trigger::Scheduled).start().unwrap().finish().await.is_success());
    assert_eq!(scheduled.began.of("a"), [0]);
    manager.shutdown().await;
}
