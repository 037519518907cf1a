//! Rules of providers and items: schedules, requirements and watched paths. They are parts of their own at the end of a script.

use std::time::{Duration, SystemTime};

use fastrand::Rng;
use syncmgr_core::requirements::Requirement;
use syncmgr_core::schedule::{Missed, Schedule};

use crate::rng::RngSource;
use crate::sim::BEGINNING;

const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;

/// A rule of a provider, or of one of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A schedule of the provider, or of one of its items.
    Schedule(usize, Option<usize>, Plan),
    /// A condition that automatic work of the provider, or of one of its items, requires.
    Requires(usize, Option<usize>, Requirement),
    /// The provider's runs stop when a condition ends.
    StopsWithConditions(usize),
    /// The items of the provider have watched paths.
    Watches(usize),
    /// The provider runs when something is about to end.
    RunsBeforeEnd(usize),
}

/// The plan of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The times of the schedule.
    pub timing: Timing,
    /// The longest random delay, in minutes.
    pub jitter: u32,
    /// The minimum time between two firings, in minutes.
    pub gap: u32,
    /// What happens to missed firings.
    pub missed: Missed,
}

/// The times of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timing {
    /// An interval in minutes.
    Every(u32),
    /// Each hour, at this minute.
    Hourly(u32),
    /// Each day, at this hour and minute of the time UTC.
    Daily(u32, u32),
    /// Once, this number of minutes after the beginning of the script.
    Once(u32),
}

impl Rule {
    /// Returns the provider.
    pub(crate) fn provider(&self) -> usize {
        match self {
            Self::Schedule(provider, ..)
            | Self::Requires(provider, ..)
            | Self::StopsWithConditions(provider)
            | Self::Watches(provider)
            | Self::RunsBeforeEnd(provider) => *provider,
        }
    }
}

impl Plan {
    /// Returns the schedule.
    pub(crate) fn schedule(&self) -> Schedule {
        let cron = |expression: String| Schedule::cron(&expression, "UTC");
        let schedule = match self.timing {
            Timing::Every(minutes) => Schedule::every(of_minutes(minutes)),
            Timing::Hourly(minute) => cron(format!("{minute} * * * *")),
            Timing::Daily(hour, minute) => cron(format!("{minute} {hour} * * *")),
            Timing::Once(minutes) => Schedule::once(SystemTime::UNIX_EPOCH + BEGINNING + of_minutes(minutes)),
        };
        let schedule = schedule.expect("every plan has a valid schedule");
        schedule.with_jitter(of_minutes(self.jitter)).with_min_gap(of_minutes(self.gap)).with_missed(self.missed)
    }

    /// Returns the first firing after `last`, which is a firing or the beginning. Both are in milliseconds since 1970.
    pub(crate) fn after(&self, last: Option<i64>) -> Option<i64> {
        match (self.timing, last) {
            (Timing::Every(minutes), Some(last)) => Some(last + millis(minutes)),
            (Timing::Hourly(minute), Some(last)) => Some(next_in_cycle(last, HOUR, millis(minute))),
            (Timing::Daily(hour, minute), Some(last)) => Some(next_in_cycle(last, DAY, millis(hour * 60 + minute))),
            (Timing::Once(_), Some(_)) => None,
            (Timing::Once(minutes), None) => {
                i64::try_from(BEGINNING.as_millis()).ok().map(|beginning| beginning + millis(minutes))
            }
            (_, None) => None,
        }
    }

    /// Returns `true` if `time` is a firing after `last`.
    pub(crate) fn has(&self, last: Option<i64>, time: i64) -> bool {
        match (self.timing, last) {
            (Timing::Every(minutes), Some(last)) => time > last && (time - last) % millis(minutes) == 0,
            (_, last) if last.is_some_and(|last| last >= time) => false,
            (Timing::Once(_), last) => self.after(last) == Some(time),
            _ => self.after(Some(time - 1)) == Some(time),
        }
    }

    /// Returns the latest time at which the firing at `time` starts if nothing holds it, after a run that started at `started`.
    pub(crate) fn latest_start(&self, time: i64, started: Option<i64>) -> i64 {
        let jittered = time + millis(self.jitter);
        started.map_or(jittered, |started| jittered.max(started + millis(self.gap)))
    }

    /// Returns the minimum gap and the longest random delay together, in milliseconds.
    pub(crate) fn longest_delay(&self) -> i64 {
        millis(self.gap + self.jitter)
    }

    /// Returns `true` if the firings count from the last one, and not from the clock.
    pub(crate) fn is_interval(&self) -> bool {
        matches!(self.timing, Timing::Every(_))
    }
}

/// Generates the rules of most scripts.
pub(crate) fn rules(seed: u64, providers: impl Iterator<Item = usize>) -> Vec<Rule> {
    let mut rng = RngSource::new(seed).named("rules").rng();
    if rng.u8(..4) == 0 {
        return Vec::new();
    }
    providers.flat_map(|provider| of_provider(&mut rng, provider)).collect()
}

fn of_provider(rng: &mut Rng, provider: usize) -> Vec<Rule> {
    let mut rules = Vec::new();
    for item in [None, Some(0), Some(1)] {
        if rng.u8(..if item.is_none() { 2 } else { 4 }) == 0 {
            rules.push(Rule::Schedule(provider, item, plan(rng)));
        }
        if rng.u8(..4) == 0 {
            rules.push(Rule::Requires(provider, item, requirement(rng)));
        }
    }
    if rng.bool() {
        rules.push(Rule::StopsWithConditions(provider));
    }
    if rng.u8(..4) > 0 {
        rules.push(Rule::Watches(provider));
    }
    rules
}

fn plan(rng: &mut Rng) -> Plan {
    let timing = match rng.u8(..8) {
        0..4 => Timing::Every(rng.u32(30..=1_500)),
        4 => Timing::Hourly(rng.u32(..60)),
        5 => Timing::Once(rng.u32(..5_000)),
        _ => Timing::Daily(rng.u32(..24), rng.u32(..60)),
    };
    let missed = if rng.u8(..3) == 0 { Missed::Skip } else { Missed::RunOnce };
    let some = |rng: &mut Rng, below| if rng.u8(..3) == 0 { rng.u32(..below) } else { 0 };
    Plan { timing, jitter: some(rng, 20), gap: some(rng, 120), missed }
}

fn requirement(rng: &mut Rng) -> Requirement {
    use Requirement::{BatteryNotLow, IdleUser, Internet, Mains, UnmeteredNetwork};
    rng.choice([BatteryNotLow, IdleUser, Internet, Mains, UnmeteredNetwork]).unwrap_or(Mains)
}

fn next_in_cycle(last: i64, cycle: i64, offset: i64) -> i64 {
    ((last - offset).div_euclid(cycle) + 1) * cycle + offset
}

fn millis(minutes: u32) -> i64 {
    i64::from(minutes) * 60_000
}

fn of_minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firings_of_a_plan_are_those_of_its_schedule() {
        let beginning = i64::try_from(BEGINNING.as_millis()).unwrap();
        let timings = [Timing::Every(90), Timing::Hourly(7), Timing::Daily(23, 59), Timing::Once(90)];
        for timing in timings {
            let plan = Plan { timing, jitter: 0, gap: 0, missed: Missed::RunOnce };
            let mut last = (!matches!(timing, Timing::Once(_))).then_some(beginning);
            for _ in 0..50 {
                let next = plan.after(last);
                let from = SystemTime::UNIX_EPOCH + Duration::from_millis(last.unwrap_or(beginning).cast_unsigned());
                let expected = plan.schedule().next_after(from);
                let expected = expected.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
                assert_eq!(next.map(i64::cast_unsigned).map(Duration::from_millis), expected, "{timing:?}");
                assert!(next.is_none_or(|next| plan.has(last, next) && !plan.has(Some(next), next)));
                let Some(next) = next else { break };
                last = Some(next);
            }
        }
    }
}
