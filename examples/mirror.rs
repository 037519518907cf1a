//! A one-way mirror: `cargo run --example mirror -- FROM TO`. Each entry of FROM is an item. Files that are new, or
//! differ from TO in size or time, are copied atomically. Nothing is deleted, no symbolic link is followed, and
//! permissions are not copied. A kill may leave a `.mirror-*` file in TO; the next run copies the remaining files.
use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use syncmgr::anyhow::{anyhow, ensure};
use syncmgr::prelude::*;

#[derive(Clone)]
struct Mirror {
    from: PathBuf,
    to: PathBuf,
}

#[sync_handler(id = "3f0c7a52-9d64-4c1e-8b1a-7e5d2c90ab46", name = "Mirror", capabilities(cancellable, idempotent))]
impl SyncHandler for Mirror {
    async fn items(&self) -> SyncResult<Items> {
        let name = |entry: DirEntry| entry.file_name().into_string().map_err(|name| anyhow!("{name:?} is not UTF-8"));
        let items = fs::read_dir(&self.from)?.map(|entry| Ok(SyncItem::named(name(entry?)?)));
        Ok(items.collect::<SyncResult<Vec<_>>>()?.into()) // one short read; longer work runs in `blocking`
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let (mirror, mut pending, mut done) = (self.clone(), vec![PathBuf::from(item.name())], 0);
        let work = move |item: ItemContext| {
            if fs::symlink_metadata(mirror.from.join(item.name())).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
                return Err(anyhow!("removed since it was listed")).gone(); // not retried
            }
            while let Some(path) = pending.pop() {
                item.progress(done, done + 1 + pending.len() as u64)?; // fails once the item is skipped or stopped
                item.tolerate(path.display(), update(&mirror, &item, &path, &mut pending))?; // a file's error fails the item at its end
                done += 1;
            }
            Ok(())
        };
        item.blocking(work).await // on a thread for blocking work; the item awaits the result
    }
}

/// Copies a file that differs, or creates a directory and adds its entries to `pending`.
fn update(mirror: &Mirror, item: &ItemContext, path: &Path, pending: &mut Vec<PathBuf>) -> SyncResult {
    let (from, to) = (mirror.from.join(path), mirror.to.join(path));
    let (about, existing) = (fs::symlink_metadata(&from)?, fs::symlink_metadata(&to).ok());
    let stamp = |about: &Metadata| about.is_file().then(|| (about.len(), about.modified().ok()));
    if about.is_dir() {
        let created = if existing.is_some_and(|existing| existing.is_dir()) { Ok(()) } else { fs::create_dir(&to) };
        created.permanent()?; // fails until the user removes the obstacle
        for entry in fs::read_dir(from)? {
            pending.push(path.join(entry?.file_name()));
        }
    } else if !about.is_file() {
        item.warn(format!("{} is not copied: neither a file nor a directory", path.display()));
    } else if existing.as_ref().and_then(stamp) != stamp(&about) {
        copy(item, &from, &to, &about)?;
    }
    Ok(())
}

/// Copies to a temporary file and renames it, so that other programs see the old file or the new one.
fn copy(item: &ItemContext, from: &Path, to: &Path, about: &Metadata) -> SyncResult {
    let (mut source, directory) = (File::open(from)?, to.parent().expect("a path below TO"));
    let mut temporary = tempfile::NamedTempFile::with_prefix_in(".mirror-", directory)?;
    while io::copy(&mut source.by_ref().take(1 << 20), &mut temporary)? > 0 {
        item.report(Progress::new().with_text(from.display().to_string()))?;
    }
    temporary.as_file().set_modified(about.modified()?)?;
    temporary.as_file().sync_all()?;
    Ok(temporary.persist(to).map(drop)?)
}

#[tokio::main]
async fn main() -> SyncResult {
    let folders = std::env::args_os().skip(1).map(fs::canonicalize).collect::<io::Result<Vec<_>>>()?;
    let [from, to] = folders.try_into().map_err(|_| anyhow!("usage: mirror FROM TO"))?;
    ensure!(!from.starts_with(&to) && !to.starts_with(&from), "neither folder may contain the other");
    let report = SyncManager::new().run(Mirror { from, to }).await?;
    println!("{report}");
    std::process::exit(if report.is_success() { 0 } else { 1 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use futures::executor::block_on;
    use syncmgr::FailureClass;
    use syncmgr::context::TestContext;
    use syncmgr_test::Provider;
    use tempfile::TempDir;

    use super::*;

    /// FROM and TO in one temporary directory.
    struct Folders(TempDir);

    impl Folders {
        fn new() -> Self {
            let folders = Self(tempfile::tempdir().unwrap());
            let from = folders.0.path().join("from");
            fs::create_dir_all(from.join("docs/deep")).unwrap();
            fs::create_dir(folders.0.path().join("to")).unwrap();
            for name in ["top", "docs/plan", "docs/deep/notes"] {
                fs::write(from.join(name), name).unwrap();
            }
            #[cfg(unix)]
            std::os::unix::fs::symlink("plan", from.join("docs/latest")).unwrap();
            folders
        }
    }

    impl Provider for Folders {
        fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
            Arc::new(Mirror { from: self.0.path().join("from"), to: self.0.path().join("to") })
        }

        fn data(&self) -> BTreeMap<String, String> {
            let (mut found, mut pending) = (BTreeMap::new(), vec![self.0.path().join("to")]);
            while let Some(path) = pending.pop() {
                let text = if path.is_dir() { "a directory".into() } else { fs::read_to_string(&path).unwrap() };
                if path.is_dir() {
                    pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
                found.insert(path.strip_prefix(self.0.path()).unwrap().display().to_string(), text);
            }
            found
        }
    }

    #[test]
    fn the_mirror_passes_the_conformance_check() {
        syncmgr_test::assert_conforms(Folders::new);
    }

    #[test]
    fn a_removed_item_is_gone_and_an_obstacle_is_a_permanent_failure() {
        let folders = Arc::new(Folders::new());
        fs::write(folders.0.path().join("to/docs"), "a file").unwrap();
        let (mirror, host) = (folders.clone().handler(), TestContext::new());
        let removed = block_on(mirror.synchronize_item(&host.item("removed"))).unwrap_err();
        assert_eq!(FailureClass::of(&removed), FailureClass::Gone);
        let docs = host.item("docs");
        block_on(mirror.synchronize_item(&docs)).unwrap();
        assert_eq!(docs.cell().signals().tolerated, Some(FailureClass::Permanent));
    }
}
