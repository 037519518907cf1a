//! The permissions of entries that both sides have.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use rustix::fs::Mode;

use super::Run;
use crate::mirror::{Directory, Done, FileContext, FileError};
use crate::two_way::disks::Here;
use crate::two_way::entry::{Kind, Version};
use crate::two_way::plan::{Step, Verdict};
use crate::two_way::scan::version;
use crate::two_way::side::{Both, Side};

impl Run<'_> {
    /// Sets the permissions of both sides, unless they have them. Returns the versions afterwards; `None` if an entry has changed
    /// meanwhile, so that nothing is agreed about it.
    pub(super) fn set_modes(
        &self,
        here: &Here,
        step: &Step,
        path: &Path,
        mut versions: Both<Version>,
    ) -> Result<Option<Both<Version>>, FileError> {
        for side in Side::BOTH {
            let version = &mut versions[side];
            if version.kind == Kind::Link || version.mode == step.modes[side] {
                continue;
            }
            let keeps_modes = || here.to[side].file_system.sample.keeps_modes();
            let is_still = |now: &Version| self.is_still(side, version, now);
            self.touch(side, version);
            let now = set_mode(here.directory(side), &step.name, step.modes[side], is_still, keeps_modes);
            let now = now.file_context("cannot set the permissions", side.into(), path);
            let Some(now) = now? else {
                self.failures.leave(path);
                return Ok(None);
            };
            *version = now;
            if !matches!(step.verdict, Verdict::Copy(_)) {
                self.failures.monitor.done(Done::Adjusted);
            }
        }
        Ok(Some(versions))
    }
}

/// Returns `true` if permissions of an entry that both sides have are to be changed.
pub(super) fn has_other_modes(step: &Step) -> bool {
    let differs = |side: Side| {
        let version = step.found[side].map(|found| found.version);
        version.is_some_and(|version| version.kind != Kind::Link && version.mode != step.modes[side])
    };
    Side::BOTH.into_iter().any(differs)
}

/// Sets the permissions of an entry if it `is_still` the one that was found. Returns its new version; `None` if it is not.
fn set_mode(
    directory: &Directory,
    name: &OsStr,
    mode: u16,
    is_still: impl Fn(&Version) -> bool,
    keeps_modes: impl Fn() -> bool,
) -> io::Result<Option<Version>> {
    let look = || Ok::<_, io::Error>(directory.entry(name)?.map(|entry| version(&entry)));
    let Some(scanned) = look()?.filter(is_still) else { return Ok(None) };
    match directory.set_mode(name, Mode::from_raw_mode(mode.into())) {
        Err(_) if !keeps_modes() => {}
        set => set?,
    }
    // Another program may have changed the entry since it was looked at.
    Ok(look()?.filter(|now| now.is_moved_from(&scanned) && (now.mode == mode || !keeps_modes())))
}
