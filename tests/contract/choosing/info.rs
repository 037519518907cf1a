//! The info of a handler: R41, R42, R45. R43 and R44 are in `choice`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::classic::{ClassicAdapter, ClassicHandler, HResult, SyncCallback, win32};
use syncmgr::handler::HandlerFlags;
use syncmgr::progress::Status;
use syncmgr::request::{RequestError, RunFlags};
use syncmgr::session::PropertiesError;
use syncmgr::{
    HandlerInfo, ItemContext, ItemId, Items, Outcome, SessionError, Subject, SyncHandler, SyncManager, SyncResult,
    Trigger,
};
use syncmgr_test::Transcript;

use crate::choosing::choice::{Picker, manager_with_chooser, run_attended};
use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, begin, items_named, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, run};

/// Returns the characters of a UTF-16 string before its terminator.
fn characters(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).expect("the string is terminated");
    String::from_utf16(&units[..end]).expect("the string is valid UTF-16")
}

#[tokio::test(start_paused = true)]
async fn r041_a_peer_receives_31_characters_of_a_handler_name() {
    let name = "Offline copies of everything on the old server";
    let report = run(Scripted::new(&["a"]).info(|_| HandlerInfo::new(HANDLER, name))).await;
    assert_eq!(report.runs[0].name, name);
    let on = HandlerOnHost::created(Scripted::new(&[]).info(|_| HandlerInfo::new(HANDLER, name)), &Transcript::new());
    let received = win32::handler_name(on.adapter.handler_info().name());
    assert_eq!((received.len(), received[31]), (32, 0));
    assert_eq!(characters(&received), name[..31]);
    assert_eq!(characters(&win32::handler_name("Mail")), "Mail");
}

/// Returns all unknown flag bits.
fn unknown_flags() -> HandlerFlags {
    HandlerFlags::from_bits_retain(!HandlerFlags::MASK)
}

#[tokio::test(start_paused = true)]
async fn r042_unknown_flags_are_ignored() {
    let offers = Transcript::new();
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(unknown_flags())).on_prepare(|run| {
        async {
            assert!(run.establish_connection(None).await.is_err(), "an undeclared connection was established");
            Ok(())
        }
        .boxed()
    });
    let manager = manager_with_chooser(&handler, &Picker::these(&["a"], &offers));
    run_attended(&manager).await;
    assert_eq!(offers.lines(), ["offer Scripted: +a"]);
    assert_eq!(handler.transcript.count("item a"), 1);
    let refused = within(manager.show_properties(HANDLER, Subject::Handler)).await;
    assert_eq!(refused, Err(PropertiesError::Session(SessionError::NoProperties { handler: HANDLER })));
}

#[tokio::test(start_paused = true)]
async fn r042_unknown_flags_do_not_list_a_handler_without_items() {
    let offers = Transcript::new();
    let empty = Scripted::new(&[]).info(|info| info.with_flags(unknown_flags()));
    run_attended(&manager_with_chooser(&empty, &Picker::these(&[], &offers))).await;
    assert_eq!(offers.lines(), [""; 0]);
}

/// A handler whose `info` panics on the second call.
#[derive(Default)]
struct InfoOnce(AtomicBool);

#[async_trait]
impl SyncHandler for InfoOnce {
    fn info(&self) -> HandlerInfo {
        assert!(!self.0.swap(true, Ordering::Relaxed), "second call");
        HandlerInfo::new(HANDLER, "Info once")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(items_named(&["a"]))
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn r045_the_registered_info_is_used_if_the_current_one_is_unavailable() {
    let manager = SyncManager::new();
    manager.register(InfoOnce::default()).unwrap();
    let report = within(begin(&manager).finish()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(ran(&report, HANDLER).name, "Info once");
    assert_eq!(manager.registration(HANDLER).unwrap().description.as_deref(), Some("Info once"));
}

#[test]
fn r045_a_handler_without_an_info_cannot_be_registered() {
    let (manager, panicking) = (SyncManager::new(), InfoOnce(AtomicBool::new(true)));
    let refused = manager.register(panicking);
    assert!(matches!(&refused, Err(RequestError::InfoPanicked { reason }) if reason == "second call"), "{refused:?}");
    assert_eq!(manager.handlers(), []);
}

/// A classic handler whose `GetHandlerInfo` fails. Its item succeeds in `Synchronize`.
#[derive(Default)]
struct Nameless(std::sync::Mutex<Option<Arc<dyn SyncCallback>>>);

impl Nameless {
    fn callback(&self) -> Arc<dyn SyncCallback> {
        self.0.lock().expect("not poisoned").clone().expect("the host has set a callback")
    }
}

impl ClassicHandler for Nameless {
    fn initialize(&self, _: Trigger, _: RunFlags, _: Option<&[u8]>) -> HResult {
        HResult::S_OK
    }

    fn handler_info(&self) -> Result<HandlerInfo, HResult> {
        Err(HResult::E_OUTOFMEMORY)
    }

    fn enum_sync_items(&self) -> Result<Items, HResult> {
        Ok(items_named(&["a"]))
    }

    fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        *self.0.lock().expect("not poisoned") = callback;
        HResult::S_OK
    }

    fn prepare_for_sync(&self, _: &[ItemId]) -> HResult {
        self.callback().prepare_for_sync_completed(HResult::S_OK)
    }

    fn synchronize(&self) -> HResult {
        let done = syncmgr::Progress::new().with_status(Status::Succeeded);
        self.callback().progress(ItemId::from_name("a"), Some(&done));
        self.callback().synchronize_completed(HResult::S_OK)
    }

    fn set_item_status(&self, _: Subject, _: Status) -> HResult {
        HResult::S_OK
    }
}

#[tokio::test(start_paused = true)]
async fn r045_a_classic_handler_without_an_info_runs_with_the_given_info() {
    let create = || Arc::new(Nameless::default());
    assert_eq!(ClassicAdapter::new(create).err(), Some(HResult::E_OUTOFMEMORY));
    let manager = SyncManager::new();
    manager.register(ClassicAdapter::with_info(HandlerInfo::new(CLASSIC, "As registered"), create)).unwrap();
    let report = within(begin(&manager).finish()).await;
    assert_eq!(report.items().map(|item| item.outcome).collect::<Vec<_>>(), [Outcome::Succeeded]);
    assert_eq!(ran(&report, CLASSIC).name, "As registered");
}
