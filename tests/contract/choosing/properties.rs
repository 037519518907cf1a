//! Empty choices, and properties of handlers and items: R63 to R69.

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::handler::{HandlerFlags, PropertiesOutcome};
use syncmgr::item::{ItemFlags, ItemState};
use syncmgr::request::RunFlags;
use syncmgr::session::PropertiesError;
use syncmgr::{HandlerInfo, Items, RunEnding, SessionError, Subject, SyncItem, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Side, Transcript};
use tokio::sync::oneshot;

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, items_named, within};
use crate::support::{HANDLER, Scripted, id};

/// Returns an unchecked item, an item with properties, and a plain item.
fn items() -> Items {
    let rich = SyncItem::named("rich").with_flags(ItemFlags::HAS_PROPERTIES);
    [SyncItem::named("off").with_state(ItemState::Unchecked), rich, SyncItem::named("plain")].into_iter().collect()
}

fn handler_with_properties() -> Scripted {
    Scripted::new(&[]).items(|| Ok(items())).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES))
}

fn manager_of(handler: &Scripted) -> SyncManager {
    let manager = SyncManager::new();
    manager.register(handler.clone()).expect("the handler can be registered");
    manager
}

/// Returns a classic handler with properties whose `ShowProperties` calls `show`.
fn classic_with_properties(show: impl FnMut(&Side) -> HResult + Send + 'static) -> ScriptedHandler {
    let info = HandlerInfo::new(CLASSIC, "Scripted").with_flags(HandlerFlags::HAS_PROPERTIES);
    ScriptedHandler::new(items()).with_info(info).on_show_properties(show)
}

#[tokio::test(start_paused = true)]
async fn r063_r064_a_run_without_chosen_items_is_not_prepared_or_synchronized() {
    let unlisted = [id("unlisted")];
    for wanted in [&[][..], &unlisted[..]] {
        let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])));
        let request = manager.session(Trigger::Manual).items(CLASSIC, wanted.iter().copied());
        let report = request.start().unwrap().finish().await;
        assert_eq!(report.runs[0].ending, Some(RunEnding::NothingToDo));
        assert!(report.is_success());
        let lines = handler.transcript().lines();
        assert_eq!(lines[1..], ["EnumSyncMgrItems", "SetProgressCallback", "SetProgressCallback NULL"]);
    }
}

#[tokio::test(start_paused = true)]
async fn r063_r064_unchecked_items_are_not_chosen() {
    let unchecked = || Ok([SyncItem::named("a").with_state(ItemState::Unchecked)].into_iter().collect());
    let handler = Scripted::new(&[]).items(unchecked);
    let report = manager_of(&handler).session(Trigger::Idle).handlers([HANDLER]).start().unwrap().finish().await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NothingToDo));
    assert_eq!(handler.transcript.count("prepare") + handler.transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn r064_a_host_cannot_prepare_an_empty_selection() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    assert_eq!(on.adapter.prepare_for_sync(&[]), HResult::E_INVALIDARG);
    assert_eq!(on.adapter.prepare_for_sync(&[id("unlisted")]), HResult::E_INVALIDARG);
    assert_eq!(transcript.count("prepare") + transcript.count("PrepareForSyncCompleted"), 0);
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::S_OK);
}

#[tokio::test(start_paused = true)]
async fn r065_properties_of_an_item_are_shown_only_if_it_declares_them() {
    let handler = handler_with_properties();
    let manager = manager_of(&handler);
    let shown = manager.show_properties(HANDLER, Subject::Item(id("rich"))).await.unwrap();
    assert_eq!(shown.iter().map(SyncItem::name).collect::<Vec<_>>(), ["off", "rich", "plain"]);
    let refused = manager.show_properties(HANDLER, Subject::Item(id("plain"))).await;
    assert_eq!(refused, Err(PropertiesError::Session(SessionError::NoProperties { handler: HANDLER })));
    let unknown = SessionError::UnknownItem { handler: HANDLER, item: id("unlisted") };
    assert_eq!(manager.show_properties(HANDLER, Subject::Item(id("unlisted"))).await, Err(unknown.into()));
    assert_eq!(handler.transcript.of(&["show"]), [format!("show_properties {:?}", Subject::Item(id("rich")))]);
}

#[tokio::test(start_paused = true)]
async fn r066_properties_of_the_handler_are_shown_only_if_it_declares_them() {
    let declared = handler_with_properties();
    manager_of(&declared).show_properties(HANDLER, Subject::Handler).await.unwrap();
    assert_eq!(declared.transcript.of(&["show"]), ["show_properties Handler"]);
    let undeclared =
        handler_with_properties().info(|info| info.with_flags(HandlerFlags::all() - HandlerFlags::HAS_PROPERTIES));
    let refused = manager_of(&undeclared).show_properties(HANDLER, Subject::Handler).await;
    assert_eq!(refused, Err(PropertiesError::Session(SessionError::NoProperties { handler: HANDLER })));
    assert_eq!(undeclared.transcript.count("show"), 0);
}

#[tokio::test(start_paused = true)]
async fn r065_r066_a_host_is_refused_undeclared_properties() {
    let handler = handler_with_properties().info(|info| info.with_flags(HandlerFlags::empty()));
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    for subject in [Subject::Handler, Subject::Item(id("plain")), Subject::Item(id("unlisted"))] {
        assert_eq!(on.adapter.show_properties(subject), HResult::E_INVALIDARG);
    }
    assert_eq!(transcript.count("show_properties") + transcript.count("ShowPropertiesCompleted"), 0);
}

#[tokio::test(start_paused = true)]
async fn r067_the_callback_is_set_before_properties_are_shown() {
    let (manager, handler) =
        host_classic(classic_with_properties(|side| side.callback().show_properties_completed(HResult::S_OK)));
    manager.show_properties(CLASSIC, Subject::Handler).await.unwrap();
    let lines = handler.transcript().of(&["SetProgressCallback", "ShowProperties"]);
    assert_eq!(lines, ["SetProgressCallback", "ShowProperties Handler", "SetProgressCallback NULL"]);
}

#[tokio::test(start_paused = true)]
async fn r067_a_host_without_a_callback_is_refused() {
    let handler = handler_with_properties();
    let on = HandlerOnHost::created(handler.clone(), &Transcript::new());
    on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    on.adapter.enum_sync_items().await.unwrap();
    assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::E_UNEXPECTED);
    assert_eq!(handler.transcript.count("show_properties"), 0);
}

#[tokio::test(start_paused = true)]
async fn r068_only_the_first_completion_after_the_return_is_accepted() {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let (manager, handler) = host_classic(classic_with_properties(move |side| {
        let (callback, sender) = (side.callback(), sender.take().expect("the properties are shown once"));
        tokio::spawn(async move {
            let answers = [(); 2].map(|()| callback.show_properties_completed(HResult::S_OK));
            sender.send(answers).unwrap();
        });
        HResult::S_OK
    }));
    within(manager.show_properties(CLASSIC, Subject::Handler)).await.unwrap();
    assert_eq!(receiver.await.unwrap(), [HResult::S_OK, HResult::E_UNEXPECTED]);
    assert_eq!(handler.transcript().count("ShowProperties"), 1);
}

#[tokio::test(start_paused = true)]
async fn r068_only_the_first_completion_before_the_return_is_accepted() {
    let answers = Transcript::new();
    let noted = answers.clone();
    let (manager, _) = host_classic(classic_with_properties(move |side| {
        for _ in 0..2 {
            noted.note(side.callback().show_properties_completed(HResult::S_OK).to_string());
        }
        HResult::S_OK
    }));
    within(manager.show_properties(CLASSIC, Subject::Handler)).await.unwrap();
    assert_eq!(answers.lines(), ["S_OK", "E_UNEXPECTED"]);
}

#[tokio::test(start_paused = true)]
async fn r068_a_host_receives_one_completion_before_or_after_the_return() {
    for wait in [false, true] {
        let handler = handler_with_properties().on_show_properties(move |_, _| {
            async move {
                if wait {
                    tokio::task::yield_now().await;
                }
                Ok(PropertiesOutcome::Done)
            }
            .boxed()
        });
        let transcript = handler.transcript.clone();
        let on = HandlerOnHost::ready(handler, &transcript).await;
        assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::S_OK);
        assert_eq!(transcript.count("ShowPropertiesCompleted"), usize::from(!wait));
        on.host.wait_for("ShowPropertiesCompleted S_OK").await;
        on.adapter.set_progress_callback(None);
        tokio::task::yield_now().await;
        assert_eq!(transcript.count("ShowPropertiesCompleted"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn r069_a_completion_after_a_failing_return_is_refused() {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let (manager, _) = host_classic(classic_with_properties(move |side| {
        let (callback, sender) = (side.callback(), sender.take().expect("the properties are shown once"));
        tokio::spawn(async move { sender.send(callback.show_properties_completed(HResult::S_OK)).unwrap() });
        HResult::E_FAIL
    }));
    // The call only has to return; another test checks its error.
    let _ = within(manager.show_properties(CLASSIC, Subject::Handler)).await;
    assert_eq!(receiver.await.unwrap(), HResult::E_UNEXPECTED);
}

#[tokio::test(start_paused = true)]
async fn r069_a_failed_show_properties_is_an_error_for_the_caller() {
    let (manager, _) = host_classic(classic_with_properties(|_| HResult::E_FAIL));
    assert!(within(manager.show_properties(CLASSIC, Subject::Handler)).await.is_err());
    let failing = handler_with_properties().on_show_properties(|_, _| async { Err(anyhow!("no display")) }.boxed());
    assert!(within(manager_of(&failing).show_properties(HANDLER, Subject::Handler)).await.is_err());
}
