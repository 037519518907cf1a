//! One run of the program in both directions.

use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use syncmgr::text::Escaped;

use super::names::name_sides;
use super::pair::TwoWayPair;
use super::reconcile::Rules;
use super::remedy::Remedies;
use crate::args::Args;
use crate::open_files::raise_open_files;
use crate::paths;
use crate::program::run_once;
use crate::report::Report;
use crate::state;

/// Carries out one run.
pub(crate) fn synchronize(args: &Args) -> SyncResult<Report> {
    raise_open_files();
    let paths = paths::check(&args.from, &args.to).map_err(name_sides)?;
    let store = state::open(args, &paths.from, &paths.to)?;
    let open = pair(args, store.as_ref()).open()?;
    let (parts, disks) = (open.handler.parts(), open.handler.disks());
    let losses = || Some(disks.losses().join("; ")).filter(|text| !text.is_empty());
    let mut report = run_once(args, open.handler.clone(), &parts, store, losses)?;
    report.warnings.extend(open.close().err().map(|error| Escaped(&format!("{error:#}")).to_string()));
    Ok(report)
}

/// The pair that the arguments describe.
pub(crate) fn pair(args: &Args, store: Option<&SqliteStore>) -> TwoWayPair {
    let (compares_contents, forgets_mounts) = (args.compares_contents(), args.yes);
    let pair = TwoWayPair::of_program(args.from.clone(), args.to.clone()).with_jobs(args.jobs());
    let pair = store.into_iter().fold(pair, TwoWayPair::with_store);
    let pair = args.keep_replaced.into_iter().fold(pair, TwoWayPair::keeping_replaced);
    let mut pair = args.ignore_file.iter().fold(pair, TwoWayPair::with_ignore_file);
    pair.rules = Rules { policy: args.conflict, compares_contents, forgets_mounts, ..Rules::default() };
    (pair.kept, pair.is_unguarded) = (args.kept(), args.yes);
    if args.watch {
        pair.remedies = Remedies::OF_WATCH;
    }
    pair
}
