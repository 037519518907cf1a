//! The sync handler.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use tokio::task::spawn_blocking;

use super::disks::Disks;
use super::plan::PartName;
use super::prepare::{Preparation, Prepared, directories, id_of};
use super::reconcile::Rules;
use super::record::Record;
use super::work::Work;
use crate::handler::{Parts, limits};
use crate::mirror::{Done, Extent, OwnFiles};
use crate::part::{Diagnostic, Part};

/// Synchronizes two directories in both directions. Each directory at the top level of either is an item; one more item, `.`, has all
/// other entries there.
///
/// A run scans all selected items before the first of them begins. What one side has moved is moved on the other one then, also from one
/// item to another. The other changes are made by each item, and deletions come last.
pub(crate) struct TwoWay {
    disks: Disks,
    parts: Parts,
    options: Arc<Options>,
}

/// The options of a run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rules: Rules,
    pub(crate) own_files: OwnFiles,
    pub(crate) jobs: usize,
    /// `true` if deletions that look like a mistake are made, and other roots than those of the last run are taken.
    pub(crate) is_unguarded: bool,
}

#[sync_handler(id = "a1c9f0d7-6b1e-4c7a-8f64-0d5b7e2c4a93", name = "Two-way folders")]
impl SyncHandler for TwoWay {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.with_limits(limits(self.options.jobs))
    }

    async fn items(&self) -> SyncResult<Items> {
        let mut parts: Vec<_> = self.parts.values().collect();
        parts.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(parts.into_iter().map(|part| part.item()).collect())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let selected: BTreeSet<PartName> =
            run.selection().iter().filter_map(|item| self.parts.get(&item.id())).map(|part| name_of(part)).collect();
        let (disks, options, context) = (self.disks.clone(), self.options.clone(), run.clone());
        let prepare = move || {
            let Options { rules, own_files, is_unguarded, .. } = &*options;
            let takes_other_roots = *is_unguarded;
            Preparation { disks: &disks, rules, own_files, run: &context, selected, takes_other_roots }.prepare()
        };
        let prepared = spawn_blocking(prepare).await?.inspect_err(|error| self.explain(error));
        let prepared = Arc::new(prepared?);
        run.each(|item| {
            let prepared = prepared.clone();
            async move { self.synchronize_one(&item, prepared).await }
        })
        .await?;
        self.disks.losses().iter().for_each(|text| run.warn(text));
        Ok(())
    }
}

impl TwoWay {
    /// Creates a handler and lists its items.
    pub(crate) fn new(disks: Disks, options: Options) -> io::Result<Self> {
        let names = directories(&disks.roots, &options.own_files)?;
        let parts = names.into_iter().map(Extent::Directory).chain([Extent::TopLevel]).map(Part::new);
        let parts: BTreeMap<_, _> = parts.map(|part| (part.item().id(), Arc::new(part))).collect();
        Ok(Self { disks, parts: Arc::new(parts), options: Arc::new(options) })
    }

    /// The parts, whose results the report contains.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// The open directories, which know at the end what they cannot store.
    pub(crate) fn disks(&self) -> Disks {
        self.disks.clone()
    }

    /// Has the report say why no item began.
    fn explain(&self, error: &syncmgr::anyhow::Error) {
        if let Some(part) = self.parts.get(&id_of(&None)) {
            part.result().errors.push(Diagnostic::new(part.path(), format!("{error:#}")));
        }
    }

    async fn synchronize_one(&self, item: &ItemContext, prepared: Arc<Prepared>) -> SyncResult {
        let gone = || anyhow!("the directory is on neither side");
        let part = self.parts.get(&item.id()).ok_or_else(gone).gone()?.clone();
        let _stopwatch = part.measure();
        let name = name_of(&part);
        (0..prepared.moved.get(&name).copied().unwrap_or(0)).for_each(|_| part.result().counts.count(Done::Moved));
        let (disks, is_unguarded) = (self.disks.separate(), self.options.is_unguarded);
        let (shared, own_part) = (prepared.clone(), part.clone());
        let agreed = item
            .blocking(move |item| {
                let jobs = disks.jobs.clone();
                let _job = jobs.begin();
                Ok(Work { disks, prepared: shared, name, part: own_part, item, is_unguarded }.synchronize()?)
            })
            .await?;
        let Some(agreed) = agreed else { return Ok(()) };
        let mut saved = item.saved::<Record>()?;
        let record = Record { roots: prepared.roots.clone(), agreed };
        if *saved == record {
            return Ok(());
        }
        *saved = record;
        saved.commit().await
    }
}

fn name_of(part: &Part) -> PartName {
    match &part.extent {
        Extent::Directory(name) => Some(name.clone()),
        Extent::TopLevel => None,
    }
}
