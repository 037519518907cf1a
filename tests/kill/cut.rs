//! A write-ahead log that ends anywhere, as after a loss of power.

use std::fs;

use syncmgr::store::{SqliteOptions, SqliteStore, StoreError};

use crate::agreement::Data;
use crate::child::{Disk, Fate, Orders, Part};
use crate::dice::{dice, times};
use crate::folder::Folder;
use crate::seen::{Seen, integrity, orphans};
use crate::trial::Trial;

/// The sizes SQLite documents: of the log's header, of a frame's, and of a page.
const LOG_HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;

#[test]
fn a_log_that_is_cut_anywhere_leaves_records_that_agree() {
    let trial = Trial::new();
    let orders = Orders { part: Part::PlayAndDie, disk: Disk::Power, ..Orders::default() };
    assert_eq!(orders.run(&trial.folder).0, Fate::Killed);
    let whole = fs::metadata(trial.folder.0.join("state-wal")).expect("a log").len();
    let frames = (whole - LOG_HEADER) / FRAME;
    let (mut dice, copy) = (dice(4), Folder(trial.folder.0.join("cut")));
    trial.folder.copy_state(&copy.0);
    println!("a log of {frames} frames");
    assert!(frames > 100);
    for frame in (0..=frames).rev().step_by(times(7, 1)) {
        let boundary = LOG_HEADER + frame * FRAME;
        if frame % 8 == 0 && frame < frames {
            look_at_cut(&trial.folder, &copy, boundary + dice.u64(..FRAME));
        }
        look_at_cut(&trial.folder, &copy, boundary);
    }
}

/// Looks at the copy once its log is this long; it only ever gets shorter.
fn look_at_cut(whole: &Folder, copy: &Folder, length: u64) {
    let (path, log) = (copy.state(), copy.0.join("state-wal"));
    let _ = fs::remove_file(copy.0.join("state-shm"));
    fs::File::options().write(true).open(log).and_then(|log| log.set_len(length)).expect("cut");
    assert_eq!(integrity(&path), "ok", "cut at {length}");
    match SqliteStore::look(&path) {
        Ok(store) => Seen::in_store(&store, &path).assert_agreed(whole, Data::Newer),
        Err(StoreError::TooOld { found: 0, .. }) => return,
        Err(error) => panic!("cut at {length}: {error}"),
    }
    assert_eq!(orphans(&path), 0, "cut at {length}");
    if length % (16 * FRAME) == LOG_HEADER {
        let opened = Folder(copy.0.join("opened"));
        copy.copy_state(&opened.0);
        SqliteOptions::new().open(opened.state()).expect("whatever is cut off, the file opens");
        fs::remove_dir_all(opened.0).expect("removed");
    }
}
