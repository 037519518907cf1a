//! Latency histograms that are cheap to record.
//!
//! We define our own buckets because stores hold them: a histogram takes 1 kB, one of `hdrhistogram` takes 26 kB.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use syncmgr_core::store::Histogram;

/// The binary logarithm of the number of buckets per octave. With four buckets, each bound is within 25% of the
/// durations in its bucket.
const DIVISION: u32 = 2;

/// The number of octaves of microseconds. The first duration beyond them is 2^32 us, a little more than an hour.
const OCTAVES: u32 = 32;

/// The index of the overflow bucket, which counts all longer durations.
const OVERFLOW: usize = ((OCTAVES - DIVISION + 1) << DIVISION) as usize;

/// A histogram that several threads record into concurrently.
#[derive(Debug)]
pub(crate) struct LatencyHistogram {
    counts: [AtomicU64; OVERFLOW + 1],
    max: AtomicU64,
}

impl LatencyHistogram {
    pub(crate) const fn new() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; OVERFLOW + 1], max: AtomicU64::new(0) }
    }

    /// Records one duration without a lock, by an atomic maximum and an atomic addition.
    pub(crate) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.max.fetch_max(nanos, Ordering::Relaxed);
        // Release ordering, so that a reader that sees this count also sees a maximum that includes this duration.
        self.counts[bucket_of(nanos.div_ceil(1_000))].fetch_add(1, Ordering::Release);
    }

    /// Adds stored counts.
    pub(crate) fn add(&self, counted: &Histogram) {
        self.max.fetch_max(counted.longest, Ordering::Relaxed);
        for (count, more) in self.counts.iter().zip(&counted.counts) {
            count.fetch_add(*more, Ordering::Release);
        }
    }

    /// Returns the counts so far, for a store.
    pub(crate) fn to_histogram(&self) -> Histogram {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Acquire)).collect();
        Histogram::new(counts, self.max.load(Ordering::Relaxed))
    }

    /// Returns a snapshot. A duration recorded concurrently may be missing.
    pub(crate) fn snapshot(&self) -> Latencies {
        Latencies(self.to_histogram())
    }
}

/// A histogram of durations, as a snapshot.
///
/// Durations are counted in buckets, four per doubling, in microseconds up to a little more than an hour. The longest
/// duration is stored exactly. `{}` shows the histogram in one line.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let manager = SyncManager::new();
/// assert_eq!(manager.stop_latencies().to_string(), "n=0");
/// manager.run(Mail).await?;
/// assert_eq!(manager.session_durations().buckets().map(|(_, count)| count).sum::<u64>(), 1);
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies(Histogram);

impl Latencies {
    /// Returns the number of recorded durations.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().sum()
    }

    /// Returns an upper bound of the quantile `q`: at least this fraction of the durations is at most as long as the
    /// bound. `None` if nothing was recorded.
    ///
    /// The bound is the end of the quantile's bucket, or the longest duration if that is shorter. Up to an hour, the bound
    /// exceeds the quantile by at most 25% plus a microsecond; above, it is the longest duration. A `q` outside of 0 to 1
    /// is clamped; NaN counts as 0.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let reached = self.buckets().find(|(_, counted)| {
            seen += counted;
            seen >= rank
        });
        reached.map(|(bound, _)| bound.min(Duration::from_nanos(self.0.longest)))
    }

    /// Returns the longest duration, exactly. `None` if nothing was recorded.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(Duration::from_nanos(self.0.longest))
    }

    /// Returns the buckets that are not empty, shortest first, each as its longest duration and its count.
    ///
    /// All histograms have the same bounds, so their counts can be added. The bound of the last bucket is
    /// [`Duration::MAX`].
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let bounded = self.0.counts.iter().enumerate().map(|(bucket, count)| (bound(bucket), *count));
        bounded.filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n={}", self.count())?;
        let shown = [("p50", self.quantile(0.5)), ("p99", self.quantile(0.99)), ("max", self.max())];
        for (name, duration) in shown {
            if let Some(duration) = duration {
                write!(f, ", {name}={duration:?}")?;
            }
        }
        Ok(())
    }
}

/// Returns the bucket of a duration: the leading bits of `micros`, offset by the number of buckets of the shorter
/// octaves.
fn bucket_of(micros: u64) -> usize {
    let octave = micros.checked_ilog2().unwrap_or(0);
    let width = octave.saturating_sub(DIVISION);
    match octave {
        OCTAVES.. => OVERFLOW,
        _ => (u64::from(width) << DIVISION) as usize + (micros >> width) as usize,
    }
}

/// Returns the longest duration of a bucket.
fn bound(bucket: usize) -> Duration {
    let width = (bucket >> DIVISION).saturating_sub(1);
    let leading = (bucket - (width << DIVISION)) as u64;
    match bucket {
        OVERFLOW.. => Duration::MAX,
        _ => Duration::from_micros(((leading + 1) << width) - 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn latencies_of(durations: &[Duration]) -> Latencies {
        let histogram = LatencyHistogram::new();
        durations.iter().for_each(|duration| histogram.record(*duration));
        histogram.snapshot()
    }

    #[test]
    fn buckets_are_contiguous_and_the_last_is_unbounded() {
        for bucket in 0..OVERFLOW {
            let last = bound(bucket).as_micros() as u64;
            assert_eq!((bucket_of(last), bucket_of(last + 1)), (bucket, bucket + 1));
        }
        assert_eq!(bound(OVERFLOW - 1), Duration::from_micros(u64::from(u32::MAX)));
        assert_eq!(bucket_of(u64::MAX), OVERFLOW);
    }

    #[test]
    fn an_empty_histogram_has_no_quantile_and_no_maximum() {
        let none = latencies_of(&[]);
        assert_eq!((none.count(), none.quantile(0.5), none.max(), none.buckets().count()), (0, None, None, 0));
        assert_eq!(none.to_string(), "n=0");
    }

    #[test]
    fn a_histogram_displays_as_one_line() {
        let latencies = latencies_of(&[1, 1, 2, 100].map(Duration::from_millis));
        assert_eq!(latencies.to_string(), "n=4, p50=1.023ms, p99=100ms, max=100ms");
    }

    #[test]
    fn buckets_have_a_bound_and_a_count_and_are_sorted() {
        let latencies =
            latencies_of(&[Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(9), Duration::MAX]);
        let buckets: Vec<_> = latencies.buckets().collect();
        let micros = Duration::from_micros;
        assert_eq!(buckets, [(micros(0), 1), (micros(1), 1), (micros(9), 1), (Duration::MAX, 1)]);
    }

    #[test]
    fn a_quantile_in_the_overflow_bucket_is_the_longest_duration() {
        let latencies = latencies_of(&[2, 3].map(|hours| Duration::from_secs(hours * 3_600)));
        assert_eq!(latencies.quantile(0.1), latencies.max());
        assert_eq!(latencies.max(), Some(Duration::from_secs(3 * 3_600)));
    }

    #[test]
    fn a_quantile_outside_its_range_is_clamped() {
        let latencies = latencies_of(&[Duration::from_micros(1), Duration::from_micros(5)]);
        for (q, micros) in [(-1.0, 1), (0.0, 1), (f64::NAN, 1), (1.0, 5), (f64::INFINITY, 5)] {
            assert_eq!(latencies.quantile(q), Some(Duration::from_micros(micros)));
        }
    }

    #[test]
    fn concurrent_recording_loses_no_duration() {
        let histogram = LatencyHistogram::new();
        std::thread::scope(|scope| {
            for thread in 1..=4 {
                let histogram = &histogram;
                scope.spawn(move || (0..1_000).for_each(|_| histogram.record(Duration::from_micros(thread))));
            }
        });
        let counts: Vec<_> = histogram.snapshot().buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [1_000; 4]);
    }

    proptest! {
        #[test]
        fn the_bound_of_a_quantile_is_at_most_a_quarter_and_a_microsecond_too_long(
            // Octaves first, so that short and long durations are equally likely.
            durations in proptest::collection::vec((0_u32..41).prop_flat_map(|octave| 0..1_u64 << octave), 1..200),
            q in 0.0..=1.0_f64,
        ) {
            let mut durations: Vec<_> = durations.into_iter().map(Duration::from_nanos).collect();
            let latencies = latencies_of(&durations);
            durations.sort();
            let rank = (q * durations.len() as f64).ceil() as usize;
            let quantile = durations[rank.saturating_sub(1)];
            let bound = latencies.quantile(q).unwrap();
            let limit = quantile + quantile / 4 + Duration::from_micros(1);
            prop_assert!(quantile <= bound && bound <= limit, "{quantile:?} <= {bound:?} <= {limit:?}");
            prop_assert_eq!(latencies.max(), durations.last().copied());
            prop_assert_eq!(latencies.quantile(1.0), latencies.max());
            prop_assert_eq!(latencies.count(), durations.len() as u64);
        }
    }
}
