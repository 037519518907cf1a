//! What has to hold when everything is over.

use std::collections::BTreeSet;

use syncmgr::classic::HResult;
use syncmgr::{HandlerId, ItemId, Progress, Report, RunEnding, SessionId, SyncItem, anyhow};
use syncmgr_test::ScriptedHandler;

use super::ledger::{Books, Ledger, Stray};
use super::plans::{Listing, Plan};
use super::player::at_once;
use super::world::handler_id;

/// Every item once, each run ended, and nothing missing that was prepared.
pub(crate) fn report(report: &Report, ledger: &Ledger) -> Vec<String> {
    let mut faults = Vec::new();
    for run in &report.runs {
        let items: Vec<ItemId> = run.items().map(|item| item.item.id()).collect();
        let set: BTreeSet<ItemId> = items.iter().copied().collect();
        if set.len() != items.len() {
            faults.push("an item is reported twice");
        }
        if run.ending.is_none() {
            faults.push("a run is reported that has not ended");
        }
        let prepared = ledger.books().prepared.get(&(report.session, run.handler)).cloned();
        if !prepared.unwrap_or_default().is_subset(&set) {
            faults.push("an item was prepared and is not reported");
        }
    }
    faults.into_iter().map(|fault| format!("session {}: {fault}: {report:?}", report.session)).collect()
}

/// What was asked for and is listed has come to an end in a session that was not over before it could be chosen.
pub(crate) fn asked(report: &Report, plans: &[Plan], asked: &[(SessionId, HandlerId, Vec<ItemId>)]) -> Option<String> {
    let (_, handler, wanted) = asked.iter().find(|(session, _, _)| *session == report.session)?;
    let run = report.run(*handler)?;
    let chose = matches!(run.ending, Some(RunEnding::Completed | RunEnding::NotPrepared(_) | RunEnding::NothingToDo));
    let plan = (0..plans.len()).find(|place| handler_id(*place) == *handler).map(|place| &plans[place])?;
    if !chose || matches!(plan.listing, Listing::Error | Listing::Hang | Listing::Panic) {
        return None;
    }
    let listed: BTreeSet<ItemId> = plan.listed().iter().map(SyncItem::id).collect();
    let missing: Vec<_> = wanted.iter().filter(|item| listed.contains(item) && run.item(**item).is_none()).collect();
    (!missing.is_empty()).then(|| format!("session {}: {missing:?} have no end: {report:?}", report.session))
}

/// What was put aside refuses, and what was lent is back.
pub(crate) fn books(books: &Books) -> Vec<String> {
    let strays = books.strays.iter().filter_map(stray).map(String::from);
    let left = books.left_over().into_iter().map(|left| format!("not given back: {left}"));
    let classics = books.classics.iter().filter_map(|handler| classic(handler));
    books.broken.iter().cloned().chain(left).chain(strays).chain(classics).collect()
}

/// What a context answers that should refuse.
fn stray(stray: &Stray) -> Option<&'static str> {
    let run = match stray {
        Stray::Run(run) => run,
        Stray::Prepare(run) => {
            let excludes = |item: &SyncItem| run.exclude(item.id(), anyhow::anyhow!("late")).is_ok();
            if run.selection().iter().any(excludes) {
                return Some("an item was excluded after the end");
            }
            run
        }
        Stray::Synchronize(run) => {
            let reports = |item: &SyncItem| run.report(item.id(), Progress::new().with_value(1)).is_ok();
            if run.selection().iter().any(reports) || !matches!(at_once(run.each_item()), Some(Err(_))) {
                return Some("items were run or reported after the end");
            }
            run
        }
        Stray::Item(item) => {
            if item.check().is_ok() || item.progress(1, 2).is_ok() {
                return Some("an item is not told that it is over");
            }
            item.run()
        }
        Stray::Callback(callback) => {
            let codes =
                [callback.prepare_for_sync_completed(HResult::S_OK), callback.synchronize_completed(HResult::S_OK)];
            return codes.iter().any(|code| code.is_success()).then_some("a callback takes completions after the end");
        }
    };
    let refuses = run.check().is_err()
        && matches!(at_once(run.interaction()), Some(Err(_)))
        && matches!(at_once(run.establish_connection(None)), Some(Err(_)));
    (!refuses).then_some("a context does not refuse after the end")
}

/// A handler in the call/completed style is left alone once its callback was taken away, which it always is.
fn classic(handler: &ScriptedHandler) -> Option<String> {
    let lines = handler.transcript().lines();
    let detached = lines.iter().position(|line| line == "SetProgressCallback NULL");
    let attached = lines.iter().filter(|line| *line == "SetProgressCallback").count();
    let well = match detached {
        Some(place) => attached == 1 && place + 1 == lines.len(),
        None => attached == 0,
    };
    (!well || handler.side().is_attached())
        .then(|| format!("called after it was detached, or never detached: {lines:?}"))
}
