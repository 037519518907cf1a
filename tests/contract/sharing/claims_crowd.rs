//! Many items and few claims: no item starves, and no claim exceeds its capacity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::{ItemContext, Outcome, SyncManager};
use tokio::task::yield_now;

use crate::support::steps::{
    assert_succeeds, manager_with_max_items, nth, register_all, start_background, start_manual,
};
use crate::support::{Scripted, id};

#[tokio::test(start_paused = true)]
async fn all_dining_philosophers_eat_and_no_fork_is_shared() {
    const FORKS: [&str; 5] = ["fork 0", "fork 1", "fork 2", "fork 3", "fork 4"];
    let used: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let philosopher = |index: usize| {
        let (left, right) = (FORKS[index], FORKS[(index + 1) % FORKS.len()]);
        let used = used.clone();
        let items = move || {
            let meals = (0..20).map(|meal| format!("{index} eats meal {meal}"));
            Ok(meals.map(|meal| syncmgr::SyncItem::named(meal).with_claim(left).with_claim(right)).collect())
        };
        let number = index as u128 + 1;
        Scripted::new(&[]).info(|_| syncmgr::HandlerInfo::new(nth(number), "Philosopher")).items(items).on_item(
            move |_| {
                let used = used.clone();
                async move {
                    for fork in [left, right] {
                        assert!(used.lock().unwrap().insert(fork.to_owned()), "{fork} is used twice at the same time");
                    }
                    yield_now().await;
                    [left, right].iter().for_each(|fork| _ = used.lock().unwrap().remove(*fork));
                    Ok(())
                }
                .boxed()
            },
        )
    };
    let manager = manager_with_max_items(3, (0..FORKS.len()).map(philosopher));
    let sessions: Vec<_> = (1..=FORKS.len()).map(|number| start_manual(&manager, number as u128)).collect();
    for session in sessions {
        assert_eq!(assert_succeeds(session).await.items().count(), 20);
    }
    assert!(used.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_items_with_few_claims_all_run() {
    const NAMES: [&str; 3] = ["x", "y", "z"];
    let items = || {
        let claimed = (0..1_000).map(|number: usize| {
            let item = syncmgr::SyncItem::named(number.to_string()).with_claim(NAMES[number % 3]);
            if number.is_multiple_of(7) { item.with_claim(NAMES[(number + 1) % 3]) } else { item }
        });
        Ok(claimed.collect())
    };
    let manager = SyncManager::builder().capacity("z", 3).max_concurrent_items(4).build();
    let handlers = (1..=2).map(|number| {
        let info = syncmgr::HandlerInfo::new(nth(number), "Crowded");
        Scripted::new(&[]).info(|_| info).items(items).on_item(|_| yield_now().map(Ok).boxed())
    });
    let manager = register_all(manager, handlers);
    let sessions = [1, 2].map(|number| start_manual(&manager, number));
    for session in sessions {
        assert_eq!(assert_succeeds(session).await.items().count(), 1_000);
    }
    assert!(manager.held().is_empty());
}

/// The number of users of each claim.
#[derive(Clone, Default)]
struct ClaimCounts(Arc<Mutex<BTreeMap<String, usize>>>);

impl ClaimCounts {
    fn take(&self, item: &ItemContext, max: impl Fn(&str) -> usize) -> ClaimGuard {
        let selected = item.run().selection().iter().find(|selected| selected.id() == item.id());
        let names: BTreeSet<String> =
            selected.expect("the item was selected").claims().iter().map(|claim| claim.name().to_owned()).collect();
        let guard = ClaimGuard(self.clone(), names);
        let mut used = self.lock();
        guard.1.iter().for_each(|name| *used.entry(name.clone()).or_default() += 1);
        let overused = guard.1.iter().find(|name| used[*name] > max(name)).cloned();
        drop(used);
        assert_eq!(overused, None, "a claim exceeded its capacity");
        guard
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }
}

struct ClaimGuard(ClaimCounts, BTreeSet<String>);

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        let mut used = self.0.lock();
        self.1.iter().for_each(|name| *used.get_mut(name).expect("the claim was counted") -= 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_limits_hold_and_sessions_end_despite_skips_stops_and_pauses() {
    const NAMES: [&str; 4] = ["w", "x", "y", "z"];
    let counts = ClaimCounts::default();
    let items = || {
        let claimed = (0..40).map(|number: usize| {
            let item = syncmgr::SyncItem::named(number.to_string());
            match number % 5 {
                0 => item,
                1 => item.with_claim(NAMES[number % 4]).with_claim(NAMES[(number / 4) % 4]),
                _ => item.with_claim(NAMES[number % 4]),
            }
        });
        Ok(claimed.collect())
    };
    let handlers = (1..=4).map(|number| {
        let (info, counts) = (syncmgr::HandlerInfo::new(nth(number), "Crowded"), counts.clone());
        Scripted::new(&[]).info(|_| info).items(items).on_item(move |item| {
            let guard = counts.take(item, |name| if name == "z" { 2 } else { 1 });
            async move {
                let _guard = guard;
                yield_now().await;
                match item.name().len() {
                    1 => yield_now().map(Ok).await,
                    _ => Ok(item.check()?),
                }
            }
            .boxed()
        })
    });
    let manager = register_all(SyncManager::builder().capacity("z", 2).max_concurrent_items(5).build(), handlers);
    let mut failures = 0;
    for round in 0..30_u128 {
        let sessions: Vec<_> = (1..=4)
            .map(
                |number| {
                    if number % 2 == 0 { start_manual(&manager, number) } else { start_background(&manager, number) }
                },
            )
            .collect();
        yield_now().await;
        sessions[0].pause();
        for number in 0..40 {
            let of = (round + number) % 4 + 1;
            let _ = sessions[of as usize - 1].skip(nth(of), id(&number.to_string()));
            yield_now().await;
        }
        sessions[1].stop();
        sessions[0].resume();
        for session in sessions {
            let finished = tokio::time::timeout(std::time::Duration::from_secs(60), session.finish()).await;
            let report = finished.expect("the session ends");
            failures += report.items().filter(|item| item.outcome == Outcome::Failed).count();
        }
    }
    assert_eq!(failures, 0, "a claim exceeded its capacity");
    assert!(manager.held().is_empty(), "{:?}", manager.held());
}
