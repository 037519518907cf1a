//! Comparison of contents.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::disks::{Disks, Here, failure_in};
use super::entry::{Found, Kind};
use super::plan::{PartPlan, Verdict};
use super::reconcile::Comparison;
use super::scan::version;
use super::side::{Both, Side};
use crate::mirror::{Entry, Failure, FileContext, Monitor, Stopped, are_equal, share, tolerate, wait_until_settled};

/// The number of files that one thread compares faster than several.
const FEW: usize = 4;

/// The number of files that a thread compares in one go.
const BATCH: usize = 64;

/// Compares the contents of the files and links for which the plan needs it.
pub(crate) fn compare(
    disks: &Disks,
    part: &PartPlan,
    monitor: &dyn Monitor,
) -> Result<HashMap<PathBuf, Comparison>, Stopped> {
    let undecided: Vec<usize> =
        (0..part.steps.len()).filter(|index| part.steps[*index].verdict == Verdict::Compare).collect();
    let results = Mutex::new(HashMap::with_capacity(undecided.len()));
    let of_one_directory = undecided.chunk_by(|one, other| part.steps[*one].parent == part.steps[*other].parent);
    let tasks: Vec<&[usize]> = of_one_directory.flat_map(|steps| steps.chunks(BATCH)).collect();
    share(&disks.jobs, FEW, tasks, |steps, _| {
        let path = part.parent_path(part.steps[steps[0]].parent);
        let here = tolerate(monitor, disks.open(&path))?;
        for step in steps.iter().map(|index| &part.steps[*index]) {
            let path = path.join(&step.name);
            let compared = match &here {
                Some(here) => compare_one(here, &step.name, &path, &step.found, monitor),
                None => Ok(Comparison::Unreadable),
            };
            let compared = tolerate(monitor, compared)?.unwrap_or(Comparison::Unreadable);
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(path, compared);
        }
        Ok(())
    })?;
    Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn compare_one(
    here: &Here,
    name: &OsStr,
    path: &Path,
    found: &Both<Option<Found>>,
    monitor: &dyn Monitor,
) -> Result<Comparison, Failure> {
    let look = || Both::from_fn(|side| here.directory(side).entry(name).ok().flatten()).together();
    let is_still = |now: &Both<Entry>| {
        let is_still = |side: Side| found[side].is_some_and(|found| found.version.is_still(&version(&now[side])));
        Side::BOTH.into_iter().all(is_still)
    };
    let Some(before) = look().filter(is_still) else { return Ok(Comparison::Failed) };
    Side::BOTH.iter().for_each(|side| wait_until_settled(&before[*side], monitor));
    let [a, b] = Side::BOTH.map(|side| here.directory(side));
    let is_equal = if version(&before.a).kind == Kind::Link {
        let targets = (a.link_target(name), b.link_target(name));
        matches!(targets, (Ok(a), Ok(b)) if a == b)
    } else {
        b.open_file(name).file_context("cannot be opened", Side::B.into(), path)?;
        are_equal(a, b, name, path, monitor).map_err(|failure| failure_in(failure, Side::B))?
    };
    Ok(match look().filter(is_still) {
        None => Comparison::Failed,
        Some(_) if is_equal => Comparison::Equal,
        Some(_) => Comparison::Different,
    })
}
