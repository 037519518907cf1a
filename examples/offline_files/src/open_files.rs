//! The limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files of this process as far as the system allows, because each thread that mirrors has several open.
/// Call it once, when a program with folder pairs starts.
pub fn raise_open_files() {
    /// More than any run needs. Some systems refuse higher limits.
    const ENOUGH: u64 = 8192;
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.map(|current| limit.maximum.unwrap_or(ENOUGH).min(ENOUGH).max(current));
    // A lower limit suffices unless there are many jobs.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
}
