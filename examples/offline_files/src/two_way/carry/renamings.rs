//! New names for what one side keeps beside the version of the other.

use std::ffi::OsStr;
use std::io;

use rustix::io::Errno;

use super::failures::Failures;
use crate::mirror::{Done, FileContext, FileError, Stopped};
use crate::two_way::disks::Disks;
use crate::two_way::entry::Version;
use crate::two_way::plan::{PartPlan, Reason, Renaming, Step, Verdict};
use crate::two_way::scan::version;

pub(super) fn rename_all(disks: &Disks, part: &mut PartPlan, failures: &Failures<'_>) -> Result<(), Stopped> {
    for renaming in part.renamings.clone() {
        failures.monitor.advance(0)?;
        let renamed = failures.tolerate(rename(disks, part, &renaming))?;
        let Renaming { side, step, parent, from, .. } = renaming;
        match renamed {
            Some(now) => {
                failures.monitor.done(Done::Moved);
                part.steps[step].found[side].iter_mut().for_each(|found| found.version = now);
            }
            None => {
                let is_either = |(index, other): &(usize, &mut Step)| {
                    *index == step || other.parent == parent && other.name == from
                };
                let left = part.steps.iter_mut().enumerate().filter(is_either);
                left.for_each(|(_, step)| step.verdict = Verdict::Leave(Reason::Unstable));
            }
        }
    }
    Ok(())
}

fn rename(disks: &Disks, part: &PartPlan, renaming: &Renaming) -> Result<Version, FileError> {
    let Renaming { side, parent, from, to, step } = renaming;
    let path = part.parent_path(*parent);
    let directory = disks.descend(*side, &path)?;
    let look = |name: &OsStr| directory.entry(name)?.ok_or_else(|| io::Error::from(Errno::NOENT));
    let found = part.steps[*step].found[*side];
    let rename = || {
        let now = version(&look(from)?);
        if !found.is_some_and(|found| found.version.is_still(&now)) {
            return Err(io::Error::other("it changed during the run"));
        }
        directory.rename_new(from, to)?;
        Ok(version(&look(to)?))
    };
    rename().file_context("cannot be renamed", (*side).into(), &path.join(from))
}
