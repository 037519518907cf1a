//! Scheduled work in ten seconds: `cargo run --example scheduled`. One item runs every two seconds, one every three on a network that is
//! not metered, and one when the program says that its file has changed. The program prints what runs next, and what runs.
use std::time::Duration;

use syncmgr::changes::ManualChanges;
use syncmgr::environment::{ManualEnvironment, Network};
use syncmgr::handler::Requirement;
use syncmgr::prelude::*;
use syncmgr::schedule::Schedule;
use tokio::time::{sleep, timeout};

/// Three items with different reasons to run.
struct Home;

#[sync_handler(id = "0b6a7f3e-92c4-4d0b-8f55-6c1d0a7b2e41", name = "Home", capabilities(cancellable, needs_network))]
impl SyncHandler for Home {
    async fn items(&self) -> SyncResult<Items> {
        let every = |seconds| Schedule::every(Duration::from_secs(seconds));
        let mail = SyncItem::named("Mail").with_schedule(every(2)?);
        let photos = SyncItem::named("Photos").with_schedule(every(3)?).requires(Requirement::UnmeteredNetwork);
        let notes = SyncItem::named("Notes").with_watch("/home/user/notes");
        Ok([mail, photos, notes].into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.progress(1, 1)?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> SyncResult {
    // A program for desktops takes both from `syncmgr-sources`.
    let (environment, changes) = (ManualEnvironment::default(), ManualChanges::new());
    let builder = SyncManager::builder().environment(environment.clone()).change_source(changes.clone());
    let manager = builder.build();
    let home = manager.register(Home)?;
    manager.start_scheduler()?;
    manager.update_all()?.finish().await; // the first listing tells the schedules and the watched paths

    let mut events = manager.events();
    let program = async {
        environment.set_network(Network::Metered);
        print_agenda(&manager, "on a metered network");
        sleep(Duration::from_millis(3_500)).await;
        println!("why not photos: {}", manager.explain_item(home, ItemId::from_name("Photos"))?);
        println!("the network is no longer metered");
        environment.set_network(Network::Online);
        sleep(Duration::from_secs(3)).await;
        println!("a file of the notes has changed");
        changes.changed("/home/user/notes/groceries");
        sleep(Duration::from_secs(3)).await;
        print_agenda(&manager, "at the end");
        SyncResult::Ok(())
    };
    let shown = async {
        while let Some(ManagerEvent { event, .. }) = events.next().await {
            if let SessionEvent::Ended { name, outcome, .. } = event {
                println!("  {name}: {outcome}");
            }
        }
    };
    tokio::select! {
        biased;
        result = program => result?,
        () = shown => {}
    }
    let left = timeout(Duration::from_secs(5), manager.shutdown()).await?;
    assert!(left.is_empty());
    Ok(())
}

/// Prints what the manager runs next.
fn print_agenda(manager: &SyncManager, when: &str) {
    println!("the agenda {when}:");
    for entry in manager.agenda() {
        println!("  {entry}");
    }
}

#[test]
fn home_passes_the_conformance_check() {
    syncmgr_test::assert_conforms(|| Home);
}
