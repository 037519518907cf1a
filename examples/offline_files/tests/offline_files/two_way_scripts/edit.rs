//! Random edits of one side, or the same edit of both.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::disk::{contents, entries, is_directory, is_file};
use super::world::World;

/// The names of entries. There are few, so that edits meet.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e.txt"];

/// What an edit may choose.
struct Choice {
    side: usize,
    /// A path that may be free.
    free: PathBuf,
    any: Option<PathBuf>,
    other: Option<PathBuf>,
    number: usize,
}

impl Choice {
    fn new(random: &mut Rng, side: usize, root: &Path) -> Self {
        let (all, directories) = entries(root);
        let directory = &directories[random.usize(..directories.len())];
        let free = directory.join(NAMES[random.usize(..NAMES.len())]);
        let mut pick = || (!all.is_empty()).then(|| all[random.usize(..all.len())].clone());
        let (any, other) = (pick(), pick());
        Self { side, free, any, other, number: random.usize(..1000) }
    }

    fn file(&self) -> Option<PathBuf> {
        self.any.clone().filter(|path| is_file(path))
    }
}

impl World {
    /// Edits the side that the last bit of the seed says. An edit that fails, because a run has just changed what it meets, is none.
    pub(super) fn edit(&mut self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let side = usize::from(seed % 2 == 1);
        let choice = Choice::new(&mut random, side, self.sides()[side]);
        self.is_edited[side] = true;
        let is_free = choice.free.symlink_metadata().is_err();
        match random.u32(..22) {
            0..4 if is_free => self.create(&choice),
            4 if is_free => self.make_directory(&choice.free),
            5 if is_free => self.make_link(choice.side, &choice.free),
            6..15 => self.edit_file(random.u32(..8), &choice),
            number => self.edit_any(number, &choice),
        }
    }

    fn edit_file(&mut self, number: u32, choice: &Choice) {
        let Some(file) = choice.file() else { return };
        match number {
            0 | 1 => self.overwrite(choice.side, &file),
            2 => self.overwrite_with_its_time(choice.side, &file),
            3 | 4 => self.replace(choice.side, &file),
            5 => {
                self.delete(&file);
                self.make_link(choice.side, &file);
            }
            6 => {
                self.delete(&file);
                self.make_directory(&file);
                self.create_file(choice.side, &file.join("a"));
            }
            _ => self.write_on_both_sides(choice.side, &file),
        }
    }

    fn edit_any(&mut self, number: u32, choice: &Choice) {
        let Some(any) = &choice.any else { return };
        match number {
            15 | 16 => self.delete(any),
            17 | 18 if !choice.free.starts_with(any) => self.rename(any, &choice.free),
            19 if choice.number.is_multiple_of(4) => self.link(any),
            19 if !any.is_symlink() => {
                let mode = [0o755, 0o700, 0o775][choice.number % 3];
                self.note("chmod", any, mode);
                let _ = fs::set_permissions(any, fs::Permissions::from_mode(mode));
            }
            20 if choice.number.is_multiple_of(2) => self.rename(any, &with_other_case(any)),
            20 if is_directory(any) => {
                self.delete(any);
                self.create_file(choice.side, any);
            }
            21 => self.swap(any, choice.other.as_ref().unwrap_or(any)),
            _ => {}
        }
    }

    fn create(&mut self, choice: &Choice) {
        match choice.number % 6 {
            0 => self.write_on_both_sides(choice.side, &choice.free),
            _ => self.create_file(choice.side, &choice.free),
        }
    }

    fn create_file(&mut self, side: usize, path: &Path) {
        let token = self.token(side);
        self.note("create", path, &token);
        let created = fs::File::create_new(path).and_then(|mut file| file.write_all(token.as_bytes()));
        self.forget_unwritten(token, created);
    }

    fn make_directory(&mut self, path: &Path) {
        self.note("make", path, ());
        let _ = fs::create_dir(path);
    }

    fn make_link(&mut self, side: usize, path: &Path) {
        let token = self.token(side);
        self.note("link", path, &token);
        let made = symlink(&token, path);
        self.forget_unwritten(token, made);
    }

    fn overwrite(&mut self, side: usize, path: &Path) {
        let token = self.token(side);
        let written = self.write(path, &token);
        self.forget_unwritten(token, written);
    }

    /// What could not be written, because a run has just changed what is there, cannot be lost.
    fn forget_unwritten<T>(&mut self, token: String, written: io::Result<T>) {
        self.destroyed.extend(written.err().map(|_| token));
    }

    /// Writes to an existing file.
    fn write(&mut self, path: &Path, token: &str) -> io::Result<()> {
        let mut file = fs::File::options().read(true).write(true).open(path)?;
        self.note("write", path, token);
        let mut before = String::new();
        file.read_to_string(&mut before)?;
        self.destroyed.insert(before);
        file.set_len(0)?;
        file.write_all_at(token.as_bytes(), 0)?;
        // A run has taken the file away meanwhile.
        if path.symlink_metadata().map(|about| about.ino()).ok() != Some(file.metadata()?.ino()) {
            self.destroyed.insert(token.to_owned());
        }
        Ok(())
    }

    /// The time of modification is put back. The size is often the same.
    fn overwrite_with_its_time(&mut self, side: usize, path: &Path) {
        let time = path.symlink_metadata().and_then(|about| about.modified());
        self.overwrite(side, path);
        self.hidden.extend(contents(path));
        self.note("put back the time of", path, ());
        let opened = fs::File::options().write(true).open(path);
        let _ = opened.and_then(|file| file.set_modified(time?));
    }

    /// A new file takes the place of the old one, as editors save.
    fn replace(&mut self, side: usize, file: &Path) {
        let (token, temporary) = (self.token(side), file.with_file_name("saving"));
        self.note("replace", file, &token);
        let written = fs::write(&temporary, &token);
        if written.is_ok() {
            let _ = renameat_with(CWD, &temporary, CWD, file, RenameFlags::EXCHANGE);
            self.delete(&temporary);
        }
        self.forget_unwritten(token, written);
    }

    /// Writes the same contents to the same path of both sides, if both have a file or nothing there.
    fn write_on_both_sides(&mut self, side: usize, path: &Path) {
        let [from, to] = [side, 1 - side].map(|side| self.sides()[side].to_owned());
        let twin = to.join(path.strip_prefix(from).expect("the path is on its side"));
        if [path, &twin].iter().any(|path| !is_file(path) && path.symlink_metadata().is_ok()) {
            return;
        }
        self.is_edited[1 - side] = true;
        let token = self.token(side);
        self.note("write on both sides", path, &token);
        let written = [path, &twin].map(|path| match fs::File::create_new(path) {
            Ok(mut file) => file.write_all(token.as_bytes()),
            Err(_) => self.write(path, &token),
        });
        let [one, other] = written;
        self.forget_unwritten(token, one.or(other));
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        if from != to {
            self.delete(to);
            self.note("rename", from, to);
            let _ = renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
        }
    }

    /// Makes another link to a file, outside of its side, as a snapshot with hard links does.
    fn link(&mut self, file: &Path) {
        self.note("make another link to", file, ());
        let link = self.trees.base.path().join("link");
        let _ = fs::hard_link(file, &link).and_then(|()| fs::remove_file(link));
    }

    /// Two entries change places.
    fn swap(&mut self, one: &Path, other: &Path) {
        if !one.starts_with(other) && !other.starts_with(one) {
            self.note("swap", one, other);
            let _ = renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
        }
    }
}

/// The same path, the case of the name changed.
fn with_other_case(path: &Path) -> PathBuf {
    let name = path.file_name().expect("an entry has a name").to_string_lossy();
    let is_lower = name.chars().any(char::is_lowercase);
    path.with_file_name(if is_lower { name.to_uppercase() } else { name.to_lowercase() })
}
