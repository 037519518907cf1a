//! State that earlier releases have written still loads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use syncmgr_core::error::FailureClass;
use syncmgr_core::id::ItemId;
use syncmgr_core::record::{Checkpoint, Fence};
use syncmgr_core::store::{StateChange, StateStore};
use syncmgr_runtime::report::ItemReport;

use super::super::bench::Bench;
use super::super::breach::{Breach, Played};
use super::super::place::Named;
use super::super::process::{Ran, SessionPlan};
use super::super::ruling::Ruling;
use super::super::script::Story;

/// Says that the file of a new version is to be written.
const BLESS: &str = "SYNCMGR_BLESS";

/// The states of items, by their ids.
type States = BTreeMap<String, Kept>;

/// The state of an item, and its name for people.
#[derive(serde::Deserialize)]
struct Kept {
    state: Value,
}

pub(super) fn upgrade(bench: &Bench<'_>) -> Ruling {
    let Some(directory) = &bench.kit.states else {
        return Ruling::Skipped("no states of earlier releases are kept; see `Kit::states`".into());
    };
    let version = bench.baseline.info.state_version();
    let newest = directory.join(file_name(version));
    if !newest.exists()
        && let Err(error) = bless(bench, &newest)
    {
        return broken(format!("the states of version {version} are not kept: {error}"));
    }
    match stored(directory) {
        Ok(files) => bench.play(files.into_iter().map(|(version, path)| story(version, path)).collect()),
        Err(error) => broken(format!("{} cannot be read: {error}", directory.display())),
    }
}

fn broken(headline: String) -> Ruling {
    let help = format!("run the test once with {BLESS}=1, and check the file in");
    Ruling::Broken(Breach::new(headline, help).in_script("look for the states"))
}

fn file_name(version: u32) -> String {
    format!("v{version}.json")
}

/// The files there are, with the version of each.
fn stored(directory: &Path) -> std::io::Result<BTreeMap<u32, PathBuf>> {
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

/// Writes what an undisturbed run saves, if that is wanted.
fn bless(bench: &Bench<'_>, path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(std::env::var_os(BLESS).is_some(), "there is no {}", path.display());
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(SessionPlan::default()).await));
    let mut states = Map::new();
    for item in &bench.baseline.items {
        let record = rig.disk().record(bench.handler(), item.id())?;
        if let Some(checkpoint) = record.and_then(|record| record.checkpoint) {
            let state: Value = serde_json::from_str(&checkpoint.state)?;
            states.insert(item.id().to_string(), json!({ "name": item.name(), "state": state }));
        }
    }
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(path, format!("{:#}\n", Value::Object(states)))?;
    Ok(())
}

fn story(version: u32, path: PathBuf) -> Story {
    Story::new(format!("go on from the states of version {version}"), move |bench| {
        let unreadable = |error: &dyn std::fmt::Display| {
            Breach::new(format!("{} is no file of states: {error}", path.display()), "check it out again")
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&error))?;
        let states: States = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        loads(bench, version, &states)
    })
}

fn loads(bench: &Bench<'_>, version: u32, states: &States) -> Played {
    let mut rig = bench.rig();
    let ids: BTreeMap<String, ItemId> =
        bench.baseline.items.iter().map(|item| (item.id().to_string(), item.id())).collect();
    let known: Vec<_> = states.iter().filter_map(|(id, kept)| Some((*ids.get(id)?, &kept.state))).collect();
    if known.is_empty() {
        let help = "the ids of items stay what they are from release to release";
        return Err(Breach::new(format!("no item has an id that the states of version {version} have"), help));
    }
    for (item, state) in known {
        let (handler, state) = (bench.handler(), Arc::from(state.to_string()));
        let checkpoint = Checkpoint::new(version, state);
        let (fence, consumed) = (Fence::default(), Vec::new());
        let change = StateChange::Committed { handler, item, fence, checkpoint, sides: None, consumed };
        drop(rig.disk().write(vec![change]));
    }
    rig.account.act(format!("the store has states of version {version}"));
    let ran = rig.program(async |process| process.session(SessionPlan::default()).await);
    let Ran::Rested(report, _) = ran else {
        return Err(Breach::new("the session does not come to an end", MIGRATE).with_account(&rig.account));
    };
    let allows = |ended: &ItemReport<'_>| bench.baseline.allows(ended.item.id(), Some(ended.outcome));
    match report.items().find(|ended| !allows(ended)) {
        None => Ok(()),
        Some(ended) => {
            let item = Named::from(ended.item);
            let headline = match ended.class {
                Some(FailureClass::UnreadableState) => format!("{item} cannot read its state of version {version}"),
                _ => format!("with its state of version {version}, {item} ends: {}", ended.outcome),
            };
            Err(Breach::new(headline, MIGRATE).with_account(&rig.account).with_item(&item))
        }
    }
}

const MIGRATE: &str =
    "give new fields a default with `#[serde(default)]`, or raise `state_version` and write `migrate`";
