//! Other programs that have a file open.

#[cfg(target_os = "linux")]
pub(super) use self::linux::Watch;
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::Watch;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::{self, DirEntry, File};
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rustix::fs::{Mode, fstat, inotify};
    use rustix::process::geteuid;

    use crate::mirror::entry::Entry;

    /// A file that no other program had open when the watch began.
    #[derive(Debug)]
    pub(in super::super) struct Watch(OwnedFd);

    impl Watch {
        /// Begins to watch an open file of this name. `None` if another program has it open, or if that cannot be told: the processes of
        /// other users are not seen, and so they must have no right to write to it.
        pub(in super::super) fn begin(file: &File, name: &OsStr) -> Option<Self> {
            let about = Entry::from(fstat(file).ok()?);
            let user = geteuid();
            let is_private = about.owner.0 == user && !about.mode.intersects(Mode::WGRP | Mode::WOTH);
            if !user.is_root() && !is_private {
                return None;
            }
            let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).ok()?;
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN).ok()?;
            let is_open = is_open_elsewhere((about.device(), about.inode()), name).unwrap_or(true);
            (!is_open).then_some(Self(watch))
        }

        /// Returns `true` if a program has opened the file since the watch began.
        pub(in super::super) fn was_opened(&self) -> bool {
            rustix::io::read(&self.0, &mut [0; 4096]) != Err(rustix::io::Errno::AGAIN)
        }
    }

    fn is_open_elsewhere(file: (u64, u64), name: &OsStr) -> io::Result<bool> {
        let own = std::process::id().to_string();
        for process in fs::read_dir("/proc")? {
            let process = process?;
            let id = process.file_name();
            let is_process = id.as_bytes().iter().all(u8::is_ascii_digit);
            if is_process && id != *own && has_open(&process.path(), file, name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns `true` if a process has the file open or mapped. A process that has ended, or that belongs to another user, has not.
    fn has_open(process: &Path, file: (u64, u64), name: &OsStr) -> bool {
        let handles = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        handles.into_iter().any(|handle| leads_to(&handle, file, name)) || maps(process, name)
    }

    fn leads_to(handle: &DirEntry, file: (u64, u64), name: &OsStr) -> bool {
        // To ask a network file system about every file could take forever.
        let has_name = fs::read_link(handle.path()).is_ok_and(|path| path.file_name() == Some(name));
        has_name && fs::metadata(handle.path()).is_ok_and(|about| (about.dev(), about.ino()) == file)
    }

    /// Returns `true` if the process has mapped a file of this name.
    fn maps(process: &Path, name: &OsStr) -> bool {
        let maps = fs::read(process.join("maps")).unwrap_or_default();
        let end = [b"/", name.as_bytes()].concat();
        maps.split(|byte| *byte == b'\n').any(|line| line.ends_with(&end))
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::ffi::OsStr;
    use std::fs::File;

    /// A watch, which no other system has.
    #[derive(Debug)]
    pub(in super::super) enum Watch {}

    impl Watch {
        pub(in super::super) fn begin(_: &File, _: &OsStr) -> Option<Self> {
            None
        }

        pub(in super::super) fn was_opened(&self) -> bool {
            match *self {}
        }
    }
}
