//! What a handler says of itself: R41, R42, R45. R43 and R44 are in `choice`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::classic::{ClassicHandler, HResult, Hosted, SyncCallback, wide};
use syncmgr::handler::HandlerFlags;
use syncmgr::progress::Status;
use syncmgr::request::{RequestError, RunFlags};
use syncmgr::session::PropertiesError;
use syncmgr::{
    HandlerInfo, ItemContext, ItemId, Items, Outcome, SessionError, Subject, SyncHandler, SyncManager, SyncResult,
    Trigger,
};
use syncmgr_test::Transcript;

use crate::choosing::choice::{Picking, attended, choosing};
use crate::support::watched::{CLASSIC, OnHost, begin, listed, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, run};

/// The characters of a wide string before its terminator.
fn characters(wide: &[u16]) -> String {
    let end = wide.iter().position(|unit| *unit == 0).expect("it is terminated");
    String::from_utf16(&wide[..end]).expect("no character is cut in half")
}

#[tokio::test(start_paused = true)]
async fn r041_a_peer_is_handed_31_characters_of_a_name_that_is_free_here() {
    let name = "Offline copies of everything on the old server";
    let report = run(Scripted::new(&["a"]).info(|_| HandlerInfo::new(HANDLER, name))).await;
    assert_eq!(report.runs[0].name, name);
    let on = OnHost::created(Scripted::new(&[]).info(|_| HandlerInfo::new(HANDLER, name)), &Transcript::new());
    let handed = wide::handler_name(on.driven.handler_info().name());
    assert_eq!((handed.len(), handed[31]), (32, 0));
    assert_eq!(characters(&handed), name[..31]);
    assert_eq!(characters(&wide::handler_name("Mail")), "Mail");
}

/// Every bit that has no name.
fn nameless() -> HandlerFlags {
    HandlerFlags::from_bits_retain(!HandlerFlags::MASK)
}

#[tokio::test(start_paused = true)]
async fn r042_unknown_flags_are_ignored() {
    let offers = Transcript::new();
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(nameless())).on_prepare(|run| {
        async {
            assert!(run.establish_connection(None).await.is_err(), "it was not declared");
            Ok(())
        }
        .boxed()
    });
    let manager = choosing(&handler, &Picking::these(&["a"], &offers));
    attended(&manager).await;
    assert_eq!(offers.lines(), ["offer Scripted: +a"]);
    assert_eq!(handler.transcript.count("item a"), 1);
    let refused = within(manager.show_properties(HANDLER, Subject::Handler)).await;
    assert_eq!(refused, Err(PropertiesError::Session(SessionError::NoProperties { handler: HANDLER })));
}

#[tokio::test(start_paused = true)]
async fn r042_unknown_flags_do_not_list_a_handler_without_items() {
    let offers = Transcript::new();
    let empty = Scripted::new(&[]).info(|info| info.with_flags(nameless()));
    attended(&choosing(&empty, &Picking::these(&[], &offers))).await;
    assert_eq!(offers.lines(), [""; 0]);
}

/// A handler that says its name once and panics when it is asked again.
#[derive(Default)]
struct Forgetful(AtomicBool);

#[async_trait]
impl SyncHandler for Forgetful {
    fn info(&self) -> HandlerInfo {
        assert!(!self.0.swap(true, Ordering::Relaxed), "who am I?");
        HandlerInfo::new(HANDLER, "Forgetful")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(listed(&["a"]))
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn r045_where_the_info_cannot_be_had_any_more_what_was_registered_stands_in() {
    let manager = SyncManager::new();
    manager.register(Forgetful::default()).unwrap();
    let report = within(begin(&manager).finish()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(ran(&report, HANDLER).name, "Forgetful");
    assert_eq!(manager.registration(HANDLER).unwrap().description.as_deref(), Some("Forgetful"));
}

#[test]
fn r045_a_handler_whose_info_was_never_had_cannot_be_registered() {
    let (manager, forgetful) = (SyncManager::new(), Forgetful(AtomicBool::new(true)));
    let refused = manager.register(forgetful);
    assert!(matches!(&refused, Err(RequestError::InfoPanicked { reason }) if reason == "who am I?"), "{refused:?}");
    assert_eq!(manager.handlers(), []);
}

/// A call/completed-style handler whose `GetHandlerInfo` fails. Its item is done as soon as it is called.
#[derive(Default)]
struct Nameless(std::sync::Mutex<Option<Arc<dyn SyncCallback>>>);

impl Nameless {
    fn callback(&self) -> Arc<dyn SyncCallback> {
        self.0.lock().expect("nobody panics with it").clone().expect("the host has set a callback")
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
        Ok(listed(&["a"]))
    }

    fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        *self.0.lock().expect("nobody panics with it") = callback;
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
async fn r045_a_hosted_handler_that_cannot_say_its_info_runs_under_the_one_it_was_given() {
    let create = || Arc::new(Nameless::default());
    assert_eq!(Hosted::new(create).err(), Some(HResult::E_OUTOFMEMORY));
    let manager = SyncManager::new();
    manager.register(Hosted::with_info(HandlerInfo::new(CLASSIC, "As registered"), create)).unwrap();
    let report = within(begin(&manager).finish()).await;
    assert_eq!(report.items().map(|item| item.outcome).collect::<Vec<_>>(), [Outcome::Succeeded]);
    assert_eq!(ran(&report, CLASSIC).name, "As registered");
}
