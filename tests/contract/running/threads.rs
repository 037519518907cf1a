//! Calls of a callback's methods from other threads, one at a time and concurrently (R79, R80). The tests use real time.

use std::thread;

use syncmgr::classic::{Attention, HResult, SyncCallback};
use syncmgr::log::{ErrorId, ErrorScope};
use syncmgr::progress::Status;
use syncmgr::session::RunningItem;
use syncmgr::{LogLevel, Progress, RunEnding, Trigger};
use syncmgr_test::{ScriptedHandler, Transcript};
use tokio::sync::oneshot;

use crate::support::awaitable_host::{host_classic, items_named, prepares};
use crate::support::id;

#[tokio::test]
async fn r079_every_callback_method_works_from_another_thread() {
    let answers = Transcript::new();
    let noted = answers.clone();
    let handler = ScriptedHandler::new(items_named(&["a", "b"]))
        .on_prepare(|side| {
            let callback = side.callback();
            thread::spawn(move || callback.prepare_for_sync_completed(HResult::S_OK));
            HResult::S_OK
        })
        .on_synchronize(move |side| {
            let (callback, noted) = (side.callback(), noted.clone());
            thread::spawn(move || {
                for answer in make_every_call(&*callback) {
                    noted.note(answer.to_string());
                }
                callback.synchronize_completed(HResult::S_OK)
            });
            HResult::S_OK
        });
    let (manager, _) = host_classic(handler);
    let report = manager.session(Trigger::Manual).start().unwrap().finish().await;
    // The session is unattended and the handler declared no connections, so two calls are refused.
    assert_eq!(answers.lines(), ["S_OK", "S_OK", "S_OK", "S_OK", "S_FALSE", "S_OK", "E_FAIL"]);
    assert!(report.is_success(), "{report}");
    assert_eq!(&*report.runs[0].log[0].text, "logged");
}

/// Makes every call that is allowed during `Synchronize`.
fn make_every_call(callback: &dyn SyncCallback) -> [HResult; 7] {
    [
        callback.progress(id("a"), Some(&Progress::new().with_status(Status::Succeeded))),
        callback.progress(id("b"), Some(&Progress::new().with_value(1))),
        callback.log_error(LogLevel::Warning, "logged", None),
        callback.delete_log_error(ErrorScope::One(ErrorId::from_u128(1))),
        callback.enable_modeless(Attention::Ask),
        callback.enable_modeless(Attention::Release),
        callback.establish_connection(None),
    ]
}

/// Returns a handler whose `Synchronize` runs `work` on eight threads, and a receiver that resolves once they have ended.
fn on_eight_threads(
    work: impl Fn(&dyn SyncCallback, u64) + Send + Sync + 'static,
) -> (ScriptedHandler, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    let mut once = Some((work, sender));
    let handler = ScriptedHandler::new(items_named(&["a", "b"])).on_prepare(prepares()).on_synchronize(move |side| {
        let (callback, (work, done)) = (side.callback(), once.take().expect("called once"));
        thread::spawn(move || {
            let each = |number| work(&*callback, number);
            thread::scope(|scope| (0..8).for_each(|number| drop(scope.spawn(move || each(number)))));
            done.send(())
        });
        HResult::S_OK
    });
    (handler, receiver)
}

#[tokio::test]
async fn r080_log_entries_from_many_threads_are_all_recorded() {
    let (handler, finished) = on_eight_threads(|callback, number| {
        for line in 0..100 {
            callback.log_error(LogLevel::Information, &format!("{number} {line}"), None);
        }
    });
    let (manager, handler) = host_classic(handler);
    let session = manager.session(Trigger::Manual).start().unwrap();
    finished.await.unwrap();
    handler.side().callback().synchronize_completed(HResult::S_OK);
    let report = session.finish().await;
    for number in 0..8 {
        let beginning = format!("{number} ");
        let lines = report.runs[0].log.iter().filter_map(|entry| entry.text.strip_prefix(&*beginning));
        assert!(
            lines.eq((0..100).map(|line| line.to_string())),
            "lines of thread {number} are missing or out of order"
        );
    }
}

#[tokio::test]
async fn r080_progress_fields_set_by_many_threads_do_not_overwrite_each_other() {
    let (handler, finished) = on_eight_threads(|callback, number| {
        for n in 1..=200 {
            let report = match number % 3 {
                0 => Progress::new().with_value(n),
                1 => Progress::new().with_max(1000),
                _ => Progress::new().with_text("copying"),
            };
            assert_eq!(callback.progress(id("a"), Some(&report)), HResult::S_OK);
        }
    });
    let (manager, handler) = host_classic(handler);
    let session = manager.session(Trigger::Manual).start().unwrap();
    finished.await.unwrap();
    let progress = session.progress();
    let [RunningItem { item, state, .. }] = &progress[..] else { panic!("{progress:?}") };
    assert_eq!((*item, state.value, state.max, state.text.as_deref()), (id("a"), 200, 1000, Some("copying")));
    handler.side().callback().synchronize_completed(HResult::S_OK);
    session.close().await;
}

#[tokio::test]
async fn r080_exactly_one_of_many_concurrent_completions_counts() {
    let answers = Transcript::new();
    let noted = answers.clone();
    let (handler, finished) = on_eight_threads(move |callback, number| {
        let code = if number % 2 == 0 { HResult::E_FAIL } else { HResult::S_FALSE };
        noted.note(format!("{} {code}", callback.synchronize_completed(code)));
    });
    let (manager, _) = host_classic(handler);
    let report = manager.session(Trigger::Manual).start().unwrap().finish().await;
    finished.await.unwrap();
    assert_eq!((answers.count("S_OK"), answers.count("E_UNEXPECTED")), (1, 7));
    let Some(RunEnding::NotCompleted(fault)) = report.runs[0].ending else { panic!("{report}") };
    let code = fault.code();
    assert_eq!(answers.of(&["S_OK"]), [format!("S_OK {code}")]);
}
