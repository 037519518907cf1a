//! The rules of schedules; each is a sentence in `SCHEDULES.md`.

use std::time::Duration;

use jiff::Timestamp;

use super::FiringKind::{CaughtUp, OnTime, Skipped};
use super::*;
use crate::schedule::Missed;

const MAIL: HandlerId = HandlerId::from_u128(1);
const NEW_YORK: &str = "America/New_York";
const HOUR: Duration = Duration::from_secs(3600);

fn utc(text: &str) -> SystemTime {
    SystemTime::try_from(text.parse::<Timestamp>().expect(text)).unwrap()
}

fn cron(expression: &str, zone: &str) -> Schedule {
    Schedule::cron(expression, zone).expect(expression)
}

fn every(seconds: u64) -> Schedule {
    Schedule::every(Duration::from_secs(seconds)).unwrap()
}

/// A timetable of one schedule, and what a store holds.
struct Case {
    timetable: Timetable,
    schedule: Schedule,
    stored: BTreeMap<Schedule, LastFiring>,
}

impl Case {
    fn new(schedule: Schedule, start: &str) -> Self {
        let mut case = Self { timetable: Timetable::new(7), schedule, stored: BTreeMap::new() };
        case.restart(start);
        case
    }

    fn restart(&mut self, time: &str) {
        self.timetable = Timetable::new(7);
        self.timetable.set(MAIL, [self.schedule.clone()], &self.stored, utc(time));
        self.store();
    }

    fn store(&mut self) {
        for record in self.timetable.take_unstored() {
            match record.last {
                Some(last) => self.stored.insert(record.schedule, last),
                None => self.stored.remove(&record.schedule),
            };
        }
    }

    fn store_firings(&mut self, firings: &[Firing]) {
        self.stored.extend(firings.iter().map(|firing| (firing.schedule.clone(), firing.last)));
    }

    /// Fires, and returns the time, the missed firings and the kind of the only firing, if there is one.
    fn fire(&mut self, time: &str) -> Option<(SystemTime, u32, FiringKind)> {
        let firings = self.timetable.fire(utc(time));
        self.store();
        self.store_firings(&firings);
        assert!(firings.len() <= 1, "{firings:?}");
        firings.first().map(|firing| (firing.last.time, firing.missed, firing.kind))
    }

    fn next(&self) -> Option<SystemTime> {
        self.timetable.next()
    }

    /// Fires all that is next before `end`, each at its time, and returns the times.
    fn run(&mut self, end: &str) -> Vec<SystemTime> {
        let mut times = Vec::new();
        while let Some(next) = self.next().filter(|next| *next < utc(end)) {
            times.extend(self.timetable.fire(next).iter().map(|firing| firing.last.time));
        }
        times
    }
}

fn times(texts: &[&str]) -> Vec<SystemTime> {
    texts.iter().map(|text| utc(text)).collect()
}

#[test]
fn several_missed_firings_become_one() {
    let mut case = Case::new(every(600), "2026-01-01T00:00Z");
    assert_eq!(case.fire("2026-01-01T00:35Z"), Some((utc("2026-01-01T00:30Z"), 2, CaughtUp)));
    assert_eq!(case.next(), Some(utc("2026-01-01T00:40Z")));
    let mut case = Case::new(cron("*/10 * * * *", "UTC"), "2026-01-01T00:00Z");
    assert_eq!(case.fire("2026-01-01T00:35Z"), Some((utc("2026-01-01T00:30Z"), 2, CaughtUp)));
    assert_eq!(case.next(), Some(utc("2026-01-01T00:40Z")));
}

#[test]
fn a_missed_firing_runs_once_after_sleep_or_downtime() {
    let nightly = cron("30 2 * * *", "UTC");
    let mut asleep = Case::new(nightly.clone(), "2026-01-01T00:00Z");
    let caught_up = Some((utc("2026-01-03T02:30Z"), 2, CaughtUp));
    assert_eq!(asleep.fire("2026-01-03T07:00Z"), caught_up);
    assert_eq!((asleep.fire("2026-01-03T07:00Z"), asleep.next()), (None, Some(utc("2026-01-04T02:30Z"))));
    let mut down = Case::new(nightly, "2026-01-01T00:00Z");
    down.restart("2026-01-03T07:00Z");
    assert_eq!(down.fire("2026-01-03T07:00Z"), caught_up);
    down.restart("2026-01-03T08:00Z");
    assert_eq!(down.fire("2026-01-03T08:00Z"), None);
}

#[test]
fn a_missed_firing_is_skipped_if_the_schedule_says_so() {
    let mut case = Case::new(cron("30 2 * * *", "UTC").with_missed(Missed::Skip), "2026-01-01T00:00Z");
    assert_eq!(case.fire("2026-01-03T07:00Z"), Some((utc("2026-01-03T02:30Z"), 2, Skipped)));
    case.restart("2026-01-03T08:00Z");
    assert_eq!((case.fire("2026-01-03T08:00Z"), case.next()), (None, Some(utc("2026-01-04T02:30Z"))));
    assert_eq!(case.fire("2026-01-04T02:30Z"), Some((utc("2026-01-04T02:30Z"), 0, OnTime)));
}

#[test]
fn a_firing_that_is_late_by_up_to_a_minute_is_on_time() {
    for missed in [Missed::RunOnce, Missed::Skip] {
        let nightly = cron("30 2 * * *", "UTC").with_missed(missed);
        let mut case = Case::new(nightly.clone(), "2026-01-01T00:00Z");
        assert_eq!(case.fire("2026-01-01T02:31Z"), Some((utc("2026-01-01T02:30Z"), 0, OnTime)));
        let mut case = Case::new(nightly, "2026-01-01T00:00Z");
        assert_ne!(case.fire("2026-01-01T02:31:00.001Z").map(|firing| firing.2), Some(OnTime));
    }
    let mut often = Case::new(every(10).with_missed(Missed::Skip), "2026-01-01T00:00Z");
    assert_eq!(often.fire("2026-01-01T01:00:05Z"), Some((utc("2026-01-01T01:00Z"), 359, OnTime)), "the last decides");
}

#[test]
fn a_firing_within_the_minimum_gap_waits_until_the_gap_is_over() {
    let hourly = cron("0 * * * *", "UTC").with_min_gap(HOUR / 2);
    let mut case = Case::new(hourly, "2026-01-01T00:30Z");
    assert_eq!(case.fire("2026-01-01T01:50Z"), Some((utc("2026-01-01T01:00Z"), 0, CaughtUp)));
    assert_eq!((case.fire("2026-01-01T02:19Z"), case.next()), (None, Some(utc("2026-01-01T02:20Z"))));
    case.restart("2026-01-01T02:19Z");
    assert_eq!((case.fire("2026-01-01T02:19Z"), case.next()), (None, Some(utc("2026-01-01T02:20Z"))));
    assert_eq!(case.fire("2026-01-01T02:21Z"), Some((utc("2026-01-01T02:00Z"), 0, OnTime)));
    let mut often = Case::new(every(60).with_min_gap(HOUR), "2026-01-01T00:00Z");
    assert_eq!(often.fire("2026-01-01T00:01Z"), Some((utc("2026-01-01T00:01Z"), 0, OnTime)));
    assert_eq!(often.next(), Some(utc("2026-01-01T01:01Z")));
    assert_eq!(often.fire("2026-01-01T01:01Z"), Some((utc("2026-01-01T01:01Z"), 59, OnTime)));
}

#[test]
fn a_time_of_day_in_a_skipped_hour_fires_at_the_end_of_the_gap() {
    let mut case = Case::new(cron("30 2 * * *", NEW_YORK), "2026-03-07T12:00Z");
    assert_eq!(case.run("2026-03-10T00:00Z"), times(&["2026-03-08T07:00Z", "2026-03-09T06:30Z"]));
    let mut list = Case::new(cron("0,30 1-3 * * *", NEW_YORK), "2026-03-08T05:00Z");
    let wanted = ["2026-03-08T06:00Z", "2026-03-08T06:30Z", "2026-03-08T07:00Z", "2026-03-08T07:30Z"];
    assert_eq!(list.run("2026-03-08T12:00Z"), times(&wanted), "02:00, 02:30 and 03:00 are one firing");
    let mut whole_day = Case::new(cron("0 12 * * *", "Pacific/Apia"), "2011-12-29T23:00Z");
    let wanted = ["2011-12-30T10:00Z", "2011-12-30T22:00Z"];
    assert_eq!(whole_day.run("2011-12-31T00:00Z"), times(&wanted), "the 30th did not exist; its noon fires at its end");
}

#[test]
fn a_time_of_day_in_a_repeated_hour_fires_the_first_time_only() {
    let mut case = Case::new(cron("30 1 * * *", NEW_YORK), "2026-10-31T12:00Z");
    assert_eq!(case.run("2026-11-03T00:00Z"), times(&["2026-11-01T05:30Z", "2026-11-02T06:30Z"]));
    let second_pass = Case::new(cron("30 1 * * *", NEW_YORK), "2026-11-01T06:10Z");
    assert_eq!(second_pass.next(), Some(utc("2026-11-02T06:30Z")));
}

#[test]
fn a_pattern_does_not_fire_in_a_skipped_hour() {
    let mut hourly = Case::new(cron("30 * * * *", NEW_YORK), "2026-03-08T05:45Z");
    assert_eq!(hourly.run("2026-03-08T08:00Z"), times(&["2026-03-08T06:30Z", "2026-03-08T07:30Z"]), "01:30 and 03:30");
    let nightly = Case::new(cron("*/30 2 * * *", NEW_YORK), "2026-03-07T12:00Z");
    assert_eq!(nightly.next(), Some(utc("2026-03-09T06:00Z")), "at 02:00 on the next day");
}

#[test]
fn a_pattern_fires_both_times_in_a_repeated_hour() {
    let mut hourly = Case::new(cron("30 * * * *", NEW_YORK), "2026-11-01T04:45Z");
    let wanted = ["2026-11-01T05:30Z", "2026-11-01T06:30Z", "2026-11-01T07:30Z"];
    assert_eq!(hourly.run("2026-11-01T08:00Z"), times(&wanted), "01:30, 01:30 again, and 02:30");
    let mut half_hour = Case::new(cron("*/15 1 * * *", "Australia/Lord_Howe"), "2026-04-04T13:00Z");
    let wanted = ["14:00", "14:15", "14:30", "14:45", "15:00", "15:15"].map(|time| format!("2026-04-04T{time}Z"));
    assert_eq!(half_hour.run("2026-04-05T00:00Z"), times(&wanted.each_ref().map(String::as_str)));
}

#[test]
fn an_interval_counts_elapsed_time_whatever_the_zone_does() {
    let mut case = Case::new(every(86_400), "2026-03-07T12:00Z");
    let wanted = ["2026-03-08T12:00Z", "2026-03-09T12:00Z"];
    assert_eq!(case.run("2026-03-10T00:00Z"), times(&wanted));
}

#[test]
fn a_zone_whose_rules_changed_moves_the_next_firing_and_repeats_none() {
    let with_offset = |posix| Schedule::cron_with_rules("30 2 * * *", "Test/Zone", posix);
    let (before, after) = (with_offset("OLD-1"), with_offset("NEW-3"));
    assert_eq!(before, after);
    let mut case = Case::new(before, "2026-01-01T00:00Z");
    assert_eq!(case.fire("2026-01-01T01:30Z"), Some((utc("2026-01-01T01:30Z"), 0, OnTime)));
    let known = BTreeMap::new();
    case.timetable.set(MAIL, [after.clone()], &known, utc("2026-01-01T12:00Z"));
    assert_eq!((case.fire("2026-01-01T12:00Z"), case.next()), (None, Some(utc("2026-01-01T23:30Z"))));
    let (next, last) = (case.timetable.next_of(MAIL, &after), case.timetable.last_of(MAIL, &after));
    case.schedule = after.clone();
    case.restart("2026-01-01T12:00Z");
    assert_eq!((case.timetable.next_of(MAIL, &after), case.timetable.last_of(MAIL, &after)), (next, last));
}

#[test]
fn a_clock_set_back_repeats_no_firing() {
    let mut case = Case::new(cron("0 * * * *", "UTC"), "2026-01-01T00:30Z");
    assert_eq!(case.run("2026-01-01T12:01Z").len(), 12);
    for time in ["2026-01-01T02:00Z", "2026-01-01T03:00Z", "2026-01-01T12:00Z"] {
        assert_eq!(case.fire(time), None);
    }
    case.store();
    case.restart("2026-01-01T02:00Z");
    assert_eq!((case.fire("2026-01-01T12:59Z"), case.next()), (None, Some(utc("2026-01-01T13:00Z"))));
}

#[test]
fn a_schedule_counts_anew_if_its_last_firing_is_over_a_day_ahead() {
    let wrong = |case: &mut Case| {
        let firing = Some((utc("2036-01-01T00:00Z"), 1_000, CaughtUp));
        assert_eq!(case.fire("2036-01-01T00:30Z"), firing, "the clock was wrong by ten years");
    };
    let mut case = Case::new(cron("0 * * * *", "UTC"), "2026-01-01T00:30Z");
    wrong(&mut case);
    assert_eq!((case.fire("2026-01-01T00:40Z"), case.next()), (None, Some(utc("2026-01-01T01:00Z"))));
    case.restart("2026-01-01T01:50Z");
    assert_eq!(case.fire("2026-01-01T01:50Z"), Some((utc("2026-01-01T01:00Z"), 0, CaughtUp)), "the new time is stored");
    wrong(&mut case);
    case.restart("2026-01-01T02:30Z");
    assert_eq!((case.fire("2026-01-01T02:30Z"), case.next()), (None, Some(utc("2026-01-01T03:00Z"))));
    case.restart("2026-01-01T03:50Z");
    assert_eq!(case.fire("2026-01-01T03:50Z"), Some((utc("2026-01-01T03:00Z"), 0, CaughtUp)), "the new time is stored");
}

#[test]
fn an_interval_counts_anew_if_its_last_firing_is_over_a_minute_ahead() {
    let mut case = Case::new(every(3600), "2026-01-01T12:00Z");
    assert!(case.fire("2026-01-01T13:00Z").is_some());
    assert_eq!((case.fire("2026-01-01T12:59Z"), case.next()), (None, Some(utc("2026-01-01T14:00Z"))));
    assert_eq!((case.fire("2026-01-01T02:10Z"), case.next()), (None, Some(utc("2026-01-01T03:10Z"))));
    case.restart("2026-01-01T02:20Z");
    assert_eq!(case.next(), Some(utc("2026-01-01T03:10Z")));
}

#[test]
fn a_clock_set_forward_misses_the_firings_in_between() {
    let mut case = Case::new(cron("0 * * * *", "UTC"), "2026-01-01T00:30Z");
    assert_eq!(case.fire("2026-01-01T05:30Z"), Some((utc("2026-01-01T05:00Z"), 4, CaughtUp)));
    assert_eq!((case.fire("2026-01-01T00:40Z"), case.next()), (None, Some(utc("2026-01-01T06:00Z"))));
}

#[test]
fn a_single_time_fires_once_whatever_the_clock_does() {
    let mut case = Case::new(Schedule::once(utc("2026-01-01T12:00Z")).unwrap(), "2026-01-01T00:00Z");
    assert_eq!(case.fire("2026-01-01T12:00Z"), Some((utc("2026-01-01T12:00Z"), 0, OnTime)));
    for time in ["2020-01-01T00:00Z", "2026-01-01T12:00Z", "2030-01-01T00:00Z"] {
        assert_eq!((case.fire(time), case.next()), (None, None));
        case.restart(time);
        assert_eq!((case.fire(time), case.next()), (None, None));
    }
}

#[test]
fn the_first_firing_of_an_interval_is_one_interval_after_its_beginning() {
    let mut case = Case::new(every(3600), "2026-01-01T12:00Z");
    assert_eq!(case.next(), Some(utc("2026-01-01T13:00Z")));
    case.restart("2026-01-01T12:40Z");
    assert_eq!(case.next(), Some(utc("2026-01-01T13:00Z")), "the beginning is stored");
}

#[test]
fn a_single_time_in_the_past_counts_as_missed() {
    let past = Schedule::once(utc("2020-01-01T00:00Z")).unwrap();
    for (missed, kind) in [(Missed::RunOnce, CaughtUp), (Missed::Skip, Skipped)] {
        let mut case = Case::new(past.clone().with_missed(missed), "2026-01-01T00:00Z");
        assert_eq!(case.fire("2026-01-01T00:00Z"), Some((utc("2020-01-01T00:00Z"), 0, kind)));
        case.restart("2026-01-01T00:00Z");
        assert_eq!(case.fire("2026-01-01T00:00Z"), None);
    }
}

#[test]
fn a_restart_neither_loses_nor_repeats_a_firing() {
    for schedule in [cron("*/20 * * * *", NEW_YORK), every(1_200), cron("0 * * * *", "UTC").with_jitter(HOUR / 4)] {
        let mut steady = Case::new(schedule.clone(), "2026-01-01T00:00Z");
        let wanted = steady.run("2026-01-02T00:00Z");
        let mut restarted = Case::new(schedule, "2026-01-01T00:00Z");
        let mut seen = Vec::new();
        while let Some(next) = restarted.next().filter(|next| *next < utc("2026-01-02T00:00Z")) {
            let firings = restarted.timetable.fire(next);
            restarted.store_firings(&firings);
            seen.extend(firings.iter().map(|firing| firing.last.time));
            restarted.restart(&Timestamp::try_from(next).unwrap().to_string());
        }
        assert_eq!(seen, wanted);
    }
}

#[test]
fn small_steps_of_the_clock_backwards_add_up() {
    let mut case = Case::new(every(3600), "2026-01-01T12:00Z");
    assert!(case.fire("2026-01-01T13:00Z").is_some());
    for seconds in [59, 58, 29, 1] {
        assert_eq!(case.fire(&format!("2026-01-01T12:59:{seconds:02}Z")), None);
        assert_eq!(case.next(), Some(utc("2026-01-01T14:00Z")));
    }
    assert_eq!((case.fire("2026-01-01T12:58:59Z"), case.next()), (None, Some(utc("2026-01-01T13:58:59Z"))));
}

#[test]
fn each_rule_has_a_test_of_its_name() {
    let text = include_str!("../../../SCHEDULES.md");
    let (_, rules) = text.split_once("# Rules").unwrap();
    let (rules, _) = rules.split_once("\n# ").unwrap();
    let names: Vec<_> = rules
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .map(|rule| rule.trim_end_matches('.').to_lowercase().replace([' ', '-'], "_"))
        .collect();
    assert_eq!(names.len(), 37);
    let tests = [
        include_str!("tests.rs"),
        include_str!("../ledger/tests/scheduling.rs"),
        include_str!("../ledger/tests/windowing.rs"),
        include_str!("../ledger/tests/overriding.rs"),
        include_str!("../../schedule/tests/window.rs"),
    ];
    for name in names {
        let test = format!("#[test]\nfn {name}() {{");
        assert!(name.len() <= 75 && tests.iter().any(|tests| tests.contains(&test)), "{name}");
    }
}

#[test]
fn items_with_an_equal_schedule_fire_together() {
    let mut timetable = Timetable::new(7);
    timetable.set(MAIL, [every(60), every(60), every(90)], &BTreeMap::new(), utc("2026-01-01T00:00Z"));
    let fired: Vec<_> = timetable.fire(utc("2026-01-01T00:01Z")).into_iter().map(|firing| firing.schedule).collect();
    assert_eq!(fired, [every(60)]);
}

#[test]
fn each_of_many_schedules_fires_at_its_own_times() {
    let start = utc("2026-01-01T00:00Z");
    let mut timetable = Timetable::new(7);
    timetable.set(MAIL, (1..300).map(every), &BTreeMap::new(), start);
    for second in 1..600 {
        let firings = timetable.fire(start + Duration::from_secs(second)).into_iter();
        let due = (1..300).filter(|interval| second % interval == 0).map(every);
        assert_eq!(firings.map(|firing| firing.schedule).collect::<Vec<_>>(), due.collect::<Vec<_>>());
    }
}

#[test]
fn a_schedule_that_is_no_longer_set_does_not_fire_and_its_record_is_deleted() {
    let mut timetable = Timetable::new(7);
    timetable.set(MAIL, [every(60), every(90)], &BTreeMap::new(), utc("2026-01-01T00:00Z"));
    let _ = timetable.take_unstored();
    timetable.set(MAIL, [every(90)], &BTreeMap::new(), utc("2026-01-01T00:00:30Z"));
    assert_eq!(timetable.next(), Some(utc("2026-01-01T00:01:30Z")), "the known schedule keeps its beginning");
    let deleted = FiringRecord { handler: MAIL, schedule: every(60), last: None };
    assert_eq!(timetable.take_unstored(), [deleted]);
}

#[test]
fn a_removed_handler_does_not_fire_and_keeps_its_records() {
    let other = HandlerId::from_u128(2);
    let mut timetable = Timetable::new(7);
    timetable.set(MAIL, [every(60)], &BTreeMap::new(), utc("2026-01-01T00:00Z"));
    timetable.set(other, [every(60)], &BTreeMap::new(), utc("2026-01-01T00:00Z"));
    let _ = timetable.take_unstored();
    timetable.remove(MAIL);
    assert_eq!(timetable.take_unstored(), []);
    let fired: Vec<_> = timetable.fire(utc("2026-01-01T00:01Z")).into_iter().map(|firing| firing.handler).collect();
    assert_eq!(fired, [other]);
}

#[test]
fn the_agenda_lists_the_next_firings_in_order() {
    let mut timetable = Timetable::new(7);
    let once = Schedule::once(utc("2026-01-01T00:00:50Z")).unwrap();
    timetable.set(MAIL, [every(60), once.clone(), every(40)], &BTreeMap::new(), utc("2026-01-01T00:00Z"));
    let agenda = |timetable: &Timetable| {
        timetable.agenda().map(|(due, handler, schedule)| (due, handler, schedule.clone())).collect::<Vec<_>>()
    };
    let [first, second, third] = ["00:00:40Z", "00:00:50Z", "00:01:00Z"].map(|time| utc(&format!("2026-01-01T{time}")));
    assert_eq!(agenda(&timetable), [(first, MAIL, every(40)), (second, MAIL, once.clone()), (third, MAIL, every(60))]);
    let _ = timetable.fire(second);
    assert_eq!(timetable.next_of(MAIL, &once), None, "it has fired");
    assert_eq!(agenda(&timetable), [(third, MAIL, every(60)), (utc("2026-01-01T00:01:20Z"), MAIL, every(40))]);
}

#[test]
fn a_jitter_delays_each_firing_by_its_own_replayable_time() {
    let dues = |seed| {
        let mut timetable = Timetable::new(seed);
        let schedule = every(600).with_jitter(Duration::from_secs(300));
        timetable.set(MAIL, [schedule], &BTreeMap::new(), utc("2026-01-01T00:00Z"));
        let mut delays = Vec::new();
        for count in 1..50_u32 {
            let (due, time) = (timetable.next().unwrap(), utc("2026-01-01T00:00Z") + count * Duration::from_secs(600));
            assert_eq!(timetable.fire(due)[0].last.time, time);
            delays.push(due.duration_since(time).unwrap());
        }
        delays
    };
    let delays = dues(1);
    assert_eq!(delays, dues(1));
    assert_ne!(delays, dues(2));
    assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(300)));
    let distinct: BTreeSet<_> = delays.iter().collect();
    assert!(distinct.len() > 45, "{delays:?}");
}

#[test]
fn a_firing_does_not_start_before_its_jitter_because_earlier_ones_were_missed() {
    let (start, now) = (utc("2026-01-01T00:00Z"), utc("2026-01-01T00:25Z"));
    let [first, second] = ["2026-01-01T00:10Z", "2026-01-01T00:20Z"].map(utc);
    let minutely = cron("*/10 * * * *", "UTC").with_jitter(HOUR / 6);
    for schedule in [every(600).with_jitter(HOUR / 6), minutely] {
        let mut counts = [0, 0];
        for seed in 0..50 {
            let next_after = |time| {
                let mut timetable = Timetable::new(seed);
                let last = LastFiring { time, started: None };
                timetable.set(MAIL, [schedule.clone()], &BTreeMap::from([(schedule.clone(), last)]), now);
                timetable
            };
            let second_is_due = next_after(first).next() <= Some(now);
            let firings = next_after(start).fire(now);
            let wanted = if second_is_due { (second, 1) } else { (first, 0) };
            assert_eq!(firings.iter().map(|firing| (firing.last.time, firing.missed)).collect::<Vec<_>>(), [wanted]);
            counts[usize::from(second_is_due)] += 1;
        }
        assert!(counts[0] > 5 && counts[1] > 5, "{counts:?}");
    }
}

#[test]
fn the_last_of_very_many_missed_firings_is_found() {
    let busy_hour = cron("* 2 1 1 *", NEW_YORK);
    let mut case = Case::new(busy_hour, "1970-01-01T00:00Z");
    assert_eq!(case.fire("2026-12-31T00:00Z"), Some((utc("2026-01-01T07:59Z"), 1_000, CaughtUp)));
    let mut interval = Case::new(Schedule::every(Duration::from_millis(1)).unwrap(), "1970-01-01T00:00Z");
    assert_eq!(interval.fire("2026-12-31T00:00Z"), Some((utc("2026-12-31T00:00Z"), u32::MAX, OnTime)));
}

#[test]
fn times_out_of_range_are_never_reached() {
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50);
    let mut timetable = Timetable::new(7);
    let centuries = Schedule::every(Duration::from_secs(999 * 365 * 86_400)).unwrap();
    let longest = centuries.with_jitter(Duration::MAX).with_min_gap(Duration::MAX);
    timetable.set(MAIL, [longest.clone(), cron("0 0 * * *", "UTC")], &BTreeMap::new(), far);
    assert_eq!((timetable.next(), timetable.fire(far)), (None, vec![]));
    let mut timetable = Timetable::new(7);
    timetable.set(MAIL, [longest], &BTreeMap::new(), utc("9200-01-01T00:00Z"));
    assert_eq!((timetable.next(), timetable.fire(far)), (None, vec![]));
}
