//! One run of the program in both directions.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;

use syncmgr::anyhow::{Context, anyhow};
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;
use syncmgr::store::{SqliteStore, StateStore};

use super::disks::Disks;
use super::handler::{Options, TwoWay};
use super::ignored::Ignored;
use super::kept::{self, Keeper, remove_old};
use super::reconcile::Rules;
use super::side::Both;
use crate::args::Args;
use crate::escape::EscapedPath;
use crate::mirror::OwnFiles;
use crate::open_files::raise_open_files;
use crate::paths::{self, CheckedPaths, PathError};
use crate::program::run_once;
use crate::report::Report;
use crate::state;

/// Carries out one run.
pub(crate) fn synchronize(args: &Args) -> SyncResult<Report> {
    raise_open_files();
    let paths = paths::check(&args.from, &args.to).map_err(name_sides)?;
    let store = state::open(&args.state(), &paths.from, &paths.to)?;
    if !args.yes {
        refuse_missing(&paths, store.as_ref())?;
    }
    let own_files = OwnFiles::of(store.as_ref().map(SqliteStore::path), [&paths.from, &paths.to]);
    let pair = paths.open(args.kept()).map_err(name_sides)?;
    if !pair.from.try_lock() {
        return Err(name_sides(PathError::Locked(paths.from.clone())));
    }
    let roots = Both { a: pair.from, b: pair.to };
    let compares_contents = args.compares_contents();
    let rules = Rules { policy: args.conflict, compares_contents, forgets_mounts: args.yes, ..Rules::default() };
    let now = SystemClock::default().now().wall;
    let keeper = args.keep_replaced.map_or(Keeper::None, |_| Keeper::at(now));
    let ignored = Ignored::read([&paths.from, &paths.to], args.ignore_file.as_deref())?;
    let options = Options { rules, own_files, ignored, jobs: args.jobs(), keeper, is_unguarded: args.yes };
    let handler = TwoWay::new(Disks::new(roots, args.kept(), args.jobs()), options).context("cannot list A and B")?;
    let (parts, disks) = (handler.parts(), handler.disks());
    let losses = || Some(disks.losses().join("; ")).filter(|text| !text.is_empty());
    let report = run_once(args, handler, &parts, store, losses);
    disks.remove_samples();
    for (root, days) in [&paths.from, &paths.to].into_iter().zip(std::iter::repeat(args.keep_replaced)) {
        let removed = days.map_or(Ok(()), |days| remove_old(root, days, now));
        removed.with_context(|| format!("cannot remove old files from {}", EscapedPath(root.join(kept::NAME))))?;
    }
    report
}

/// Fails if B does not exist, but did in an earlier run: a new one would look as if everything in it had been deleted.
fn refuse_missing(paths: &CheckedPaths, store: Option<&SqliteStore>) -> SyncResult {
    let is_missing = matches!(paths.to.metadata(), Err(error) if error.kind() == ErrorKind::NotFound);
    let is_known =
        |store: &SqliteStore| Ok::<_, syncmgr::anyhow::Error>(!store.records(TwoWay::HANDLER.id())?.is_empty());
    if is_missing && store.map(is_known).transpose()? == Some(true) {
        let path = EscapedPath(&paths.to);
        return Err(anyhow!(
            "nothing was done: B is missing: {path}; mount or restore it, or use --yes to copy A to a new B"
        ));
    }
    Ok(())
}

/// An error in the arguments.
#[derive(Debug)]
pub(crate) struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UsageError {}

/// Calls the sides A and B in an error about paths.
fn name_sides(error: PathError) -> syncmgr::anyhow::Error {
    let text = error.to_string();
    let (about, rest) = text.split_once(": ").map_or((&*text, None), |(about, rest)| (about, Some(rest)));
    let name = |word: &str| word.replace("FROM", "A").replace("TO", "B");
    // The names of the sides come before any path.
    let about = if about.contains('/') { about.to_owned() } else { name(about) };
    let text = rest.map_or_else(|| about.clone(), |rest| format!("{about}: {rest}"));
    if error.is_usage_error() { UsageError(text).into() } else { anyhow!(text) }
}
