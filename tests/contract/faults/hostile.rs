//! Host callbacks and interactions that panic, and items that shut down their manager or await their own session.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::classic::{Attention, CallbackAdapter, HResult, LogErrorInfo, SyncCallback};
use syncmgr::environment::{Asker, Confirmation, Secret};
use syncmgr::log::ErrorScope;
use syncmgr::request::RunFlags;
use syncmgr::{Interaction, ItemId, LogLevel, Outcome, Progress, SyncManager, SyncResult, Trigger};
use tokio::sync::Notify;

use crate::support::awaitable_host::within;
use crate::support::{HANDLER, Scripted, id};

/// A host callback that panics in every call. `completed` is notified of completions.
#[derive(Default)]
struct PanickingHost {
    completed: Notify,
}

impl SyncCallback for PanickingHost {
    fn show_properties_completed(&self, _: HResult) -> HResult {
        panic!("the fault")
    }

    fn prepare_for_sync_completed(&self, _: HResult) -> HResult {
        self.completed.notify_one();
        panic!("the fault")
    }

    fn synchronize_completed(&self, _: HResult) -> HResult {
        self.completed.notify_one();
        panic!("the fault")
    }

    fn show_error_completed(&self, _: HResult, _: &[ItemId]) -> HResult {
        self.completed.notify_one();
        panic!("the fault")
    }

    fn enable_modeless(&self, _: Attention) -> HResult {
        panic!("the fault")
    }

    fn progress(&self, _: ItemId, _: Option<&Progress>) -> HResult {
        panic!("the fault")
    }

    fn log_error(&self, _: LogLevel, _: &str, _: Option<&LogErrorInfo>) -> HResult {
        panic!("the fault")
    }

    fn delete_log_error(&self, _: ErrorScope) -> HResult {
        panic!("the fault")
    }

    fn establish_connection(&self, _: Option<&str>) -> HResult {
        panic!("the fault")
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_callback_that_panics_does_not_stop_the_handler() {
    let handler = Scripted::new(&["a", "b"]).on_item(|item| {
        async {
            item.progress(1, 2)?;
            item.warn("half way");
            item.run().delete_log(ErrorScope::All);
            Ok(())
        }
        .boxed()
    });
    let host = Arc::new(PanickingHost::default());
    let adapter = CallbackAdapter::new(Arc::new(handler.clone())).unwrap();
    adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    adapter.enum_sync_items().await.unwrap();
    adapter.set_progress_callback(Some(host.clone()));
    assert_eq!(adapter.prepare_for_sync(&[id("a"), id("b"), id("unlisted")]), HResult::S_OK);
    within(host.completed.notified()).await;
    assert_eq!(adapter.synchronize(), HResult::S_OK);
    within(host.completed.notified()).await;
    assert_eq!(handler.transcript.of(&["item "]), ["item a", "item b"]);
    assert_eq!(adapter.show_error(crate::asking::show_error::error()), HResult::S_OK);
    within(host.completed.notified()).await;
    assert_eq!(adapter.set_progress_callback(None), HResult::S_OK);
}

/// An interaction that panics.
struct PanickingInteraction;

#[async_trait]
impl Interaction for PanickingInteraction {
    async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> {
        panic!("the fault")
    }

    async fn choose(&self, _: &Asker, _: &str, _: &[String]) -> SyncResult<Option<usize>> {
        panic!("the fault")
    }

    async fn secret(&self, _: &Asker, _: &str) -> SyncResult<Option<Secret>> {
        panic!("the fault")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_interaction_fails_only_the_item_that_asked() {
    let manager = SyncManager::builder().interaction(PanickingInteraction).build();
    let handler = Scripted::new(&["asks", "b"]).on_item(|item| {
        async {
            let user = item.run().interaction().await?;
            if item.name() == "asks" {
                user.confirm("really?").await?;
            }
            Ok(())
        }
        .boxed()
    });
    manager.register(handler).unwrap();
    let report = within(manager.session(Trigger::Manual).may_bother_user().start().unwrap().finish()).await;
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Succeeded], "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_shuts_down_its_own_manager_ends_by_itself() {
    let manager = Arc::new(OnceLock::<SyncManager>::new());
    let shared = manager.clone();
    let handler = Scripted::new(&["a"]).on_item(move |_| {
        let manager = shared.clone();
        async move {
            manager.get().unwrap().shutdown().await;
            Ok(())
        }
        .boxed()
    });
    manager.set(SyncManager::new()).ok().unwrap();
    manager.get().unwrap().register(handler).unwrap();
    let session = manager.get().unwrap().session(Trigger::Manual).start().unwrap();
    let report = within(session.finish()).await;
    assert_eq!(report.run(HANDLER).unwrap().item(id("a")).unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_awaits_its_own_session_ends_by_itself() {
    let session = Arc::new(OnceLock::<syncmgr::Session>::new());
    let (shared, started) = (session.clone(), Arc::new(Notify::new()));
    let notify_started = started.clone();
    let handler = Scripted::new(&["a"]).on_item(move |_| {
        let (session, started) = (shared.clone(), notify_started.clone());
        async move {
            started.notify_one();
            session.get().unwrap().report().await;
            Ok(())
        }
        .boxed()
    });
    let session_of_item = crate::support::start(handler);
    let session = session.get_or_init(|| session_of_item);
    within(started.notified()).await;
    assert_eq!(within(session.report()).await.items().next().unwrap().outcome, Outcome::Succeeded);
    within(session.close()).await;
}
