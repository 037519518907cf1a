//! The rate at which an item progresses.

use std::time::Duration;

/// The time over which the rate is averaged.
const AVERAGE: f64 = 5.0;

/// An exponentially weighted average of the progress per second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    last: Option<(Duration, u64)>,
    per_second: Option<f64>,
}

impl Rate {
    /// Notes the amount done at a time. An amount that shrinks begins anew.
    pub(super) fn sample(&mut self, at: Duration, value: u64) {
        let Some((before, done)) = self.last else {
            self.last = Some((at, value));
            return;
        };
        let seconds = at.saturating_sub(before).as_secs_f64();
        if value < done {
            *self = Self { last: Some((at, value)), per_second: None };
        } else if seconds > 0.0 {
            let now = (value - done) as f64 / seconds;
            let weight = 1.0 - (-seconds / AVERAGE).exp();
            self.per_second = Some(self.per_second.map_or(now, |before| before + weight * (now - before)));
            self.last = Some((at, value));
        }
    }

    /// Returns the rate as text, for example `1.2k/s`. `None` as long as it is not known.
    pub(super) fn text(&self) -> Option<String> {
        let rate = self.per_second.filter(|rate| *rate > 0.0)?;
        Some(if rate < 1.0 { format!("{:.0}/min", rate * 60.0) } else { format!("{}/s", short(rate)) })
    }

    /// Returns the time until `max` is reached, for example `0:12 left`. `None` as long as it is not known.
    pub(super) fn left(&self, max: u64) -> Option<String> {
        let rate = self.per_second.filter(|rate| *rate > 0.0)?;
        let done = self.last.map_or(0, |(_, value)| value);
        let seconds = (max.saturating_sub(done) as f64 / rate).ceil();
        // Saturates.
        Some(format!("{} left", clock(seconds as u64)))
    }
}

/// Returns a number with at most three digits, and a unit prefix.
fn short(number: f64) -> String {
    let (mut number, mut unit) = (number, "");
    for next in ["k", "M", "G", "T"] {
        if number < 1000.0 {
            break;
        }
        (number, unit) = (number / 1000.0, next);
    }
    if number < 10.0 { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{rest:02}"),
        1..48 => format!("{hours}:{minutes:02}:{rest:02}"),
        _ => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(samples: &[(u64, u64)]) -> Rate {
        let mut rate = Rate::default();
        samples.iter().for_each(|(at, value)| rate.sample(Duration::from_secs(*at), *value));
        rate
    }

    #[test]
    fn a_steady_rate_is_exact() {
        let rate = rate(&[(0, 0), (1, 1500), (3, 4500)]);
        assert_eq!((rate.text().as_deref(), rate.left(12_000).as_deref()), (Some("1.5k/s"), Some("0:05 left")));
    }

    #[test]
    fn one_sample_or_no_progress_says_nothing() {
        assert_eq!(rate(&[(0, 7)]).text(), None);
        assert_eq!(rate(&[(0, 7), (4, 7)]).left(9), None);
    }

    #[test]
    fn progress_that_begins_anew_forgets_the_old_rate() {
        assert_eq!(rate(&[(0, 0), (1, 90), (2, 10)]).text(), None);
    }

    #[test]
    fn slow_rates_are_per_minute_and_long_times_have_hours_and_days() {
        let slow = rate(&[(0, 0), (10, 1)]);
        assert_eq!(slow.text().as_deref(), Some("6/min"));
        assert_eq!(slow.left(1001).as_deref(), Some("2:46:40 left"));
        assert_eq!(slow.left(100_001).as_deref(), Some("11 days left"));
    }
}
