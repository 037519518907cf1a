//! Isolation: a faulty item or handler does not affect others.

use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::{HandlerId, HandlerInfo, Limits, Outcome, Report, RunEnding, SyncManager, Trigger};

use crate::support::awaitable_host::{CLASSIC, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run};

fn ending(report: &Report, handler: HandlerId) -> RunEnding {
    ran(report, handler).ending.expect("the run has ended")
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_error_in_one_item_does_not_affect_others() {
    let names = ["a", "panics", "b", "fails", "c", "d"];
    for limit in [1, 2, 8] {
        let limits = Limits::DEFAULT.with_items(limit);
        let handler = Scripted::new(&names).info(|info| info.with_limits(limits)).on_item(|item| {
            async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                match item.name() {
                    "panics" => panic!("the fault"),
                    "fails" => Err(anyhow!("the fault")),
                    _ => Ok(()),
                }
            }
            .boxed()
        });
        let report = within(run(handler)).await;
        for item in report.items() {
            let faulty = ["panics", "fails"].contains(&item.item.name());
            assert_eq!(item.outcome, if faulty { Outcome::Failed } else { Outcome::Succeeded }, "{report}");
        }
        let named: Vec<_> = report.runs[0].log.iter().map(|entry| entry.item.unwrap()).collect();
        assert!(named.len() == 2 && named.contains(&id("panics")) && named.contains(&id("fails")));
        assert_eq!(ending(&report, HANDLER), RunEnding::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_item_delays_neither_other_items_nor_other_handlers() {
    let manager = SyncManager::new();
    let hanging = Scripted::new(&["hangs", "a", "b", "c"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(2)))
        .on_item(|item| if item.name() == "hangs" { std::future::pending().boxed() } else { async { Ok(()) }.boxed() });
    manager.register(hanging.clone()).unwrap();
    manager.register(Scripted::new(&["other"]).info(|_| HandlerInfo::new(CLASSIC, "Other"))).unwrap();
    let session = manager.session(Trigger::Manual).start().unwrap();
    let mut events = session.events();
    for _ in 0..4 {
        crate::support::awaitable_host::until(&mut events, |event| {
            matches!(event, syncmgr::SessionEvent::Ended { .. })
        })
        .await;
    }
    session.skip(HANDLER, id("hangs")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(report.run(HANDLER).unwrap().item(id("hangs")).unwrap().outcome, Outcome::Skipped);
    let succeeded = report.items().filter(|item| item.outcome == Outcome::Succeeded).count();
    assert_eq!(succeeded, 4);
}

#[tokio::test(start_paused = true)]
async fn a_failing_handler_does_not_stop_the_session() {
    let manager = SyncManager::new();
    let failing = [
        Scripted::new(&["x"]).on_initialize(|_| async { Err(anyhow!("no")) }.boxed()),
        Scripted::new(&["x"]).items(|| Err(anyhow!("no"))),
        Scripted::new(&["x"]).on_prepare(|_| async { Err(anyhow!("no")) }.boxed()),
        Scripted::new(&["x"]).on_synchronize(|_| async { Err(anyhow!("no")) }.boxed()),
    ];
    for (number, handler) in (1..).zip(failing) {
        let other = HandlerInfo::new(HandlerId::from_u128(number), "Failing");
        manager.register(handler.info(|_| other)).unwrap();
    }
    manager.register(Scripted::new(&["a"])).unwrap();
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    let fail = HResult::E_FAIL;
    let endings: Vec<_> = (1..=4).map(|number| ending(&report, HandlerId::from_u128(number))).collect();
    let (not_begun, not_prepared) = (RunEnding::NotBegun(fail.into()), RunEnding::NotPrepared(fail.into()));
    assert_eq!(endings, [not_begun, not_begun, not_prepared, RunEnding::NotCompleted(fail.into())]);
    assert!(report.run(HANDLER).unwrap().is_success());
    assert!(report.runs.iter().filter(|run| run.handler != HANDLER).all(|run| run.log.len() == 1), "{report}");
}
