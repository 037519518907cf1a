//! The check that the handler can load the state of earlier releases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use syncmgr_core::error::FailureClass;
use syncmgr_core::id::ItemId;
use syncmgr_core::record::{Checkpoint, Fence};
use syncmgr_core::store::{StateChange, StateStore};
use syncmgr_runtime::report::ItemReport;

use super::super::checker::Checker;
use super::super::injection::ItemLabel;
use super::super::process::{SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::CustomScript;
use super::super::violation::{ScriptResult, Violation};

/// The environment variable that makes the kit write the file of a new version.
const BLESS: &str = "SYNCMGR_BLESS";

/// The states of items, by id.
type States = BTreeMap<String, SavedState>;

/// The state of an item. The file also contains the item's name, for human readers.
#[derive(serde::Deserialize)]
struct SavedState {
    state: Value,
}

pub(super) fn upgrade(checker: &Checker<'_>) -> CheckResult {
    let Some(directory) = &checker.kit.states else {
        return CheckResult::Skipped("no states of earlier releases are stored; see `Kit::states`".into());
    };
    let version = checker.baseline.info.state_version();
    let newest = directory.join(file_name(version));
    if !newest.exists()
        && let Err(error) = bless(checker, &newest)
    {
        return failed_check(format!("the states of version {version} are not stored: {error}"));
    }
    match state_files(directory) {
        Ok(files) => checker.play(files.into_iter().map(|(version, path)| script(version, path)).collect()),
        Err(error) => failed_check(format!("{} cannot be read: {error}", directory.display())),
    }
}

fn failed_check(headline: String) -> CheckResult {
    let help = format!("run the test once with {BLESS}=1, and add the file to version control");
    CheckResult::Failed(Violation::new(headline, help).in_script("read the state files"))
}

fn file_name(version: u32) -> String {
    format!("v{version}.json")
}

/// Returns the state files by version.
fn state_files(directory: &Path) -> std::io::Result<BTreeMap<u32, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let version =
            name.strip_prefix('v').and_then(|name| name.strip_suffix(".json")).and_then(|name| name.parse().ok());
        files.extend(version.map(|version| (version, path)));
    }
    Ok(files)
}

/// Writes the state that a run without faults saves, if [`BLESS`] is set.
fn bless(checker: &Checker<'_>, path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(std::env::var_os(BLESS).is_some(), "there is no {}", path.display());
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
    let mut states = Map::new();
    for item in &checker.baseline.items {
        let record = fixture.disk().record(checker.handler(), item.id())?;
        if let Some(checkpoint) = record.and_then(|record| record.checkpoint) {
            let state: Value = serde_json::from_str(&checkpoint.state)?;
            states.insert(item.id().to_string(), json!({ "name": item.name(), "state": state }));
        }
    }
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(path, format!("{:#}\n", Value::Object(states)))?;
    Ok(())
}

fn script(version: u32, path: PathBuf) -> CustomScript {
    CustomScript::new(format!("continue from the states of version {version}"), move |checker| {
        let unreadable = |error: &dyn std::fmt::Display| {
            Violation::new(
                format!("{} is not a state file: {error}", path.display()),
                "restore it from version control",
            )
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&error))?;
        let states: States = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        check_states(checker, version, &states)
    })
}

fn check_states(checker: &Checker<'_>, version: u32, states: &States) -> ScriptResult {
    let mut fixture = checker.fixture();
    let ids: BTreeMap<String, ItemId> =
        checker.baseline.items.iter().map(|item| (item.id().to_string(), item.id())).collect();
    let known: Vec<_> = states.iter().filter_map(|(id, saved)| Some((*ids.get(id)?, &saved.state))).collect();
    if known.is_empty() {
        let help = "keep the ids of items stable across releases";
        return Err(Violation::new(format!("no item has an id from the states of version {version}"), help));
    }
    for (item, state) in known {
        let (handler, state) = (checker.handler(), Arc::from(state.to_string()));
        let checkpoint = Checkpoint::new(version, state);
        let (fence, consumed) = (Fence::default(), Vec::new());
        let change = StateChange::Committed { handler, item, fence, checkpoint, sides: None, consumed };
        drop(fixture.disk().write(vec![change]));
    }
    fixture.log.action(format!("the store has states of version {version}"));
    let ran = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
    let SessionResult::Ended(report, _) = ran else {
        return Err(Violation::new("the session does not end", MIGRATE_HELP).with_log(&fixture.log));
    };
    let allows = |ended: &ItemReport<'_>| checker.baseline.allows(ended.item.id(), Some(ended.outcome));
    match report.items().find(|ended| !allows(ended)) {
        None => Ok(()),
        Some(ended) => {
            let item = ItemLabel::from(ended.item);
            let headline = match ended.class {
                Some(FailureClass::UnreadableState) => format!("{item} cannot read its state of version {version}"),
                _ => format!("with its state of version {version}, {item} ends: {}", ended.outcome),
            };
            Err(Violation::new(headline, MIGRATE_HELP).with_log(&fixture.log).with_item(&item))
        }
    }
}

const MIGRATE_HELP: &str =
    "give new fields a default with `#[serde(default)]`, or raise `state_version` and write `migrate`";
