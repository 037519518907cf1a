//! Extended attributes, where the system has them.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// A file or directory whose attributes are read.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Open(BorrowedFd<'a>),
    /// A path whose last component is not followed if it is a link.
    Path(&'a CStr),
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::fs::{self, XattrFlags};

    use super::*;

    pub(crate) fn get(place: Place<'_>, name: &CStr) -> Result<Vec<u8>, Errno> {
        read(|buffer| match place {
            Place::Open(file) => fs::fgetxattr(file, name, buffer),
            Place::Path(path) => fs::lgetxattr(path, name, buffer),
        })
    }

    /// Returns the names in the namespace `user`; none if the place has no such attributes.
    pub(crate) fn user_names(place: Place<'_>) -> Result<Vec<CString>, Errno> {
        let list = read(|buffer| match place {
            Place::Open(file) => fs::flistxattr(file, buffer),
            Place::Path(path) => fs::llistxattr(path, buffer),
        });
        let list = if list == Err(Errno::NOTSUP) { Vec::new() } else { list? };
        let names = list.split_inclusive(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
        Ok(names.filter_map(|name| Some(CStr::from_bytes_with_nul(name).ok()?.to_owned())).collect())
    }

    pub(crate) fn set(file: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Result<(), Errno> {
        fs::fsetxattr(file, name, value, XattrFlags::empty())
    }

    pub(crate) fn remove(file: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        fs::fremovexattr(file, name)
    }

    /// Calls `read` with a buffer that is large enough.
    fn read(read: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
        let mut small = [0; 512];
        match read(&mut small) {
            Err(Errno::RANGE) => {}
            result => return Ok(small[..result?].to_vec()),
        }
        let mut large = vec![0; 64 * 1024];
        let size = read(&mut large)?;
        large.truncate(size);
        Ok(large)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::*;

    pub(crate) fn get(_: Place<'_>, _: &CStr) -> Result<Vec<u8>, Errno> {
        Err(Errno::NOTSUP)
    }

    pub(crate) fn user_names(_: Place<'_>) -> Result<Vec<CString>, Errno> {
        Ok(Vec::new())
    }

    pub(crate) fn set(_: BorrowedFd<'_>, _: &CStr, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::NOTSUP)
    }

    pub(crate) fn remove(_: BorrowedFd<'_>, _: &CStr) -> Result<(), Errno> {
        Ok(())
    }
}

pub(super) use system::{get, remove, set, user_names};
