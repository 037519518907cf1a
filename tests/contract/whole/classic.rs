//! Runs a generated handler plan as a classic handler.

use std::sync::Arc;

use syncmgr::classic::{ErrorFlags, HResult, LogErrorInfo, SyncCallback};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::{HandlerId, LogLevel, Progress};
use syncmgr_test::{ScriptedHandler, Side};

use super::generated::{info, items, retry_items};
use super::model::{Model, SavedContext};
use super::plans::{Completion, HandlerPlan, Listing, ShowError, Style};
use super::steps::wait;

/// The call that completes a pair.
type Complete = fn(&dyn SyncCallback, HResult, &HandlerPlan) -> HResult;

/// A new instance of the handler.
pub(crate) fn instance(id: HandlerId, plan: &HandlerPlan, model: &Model) -> Arc<ScriptedHandler> {
    let Style::Classic { prepare, synchronize, show_error } = plan.style else {
        unreachable!("only classic handlers have instances")
    };
    let shared = model.clone();
    let mut handler = ScriptedHandler::new(items(plan))
        .with_info(info(id, plan))
        .on_prepare(pair(plan, prepare, |callback, code, _| callback.prepare_for_sync_completed(code)))
        .on_synchronize(synchronize_method(plan, synchronize, shared))
        .on_show_error(pair(plan, show_error, complete_show_error));
    if plan.declines {
        handler = handler.on_initialize(|_| HResult::S_FALSE);
    }
    if plan.listing == Listing::Error {
        handler = handler.with_listing_failure(HResult::E_FAIL);
    }
    let handler = Arc::new(handler);
    model.lock().classic_handlers.push(handler.clone());
    handler
}

fn complete_show_error(callback: &dyn SyncCallback, code: HResult, plan: &HandlerPlan) -> HResult {
    match plan.show_error {
        ShowError::Retry(wanted) if code.is_ok() => {
            callback.show_error_completed(HResult::S_SYNCMGR_RETRYSYNC, &retry_items(wanted))
        }
        _ => callback.show_error_completed(code, &[]),
    }
}

fn synchronize_method(
    plan: &HandlerPlan,
    completion: Completion,
    model: Model,
) -> impl FnMut(&Side) -> HResult + Send + 'static {
    let mut complete = pair(plan, completion, |callback, code, _| callback.synchronize_completed(code));
    move |side| {
        let callback = side.callback();
        for (index, item) in side.items().into_iter().enumerate() {
            let accepted = callback.progress(item, Some(&Progress::new().with_value(1).with_max(2)));
            if accepted.is_ok() && index % 3 != 2 {
                callback.progress(item, Some(&Progress::new().with_status(Status::Succeeded)));
            }
        }
        let error = ErrorId::from_key("link");
        let link = LogErrorInfo { flags: Some(ErrorFlags::ENABLE_JUMP_TEXT), error: Some(error), item: None };
        callback.log_error(LogLevel::Warning, "link", Some(&link));
        model.save_context(SavedContext::Callback(callback));
        complete(side)
    }
}

/// The first method of a pair. The method returns immediately and completes as `completion` says.
fn pair(
    plan: &HandlerPlan,
    completion: Completion,
    complete: Complete,
) -> impl FnMut(&Side) -> HResult + Send + 'static {
    let plan = plan.clone();
    move |side| {
        let callback = side.callback();
        match completion {
            Completion::Never => {}
            Completion::Refused => return HResult::E_FAIL,
            Completion::Failing => _ = complete(&*callback, HResult::E_FAIL, &plan),
            Completion::Immediately => _ = complete(&*callback, HResult::S_OK, &plan),
            Completion::Later(time) => later(callback, &plan, time, &[HResult::S_OK], complete),
            Completion::Twice(time) => later(callback, &plan, time, &[HResult::S_OK, HResult::E_FAIL], complete),
        }
        HResult::S_OK
    }
}

fn later(
    callback: Arc<dyn SyncCallback>,
    plan: &HandlerPlan,
    time: u16,
    codes: &'static [HResult],
    complete: Complete,
) {
    let plan = plan.clone();
    tokio::spawn(async move {
        for code in codes {
            wait(time).await;
            complete(&*callback, *code, &plan);
        }
    });
}
