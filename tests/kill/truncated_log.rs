//! Write-ahead logs that are truncated, as after a loss of power.

use std::fs;

use syncmgr::store::{SqliteOptions, SqliteStore, StoreError};

use crate::child::{ChildConfig, ChildDurability, ExitKind, Task};
use crate::consistency::Data;
use crate::folder::Folder;
use crate::random::{rng, times};
use crate::snapshot::{Snapshot, integrity, orphans};
use crate::trial::Trial;

/// The documented sizes of the log's header, of a frame's header, and of a page.
const LOG_HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;

#[test]
fn a_truncated_log_leaves_consistent_records() {
    let trial = Trial::new();
    let config = ChildConfig { task: Task::AllThenDie, durability: ChildDurability::Power, ..ChildConfig::default() };
    assert_eq!(config.run(&trial.folder).0, ExitKind::Killed);
    let whole = fs::metadata(trial.folder.0.join("state-wal")).expect("the log exists").len();
    let frames = (whole - LOG_HEADER) / FRAME;
    let (mut rng, copy) = (rng(4), Folder(trial.folder.0.join("truncated")));
    trial.folder.copy_state(&copy.0);
    println!("a log of {frames} frames");
    assert!(frames > 100);
    for frame in (0..=frames).rev().step_by(times(7, 1)) {
        let boundary = LOG_HEADER + frame * FRAME;
        if frame % 8 == 0 && frame < frames {
            check_truncated(&trial.folder, &copy, boundary + rng.u64(..FRAME));
        }
        check_truncated(&trial.folder, &copy, boundary);
    }
}

/// Truncates the log of the copy to this length and checks the copy. Later calls must pass smaller lengths.
fn check_truncated(whole: &Folder, copy: &Folder, length: u64) {
    let (path, log) = (copy.state(), copy.0.join("state-wal"));
    let _ = fs::remove_file(copy.0.join("state-shm"));
    fs::File::options().write(true).open(log).and_then(|log| log.set_len(length)).expect("the log is truncated");
    assert_eq!(integrity(&path), "ok", "truncated to {length}");
    match SqliteStore::open_read_only(&path) {
        Ok(store) => Snapshot::of_store(&store, &path).assert_consistent(whole, Data::Newer),
        Err(StoreError::TooOld { found: 0, .. }) => return,
        Err(error) => panic!("truncated to {length}: {error}"),
    }
    assert_eq!(orphans(&path), 0, "truncated to {length}");
    if length % (16 * FRAME) == LOG_HEADER {
        let opened = Folder(copy.0.join("opened"));
        copy.copy_state(&opened.0);
        SqliteOptions::new().open(opened.state()).expect("a truncated file opens");
        fs::remove_dir_all(opened.0).expect("the directory is removed");
    }
}
