//! The processor time of the threads that read.

use std::time::Duration;

/// Returns the processor time of all threads but the main one, which writes the files. Zero if the system does not say.
pub(crate) fn readers_time() -> Duration {
    let main = std::process::id().to_string();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let readers = threads.filter(|thread| thread.file_name() != *main);
    let times = readers.filter_map(|thread| {
        let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
