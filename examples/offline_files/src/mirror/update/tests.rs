use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::{Command, Stdio};

use super::*;
use crate::mirror::fixture::{Hook, Recorder};
use crate::mirror::monitor::{Done, Stopped};
use crate::mirror::skip::skip;
use crate::mirror::trees::{Trees, chmod};
use crate::mirror::{Extent, ExtraEntries};

const NAME: &str = "large";
const SIZE: usize = 16 * 1024 * 1024 + 5000;

/// Two directories with the same large file, which the source then changes.
struct Large {
    trees: Trees,
    contents: Vec<u8>,
}

impl Large {
    /// `None` where files are never updated in place.
    fn new() -> Option<Self> {
        let trees = Trees::new();
        let mut contents = vec![0; SIZE];
        fastrand::Rng::with_seed(1).fill(&mut contents);
        [&trees.from, &trees.to].iter().for_each(|side| fs::write(side.join(NAME), &contents).unwrap());
        let pair = trees.pair();
        let probe = trees.to.join("probe");
        let target = open_target(&pair.to, NAME.as_ref())?;
        let shares = shares_blocks(&File::create(&probe).unwrap(), &target.file);
        fs::remove_file(probe).unwrap();
        (!shares).then_some(Self { trees, contents })
    }

    /// Changes the source at these offsets, and gives it a size.
    fn change(&mut self, offsets: &[usize], size: usize) {
        self.contents.resize(size, 7);
        offsets.iter().for_each(|offset| self.contents[*offset] ^= 1);
        let path = self.trees.from.join(NAME);
        fs::write(&path, &self.contents).unwrap();
        chmod(&path, 0o640);
    }

    fn source(&self) -> File {
        File::options().write(true).open(self.trees.from.join(NAME)).unwrap()
    }

    fn target(&self) -> File {
        File::options().read(true).write(true).open(self.trees.to.join(NAME)).unwrap()
    }

    fn update(&self, monitor: &dyn Monitor) -> Result<Updated, Failure> {
        let expected = Expected { source: &|_| true, target: &|_| true };
        update(&self.trees.pair(), NAME.as_ref(), NAME.as_ref(), &expected, monitor)
    }

    fn is_updated(&self) -> bool {
        matches!(self.update(&Recorder::default()).unwrap(), Updated::To { .. })
    }

    fn names(&self) -> Vec<std::ffi::OsString> {
        self.trees.pair().to.names().unwrap()
    }

    fn read_target(&self) -> Vec<u8> {
        fs::read(self.trees.to.join(NAME)).unwrap()
    }

    /// Asserts that the target is as after a copy.
    fn assert_equal(&self) {
        let [from, to] = [&self.trees.from, &self.trees.to].map(|side| fs::metadata(side.join(NAME)).unwrap());
        assert!(self.read_target() == self.contents, "the contents differ");
        assert_eq!((from.mode(), from.mtime(), from.mtime_nsec()), (to.mode(), to.mtime(), to.mtime_nsec()));
        assert_eq!(self.names(), [NAME]);
    }

    /// Leaves a complete journal beside the target, as a killed run does. Returns its name.
    fn leave_journal(&self) -> OsString {
        let (pair, monitor) = (self.trees.pair(), Recorder::default());
        let target = open_target(&pair.to, NAME.as_ref()).unwrap();
        let (file, about) = open_source(&pair, NAME.as_ref(), NAME.as_ref()).unwrap();
        let watch = Watch::begin(&target.file, NAME.as_ref()).unwrap();
        let source = Opened { file, about };
        let update = Update { pair: &pair, name: NAME.as_ref(), path: NAME.as_ref(), source, target, watch };
        update.record(&monitor).unwrap().unwrap().keep()
    }

    fn recover(&self, name: &OsStr) -> io::Result<Leftover> {
        recover(&self.trees.pair().to, name, |_| Vec::new())
    }
}

macro_rules! large {
    () => {
        match Large::new() {
            Some(large) => large,
            None => return skip("the file system of the temporary directory updates no file in place"),
        }
    };
}

/// The bytes that this thread has written so far.
fn written() -> u64 {
    let counters = fs::read_to_string("/proc/thread-self/io").unwrap();
    counters.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

#[test]
fn only_changed_pages_are_written_and_the_inode_stays() {
    let mut large = large!();
    large.change(&[0, 5_000_000, SIZE - 1], SIZE);
    let inode = large.target().metadata().unwrap().ino();
    let before = written();
    assert!(large.is_updated());
    let bytes = written() - before;
    // Each page is written to the journal and to the target.
    assert!((6 * 4096 - 8 * 4096 / 2..8 * 4096).contains(&bytes), "{bytes}");
    large.assert_equal();
    assert_eq!(large.target().metadata().unwrap().ino(), inode);
}

#[test]
fn a_file_gets_longer_and_shorter() {
    let mut large = large!();
    for size in [SIZE + 1_000_000, SIZE + 999_000, SIZE] {
        large.change(&[4096], size);
        assert!(large.is_updated());
        large.assert_equal();
    }
}

#[test]
fn a_file_of_which_much_has_changed_is_left_to_a_copy() {
    let mut large = large!();
    let every_fourth_page: Vec<_> = (0..SIZE).step_by(4 * 4096).collect();
    large.change(&every_fourth_page, SIZE);
    assert!(!large.is_updated());
    assert_eq!(large.names(), [NAME]);
    let old = large.read_target();
    large.contents = old.clone();
    large.change(&(4096..2 * SIZE / 5).step_by(4096).collect::<Vec<_>>(), SIZE);
    assert!(!large.is_updated());
    assert!(large.read_target() == old, "the target has changed");
}

#[test]
fn a_file_with_several_names_is_left_to_a_copy() {
    let mut large = large!();
    large.change(&[0], SIZE);
    fs::hard_link(large.trees.to.join(NAME), large.trees.to.join("other")).unwrap();
    assert!(!large.is_updated());
}

#[test]
fn a_file_that_another_program_has_open_is_left_to_a_copy() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let mut other = Command::new("sleep").arg("1000").stdin(Stdio::from(large.target())).spawn().unwrap();
    let is_updated = large.is_updated();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(!is_updated);
    assert!(large.is_updated());
}

#[test]
fn an_edit_of_either_side_during_the_comparison_prevents_the_update() {
    let mut large = large!();
    large.change(&[0], SIZE);
    for is_source in [true, false] {
        let edit = |_| {
            let file = if is_source { large.source() } else { large.target() };
            file.write_all_at(b"edited", 9_000_000).map_err(|_| Stopped)
        };
        let updated = large.update(&Hook(Recorder::default(), edit)).unwrap();
        assert!(matches!(updated, Updated::Not));
    }
    assert_eq!(large.read_target()[9_000_000..9_000_006], *b"edited");
    assert_ne!(large.read_target()[0], large.contents[0]);
    assert_eq!(large.names(), [NAME]);
}

#[test]
fn a_stop_leaves_the_target_and_no_journal() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let stopped = large.update(&Hook(Recorder::default(), |_| Err(Stopped)));
    assert!(matches!(stopped, Err(Failure::Stopped)));
    assert_ne!(large.read_target()[0], large.contents[0]);
    assert_eq!(large.names(), [NAME]);
}

#[test]
fn a_complete_journal_is_recovered_at_every_stage() {
    for (size, written) in [(SIZE, 0), (SIZE, 2), (SIZE + 9000, 1), (SIZE - 9000, 1)] {
        let mut large = large!();
        large.change(&[0, 4096, 9_000_000], size);
        let journal = large.leave_journal();
        if written > 0 {
            large.target().set_len(size as u64).unwrap();
            large.target().write_all_at(&large.contents[..written * 4096], 0).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(large.recover(&journal).unwrap(), Leftover::Journal);
            assert!(large.read_target() == large.contents, "{size} {written}");
        }
        fs::remove_file(large.trees.to.join(journal)).unwrap();
        chmod(&large.trees.to.join(NAME), 0o640);
        large.assert_equal();
    }
}

#[test]
fn a_journal_follows_a_renamed_file_and_spares_another_one() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let journal = large.leave_journal();
    let (path, moved) = (large.trees.to.join(NAME), large.trees.to.join("moved"));
    fs::rename(&path, &moved).unwrap();
    fs::write(&path, vec![1; SIZE]).unwrap();
    assert_eq!(large.recover(&journal).unwrap(), Leftover::Journal);
    assert!(fs::read(&moved).unwrap() == large.contents);
    fs::remove_file(moved).unwrap();
    assert_eq!(large.recover(&journal).unwrap(), Leftover::Useless);
    assert!(large.read_target() == vec![1; SIZE]);
}

#[test]
fn a_journal_follows_a_file_to_another_directory_and_spares_another_one() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let journal = large.leave_journal();
    let inode = large.target().metadata().unwrap().ino();
    let other = large.trees.base.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::rename(large.trees.to.join(NAME), other.join("moved")).unwrap();
    fs::write(other.join("another"), "another").unwrap();
    for (name, leftover) in [("another", Leftover::Useless), ("moved", Leftover::Journal)] {
        let elsewhere = |number| {
            assert_eq!(number, inode);
            vec![(Directory::open(&other).unwrap(), name.into())]
        };
        assert_eq!(recover(&large.trees.pair().to, &journal, elsewhere).unwrap(), leftover);
    }
    assert!(fs::read(other.join("moved")).unwrap() == large.contents);
}

#[test]
fn a_later_file_with_the_inode_number_of_the_target_is_another_file() {
    let mut large = large!();
    let old = large.contents.clone();
    large.change(&[0], SIZE);
    let (to, id) = (large.trees.pair().to, FileId::of(&large.target()).unwrap());
    for (born, leftover) in [(id.born + 1, Leftover::Useless), (id.born, Leftover::Journal)] {
        let name = format!("{born}.partial");
        let file = to.create_file(name.as_ref(), Mode::RUSR | Mode::WUSR).unwrap();
        let modified = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 1 };
        let id = FileId { born, ..id };
        let header = Header { name: NAME.into(), id, old_size: SIZE as u64, new_size: SIZE as u64, modified };
        let mut journal = Writer::begin(&file, &header).unwrap();
        journal.add(0, &old[..4096], &large.contents[..4096]).unwrap();
        journal.end().unwrap();
        assert_eq!(large.recover(name.as_ref()).unwrap(), leftover);
        assert_eq!(large.read_target()[0] == large.contents[0], leftover == Leftover::Journal);
    }
}

#[test]
fn an_incomplete_or_damaged_journal_is_useless() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let journal = large.leave_journal();
    let path = large.trees.to.join(&journal);
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(large.recover(&journal).unwrap(), Leftover::Useless, "{length}");
    }
    for index in (0..whole.len()).step_by(53) {
        let mut damaged = whole.clone();
        damaged[index] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(large.recover(&journal).unwrap(), Leftover::Useless, "{index}");
    }
    assert_ne!(large.read_target()[0], large.contents[0]);
}

#[test]
fn what_another_program_has_written_after_a_kill_stays() {
    let mut large = large!();
    large.change(&[0, 4096], SIZE);
    let journal = large.leave_journal();
    large.target().write_all_at(b"edited", 100).unwrap();
    assert_eq!(large.recover(&journal).unwrap(), Leftover::Journal);
    let target = large.read_target();
    assert_eq!(target[100..106], *b"edited");
    assert_eq!(target[4096], large.contents[4096]);
    let time = |side: &Path| fs::metadata(side.join(NAME)).unwrap().modified().unwrap();
    assert_ne!(time(&large.trees.from), time(&large.trees.to), "it is not taken for the version of the source");
}

#[test]
fn a_journal_waits_until_no_other_program_has_the_file_open() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let journal = large.leave_journal();
    let mut other = Command::new("sleep").arg("1000").stdin(Stdio::from(large.target())).spawn().unwrap();
    let recovered = large.recover(&journal);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(recovered.unwrap_err().kind(), ErrorKind::Other);
    assert_eq!(large.recover(&journal).unwrap(), Leftover::Journal);
}

#[test]
fn a_journal_whose_bytes_are_all_in_place_waits_for_no_other_program() {
    let mut large = large!();
    large.change(&[0, 9_000_000], SIZE);
    let journal = large.leave_journal();
    large.target().write_all_at(&large.contents, 0).unwrap();
    let mut other = Command::new("sleep").arg("1000").stdin(Stdio::from(large.target())).spawn().unwrap();
    let recovered = large.recover(&journal);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(recovered.unwrap(), Leftover::Journal);
    assert!(large.read_target() == large.contents);
}

#[test]
fn a_mirror_updates_in_place_and_then_has_nothing_to_do() {
    let mut large = large!();
    large.change(&[0, 9_000_000], SIZE + 1);
    let inode = large.target().metadata().unwrap().ino();
    for copies in [1, 0] {
        let recorder = large.trees.mirror(&Extent::TopLevel, ExtraEntries::Keep);
        assert_eq!((recorder.count(Done::Copied), recorder.errors()), (copies, vec![]));
        large.assert_equal();
    }
    assert_eq!(large.target().metadata().unwrap().ino(), inode);
}

#[test]
fn a_journal_that_others_may_have_written_is_useless() {
    let mut large = large!();
    large.change(&[0], SIZE);
    let journal = large.leave_journal();
    chmod(&large.trees.to.join(&journal), 0o620);
    assert_eq!(large.recover(&journal).unwrap(), Leftover::Useless);
    assert_ne!(large.read_target()[0], large.contents[0]);
}
