//! Copies a tree with as few system calls as possible, on two threads: the lower bound of the bench `benches/mirror/run.py`.
//!
//! It lists every directory of FROM, asks for the metadata of each entry on both sides, and copies files of another size or
//! modification time. It is no mirror: a copy that fails stays incomplete, nothing is deleted, and links are left out.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: raw_calls FROM TO".into());
    };
    raw::copy(from.into(), to.into())
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod raw {
    use std::error::Error;
    use std::ffi::{CStr, CString};
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Condvar, Mutex, PoisonError};

    use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, Stat, Timespec, Timestamps};
    use rustix::io::Errno;

    const THREADS: usize = 2;

    /// The number of entries that a thread takes at a time.
    const BATCH: usize = 256;

    /// A directory on both sides.
    struct Pair {
        from: OwnedFd,
        to: OwnedFd,
        paths: (PathBuf, PathBuf),
        is_new: bool,
    }

    enum Job {
        Directory(PathBuf, PathBuf),
        Entries(Arc<Pair>, Vec<CString>),
    }

    /// The jobs that wait, and the number of those that run.
    #[derive(Default)]
    struct Queue {
        state: Mutex<(Vec<Job>, usize)>,
        changed: Condvar,
    }

    pub(super) fn copy(from: PathBuf, to: PathBuf) -> Result<(), Box<dyn Error>> {
        let queue = Queue::default();
        queue.push(Job::Directory(from, to));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| queue.work())).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
        })?;
        Ok(())
    }

    impl Queue {
        fn push(&self, job: Job) {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).0.push(job);
            self.changed.notify_one();
        }

        fn work(&self) -> io::Result<()> {
            while let Some(job) = self.next() {
                let result = match job {
                    Job::Directory(from, to) => self.directory(from, to),
                    Job::Entries(pair, names) => names.iter().try_for_each(|name| self.entry(&pair, name)),
                };
                self.state.lock().unwrap_or_else(PoisonError::into_inner).1 -= 1;
                self.changed.notify_all();
                result?;
            }
            Ok(())
        }

        /// Waits for a job; returns `None` if none runs that could add one.
        fn next(&self) -> Option<Job> {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let waits = |state: &mut (Vec<Job>, usize)| state.0.is_empty() && state.1 > 0;
            let mut state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            let job = state.0.pop()?;
            state.1 += 1;
            Some(job)
        }

        fn directory(&self, from: PathBuf, to: PathBuf) -> io::Result<()> {
            let is_new = match rustix::fs::mkdir(&to, Mode::from_raw_mode(0o755)) {
                Err(Errno::EXIST) => false,
                result => result.map(|()| true)?,
            };
            let pair =
                Arc::new(Pair { from: open_directory(&from)?, to: open_directory(&to)?, paths: (from, to), is_new });
            let mut names = Vec::with_capacity(BATCH);
            for entry in Dir::read_from(&pair.from)? {
                let name = entry?.file_name().to_owned();
                if name.as_c_str() != c"." && name.as_c_str() != c".." {
                    names.push(name);
                }
                if names.len() == BATCH {
                    self.push(Job::Entries(pair.clone(), std::mem::take(&mut names)));
                }
            }
            names.iter().try_for_each(|name| self.entry(&pair, name))
        }

        fn entry(&self, pair: &Pair, name: &CStr) -> io::Result<()> {
            let original = rustix::fs::statat(&pair.from, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(original.st_mode as RawMode) {
                FileType::Directory => {
                    let below = |path: &Path| path.join(std::ffi::OsStr::new(&*name.to_string_lossy()));
                    self.push(Job::Directory(below(&pair.paths.0), below(&pair.paths.1)));
                    Ok(())
                }
                FileType::RegularFile if pair.is_new || is_changed(pair, name, &original) => {
                    copy_file(pair, name, &original)
                }
                _ => Ok(()),
            }
        }
    }

    fn open_directory(path: &Path) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn is_changed(pair: &Pair, name: &CStr, original: &Stat) -> bool {
        rustix::fs::statat(&pair.to, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(true, |copy| (copy.st_size, copy.st_mtime) != (original.st_size, original.st_mtime))
    }

    fn copy_file(pair: &Pair, name: &CStr, original: &Stat) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let from = rustix::fs::openat(&pair.from, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let to = rustix::fs::openat(&pair.to, name, flags, Mode::from_raw_mode(original.st_mode as RawMode))?;
        let (mut from, mut to) = (File::from(from), File::from(to));
        io::copy(&mut from, &mut to)?;
        let time = Timespec { tv_sec: original.st_mtime, tv_nsec: original.st_mtime_nsec.try_into().unwrap_or(0) };
        rustix::fs::futimens(&to, &Timestamps { last_access: time, last_modification: time })?;
        Ok(())
    }
}
