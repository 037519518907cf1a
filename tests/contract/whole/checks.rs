//! Checks of the final state.

use std::collections::BTreeSet;

use syncmgr::classic::HResult;
use syncmgr::{HandlerId, ItemId, Progress, Report, RunEnding, SessionId, SyncItem, anyhow};
use syncmgr_test::ScriptedHandler;

use super::generated::poll_once;
use super::model::{Model, ModelState, SavedContext};
use super::plans::{HandlerPlan, Listing};
use super::setup::handler_id;

/// Checks that each item is reported once, each run has ended, and no prepared item is missing.
pub(crate) fn report(report: &Report, model: &Model) -> Vec<String> {
    let mut violations = Vec::new();
    for run in &report.runs {
        let items: Vec<ItemId> = run.items().map(|item| item.item.id()).collect();
        let set: BTreeSet<ItemId> = items.iter().copied().collect();
        if set.len() != items.len() {
            violations.push("an item is reported twice");
        }
        if run.ending.is_none() {
            violations.push("a reported run has not ended");
        }
        let prepared = model.lock().prepared.get(&(report.session, run.handler)).cloned();
        if !prepared.unwrap_or_default().is_subset(&set) {
            violations.push("a prepared item is not reported");
        }
    }
    violations.into_iter().map(|violation| format!("session {}: {violation}: {report:?}", report.session)).collect()
}

/// Checks that every requested and listed item has ended, unless the session ended before it selected items.
pub(crate) fn requested_items(
    report: &Report,
    plans: &[HandlerPlan],
    requested: &[(SessionId, HandlerId, Vec<ItemId>)],
) -> Option<String> {
    let (_, handler, wanted) = requested.iter().find(|(session, _, _)| *session == report.session)?;
    let run = report.run(*handler)?;
    let selected =
        matches!(run.ending, Some(RunEnding::Completed | RunEnding::NotPrepared(_) | RunEnding::NothingToDo));
    let plan = (0..plans.len()).find(|index| handler_id(*index) == *handler).map(|index| &plans[index])?;
    if !selected || matches!(plan.listing, Listing::Error | Listing::Hang | Listing::Panic) {
        return None;
    }
    let listed: BTreeSet<ItemId> = plan.listed().iter().map(SyncItem::id).collect();
    let missing: Vec<_> = wanted.iter().filter(|item| listed.contains(item) && run.item(**item).is_none()).collect();
    (!missing.is_empty()).then(|| format!("session {}: {missing:?} have no end: {report:?}", report.session))
}

/// Checks that contexts that a handler kept refuse calls after their end, and that every permit and connection is
/// released.
pub(crate) fn model_state(state: &ModelState) -> Vec<String> {
    let saved_contexts = state.saved_contexts.iter().filter_map(check_saved_context).map(String::from);
    let left = state.unreleased().into_iter().map(|left| format!("not released: {left}"));
    let classic_handlers = state.classic_handlers.iter().filter_map(|handler| check_classic_handler(handler));
    state.violations.iter().cloned().chain(left).chain(saved_contexts).chain(classic_handlers).collect()
}

/// Returns a violation if the context accepts a call after its end.
fn check_saved_context(context: &SavedContext) -> Option<&'static str> {
    let run = match context {
        SavedContext::Run(run) => run,
        SavedContext::Prepare(run) => {
            let excludes = |item: &SyncItem| run.exclude(item.id(), anyhow::anyhow!("late")).is_ok();
            if run.selection().iter().any(excludes) {
                return Some("an item was excluded after the end");
            }
            run
        }
        SavedContext::Synchronize(run) => {
            let reports = |item: &SyncItem| run.report(item.id(), Progress::new().with_value(1)).is_ok();
            if run.selection().iter().any(reports) || !matches!(poll_once(run.each_item()), Some(Err(_))) {
                return Some("items were run or reported after the end");
            }
            run
        }
        SavedContext::Item(item) => {
            if item.check().is_ok() || item.progress(1, 2).is_ok() {
                return Some("an item context accepts calls after the end");
            }
            item.run()
        }
        SavedContext::Callback(callback) => {
            let codes =
                [callback.prepare_for_sync_completed(HResult::S_OK), callback.synchronize_completed(HResult::S_OK)];
            return codes
                .iter()
                .any(|code| code.is_success())
                .then_some("a callback accepts completions after the end");
        }
    };
    let refuses = run.check().is_err()
        && matches!(poll_once(run.interaction()), Some(Err(_)))
        && matches!(poll_once(run.establish_connection(None)), Some(Err(_)));
    (!refuses).then_some("a context accepts calls after the end")
}

/// Checks that a classic handler was detached and received no call afterwards.
fn check_classic_handler(handler: &ScriptedHandler) -> Option<String> {
    let lines = handler.transcript().lines();
    let detached = lines.iter().position(|line| line == "SetProgressCallback NULL");
    let attached = lines.iter().filter(|line| *line == "SetProgressCallback").count();
    let ok = match detached {
        Some(index) => attached == 1 && index + 1 == lines.len(),
        None => attached == 0,
    };
    (!ok || handler.side().is_attached()).then(|| format!("called after it was detached, or never detached: {lines:?}"))
}
