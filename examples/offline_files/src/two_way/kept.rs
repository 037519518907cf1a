//! What is replaced or deleted, and kept for some days in a directory of its side: `.offline_files-kept/DATE/PATH`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Mode;

use super::disks::Disks;
use super::entry::{Kind, Version};
use super::scan::version;
use super::side::Side;
use crate::free_name::take_free_name;
use crate::mirror::{Directory, remove_expected};

/// The name of the directory in the root of each side. It is never synchronized.
pub(crate) const NAME: &str = ".offline_files-kept";

/// What happens to files and links that are replaced or deleted.
#[derive(Clone, Debug, Default)]
pub(crate) enum Keeper {
    /// They are removed.
    #[default]
    None,
    /// They are kept under this date.
    Under(String),
}

impl Keeper {
    /// Keeps everything under the date of `now`, in UTC.
    pub(crate) fn at(now: SystemTime) -> Self {
        Self::Under(date(days(now)))
    }

    /// Takes a file or link of this version from its directory on one side, in which it is at `path`. Returns `false` if it is another
    /// version by now, which stays, unless all versions are kept.
    pub(crate) fn retire(
        &self,
        disks: &Disks,
        side: Side,
        directory: &Directory,
        path: &Path,
        scanned: &Version,
    ) -> io::Result<bool> {
        let name = path.file_name().unwrap_or_default();
        let Self::Under(date) = self else {
            return remove_expected(directory, name, |now| version(now).is_moved_from(scanned));
        };
        let parent = Path::new(date).join(path.parent().unwrap_or(Path::new("")));
        let kept =
            parent.iter().try_fold(make(&disks.roots[side], OsStr::new(NAME))?, |kept, name| make(&kept, name))?;
        match directory.move_free(name, &kept, name) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                keep_copy(directory, name, &kept, scanned.kind)?;
                remove_expected(directory, name, |now| version(now).is_moved_from(scanned))
            }
            moved => moved.map(|()| true),
        }
    }
}

/// Opens a directory, which is created for its owner alone if it does not exist. If something else has the name, another one is taken.
fn make(parent: &Directory, name: &OsStr) -> io::Result<Directory> {
    take_free_name(name, |name| {
        match parent.create_directory(name, Mode::RWXU) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        match parent.enter(name) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(io::ErrorKind::AlreadyExists.into()),
            entered => entered,
        }
    })
}

/// Keeps a copy of what is on another file system: its contents and its time.
fn keep_copy(directory: &Directory, name: &OsStr, kept: &Directory, kind: Kind) -> io::Result<()> {
    if kind == Kind::Link {
        let target = directory.link_target(name)?;
        return take_free_name(name, |name| kept.create_link(name, &target));
    }
    let mut file = directory.open_file(name)?;
    let mut copy = take_free_name(name, |name| kept.create_file(name, Mode::RUSR | Mode::WUSR))?;
    io::copy(&mut file, &mut copy)?;
    copy.set_modified(file.metadata()?.modified()?)
}

/// Removes what was kept in `root` for more than `keep` days.
pub(crate) fn remove_old(root: &Path, keep: u32, now: SystemTime) -> io::Result<()> {
    let kept = root.join(NAME);
    if !fs::symlink_metadata(&kept).is_ok_and(|about| about.is_dir()) {
        return Ok(());
    }
    let newest_to_remove = days(now).saturating_sub(i64::from(keep) + 1);
    let is_old = |name: &OsString| {
        // A directory of another name is not one of the program.
        let day = name.to_str().and_then(day_of);
        day.is_some_and(|day| day <= newest_to_remove)
    };
    for entry in fs::read_dir(&kept)? {
        let entry = entry?;
        if is_old(&entry.file_name()) && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn days(now: SystemTime) -> i64 {
    const DAY: u64 = 24 * 60 * 60;
    i64::try_from(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY).unwrap_or(0)
}

/// The date of a day after 1970, in the form 2026-12-31.
fn date(days: i64) -> String {
    // Years that begin in March, in eras of 400 years, as in the paper of Howard Hinnant on algorithms for dates.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + i64::from(month <= 2))
}

/// The day after 1970 of a date that [`date`] has written.
fn day_of(text: &str) -> Option<i64> {
    let year: i64 = text.split('-').next()?.parse().ok()?;
    let first = (year - 1970) * 365 + (year - 1969).div_euclid(4) - 20;
    (first..first + 400).find(|day| date(*day) == text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        for (day, text) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_789, "2026-12-02"), (47_540, "2100-02-28")] {
            assert_eq!(date(day), text);
        }
        for day in (0..60_000).step_by(37) {
            assert_eq!(day_of(&date(day)), Some(day));
        }
        assert_eq!(day_of("2026-13-01"), None);
    }

    #[test]
    fn only_what_is_older_than_the_days_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let kept = root.path().join(NAME);
        for name in ["2026-11-30", "2026-12-01", "2026-12-02", "notes"] {
            fs::create_dir_all(kept.join(name).join("docs")).unwrap();
        }
        let now = UNIX_EPOCH + Duration::from_secs(20_789 * 86_400 + 5);
        remove_old(root.path(), 1, now).unwrap();
        let mut left: Vec<_> = fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["2026-12-01", "2026-12-02", "notes"]);
    }
}
