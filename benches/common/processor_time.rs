//! Processor time.

use std::time::Duration;

/// Returns the processor time of all running threads of this process, or zero if the system does not say.
pub(crate) fn processor_time() -> Duration {
    // The system counts the time of a thread that does not yield in steps of some 4 ms.
    std::thread::yield_now();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let times = threads.filter_map(|thread| {
        let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
