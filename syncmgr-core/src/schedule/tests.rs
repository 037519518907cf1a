//! Tests of schedules and windows.

mod clock_changes;
mod window;

use super::*;
use crate::time::Utc;

fn utc(text: &str) -> SystemTime {
    SystemTime::try_from(text.parse::<Timestamp>().expect(text)).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ScheduleError>) -> String {
    result.unwrap_err().to_string()
}

fn cron(expression: &str) -> Result<Schedule, ScheduleError> {
    Schedule::cron(expression, "UTC")
}

/// The firings of a schedule after `start`.
fn firings(schedule: &Schedule, start: &str, count: usize) -> Vec<String> {
    let times = std::iter::successors(schedule.next_after(utc(start)), |time| schedule.next_after(*time));
    times.take(count).map(|time| Utc(time).to_string()).collect()
}

/// Returns a file of the database of time zones for a zone that always has the rules of a POSIX string.
pub(crate) fn zone_file(posix: &str) -> Vec<u8> {
    let counts = [0, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat(); // one offset, and a name of four bytes for it
    let block = [b"TZif2".as_slice(), &[0; 15], &counts, &[0; 6], b"-00\0"].concat();
    [&block, &block, b"\n".as_slice(), posix.as_bytes(), b"\n"].concat()
}

#[test]
fn a_schedule_without_options_is_16_bytes_and_shares_its_cron_expression() {
    assert_eq!((size_of::<Schedule>(), size_of::<Option<Schedule>>(), size_of::<CronTimes>()), (16, 16, 64));
}

#[test]
fn a_schedule_with_default_options_equals_one_without_options() {
    let hourly: Schedule = "every 1h".parse().unwrap();
    let adjusted = hourly.clone().with_jitter(Duration::from_secs(1)).with_missed(Missed::Skip);
    assert_eq!(adjusted.with_jitter(Duration::ZERO).with_missed(Missed::RunOnce), hourly);
}

#[test]
fn a_schedule_has_one_text_however_it_was_written() {
    let same = [
        ("cron  0  8 * * mon-fri  in europe/berlin ;missed skip", "cron 0 8 * * MON-FRI in Europe/Berlin; missed skip"),
        ("cron @daily in utc", "cron 0 0 * * * in UTC"),
        ("cron @Weekly in US/Eastern", "cron 0 0 * * 0 in US/Eastern"),
        ("cron 0 0 * * * in local; gap 90m; jitter 120s", "cron 0 0 * * * in local; jitter 2m; gap 90m"),
        ("every 1h 30m", "every 90m"),
        ("every 86400s; missed run once; jitter 0s", "every 24h"),
        ("every 1500ms", "every 1500ms"),
        ("once 2026-12-01T03:30:00+01:00", "once 2026-12-01T02:30:00Z"),
        ("once 2026-12-01T02:30:00.25Z; missed skip", "once 2026-12-01T02:30:00.25Z; missed skip"),
    ];
    for (written, wanted) in same {
        let schedule: Schedule = written.parse().expect(written);
        assert_eq!(schedule.to_string(), wanted);
        assert_eq!(wanted.parse(), Ok(schedule.clone()));
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!((serde_json::from_str::<Schedule>(&json).unwrap(), json), (schedule, format!("{wanted:?}")));
    }
}

#[test]
fn schedules_with_different_texts_are_different() {
    let texts = ["every 1m", "every 2m", "every 1m; jitter 1s", "every 1m; gap 1s", "every 1m; missed skip"];
    let texts = texts.into_iter().chain(["cron * * * * * in UTC", "cron * * * * * in Europe/Berlin"]);
    let schedules: std::collections::BTreeSet<Schedule> = texts.map(|text| text.parse().unwrap()).collect();
    assert_eq!(schedules.len(), 7);
}

#[test]
fn a_bad_text_is_refused_with_what_to_write() {
    let refused = |text: &str| refusal(text.parse::<Schedule>());
    assert!(refused("").contains("write `cron 30 2 * * * in Europe/Berlin`"));
    assert!(refused("cron 30 2 * * *").contains("write its time zone after it: ` in local`"));
    assert!(refused("every day").contains("write a duration such as 15m"));
    assert!(refused("every -5m").contains("write a duration"));
    assert!(refused("once tomorrow").contains("once 2026-12-01T02:30:00Z"));
    assert!(refused("every 5m; jitter").contains("an option is `jitter 5m`"));
    assert!(refused(&"x".repeat(100_000)).len() < 400);
    assert!(!refused("every \u{1b}[2J").contains('\u{1b}'));
}

#[test]
fn an_expression_that_cannot_be_parsed_is_refused_with_the_reason() {
    let refused = |expression: &str| refusal(cron(expression));
    assert!(refused("61 * * * *").starts_with("the cron expression `61 * * * *` is not valid: "));
    assert!(refused("").contains("write five fields"));
    assert!(refused("0 12 * * * *").contains("for less than a minute use an interval"), "seconds are ambiguous");
    assert!(refused("0 0 12 * * * 2026").contains("write five fields"));
    assert!(refused("@fortnightly").contains("write five fields"));
    assert!(refused("*/70 * * * *").contains("the step 70 must be less than 60"));
    assert!(refused("0 0-20/24 * * *").contains("the step 24 must be less than 24"));
    for expression in ["22-2 * * * *", "5/15 * * * *", "0 0 * * FOO", "* * * * * é", "-1 * * * *", "*/0 * * * *"] {
        assert!(cron(expression).is_err(), "{expression}");
    }
}

#[test]
fn an_expression_that_never_fires_is_refused() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30 2 +MON"] {
        let never = ScheduleError::NeverFires { expression: expression.to_owned() };
        assert_eq!(cron(expression), Err(never.clone()));
        assert!(never.to_string().contains("no date matches"));
    }
    let rare = cron("0 0 29 2 +MON").unwrap();
    assert_eq!(firings(&rare, "2026-01-01T00:00Z", 2), ["2044-02-29 00:00:00Z", "2072-02-29 00:00:00Z"]);
}

#[test]
fn an_unknown_zone_is_refused_with_a_suggestion_if_one_is_near() {
    let suggested = |zone: &str| match Schedule::cron("0 0 * * *", zone) {
        Err(ScheduleError::UnknownZone { suggestion, .. }) => suggestion,
        other => panic!("{other:?}"),
    };
    assert_eq!(suggested("Europe/Berlim").as_deref(), Some("Europe/Berlin"));
    assert_eq!(suggested("America/NewYork").as_deref(), Some("America/New_York"));
    assert_eq!(suggested("Berlin").as_deref(), Some("Europe/Berlin"));
    for zone in ["", "Mars/Olympus", "posixrules", "Factory", "localtime", "GMT+5", "../etc/passwd"] {
        let refused = refusal(Schedule::cron("0 0 * * *", zone));
        assert!(refused.contains("is not known"), "{refused}");
    }
}

#[test]
fn an_interval_is_at_least_a_millisecond() {
    assert_eq!(Schedule::every(Duration::ZERO), Err(ScheduleError::ZeroInterval));
    assert_eq!(Schedule::every(Duration::from_micros(999)), Err(ScheduleError::ZeroInterval));
    assert!(Schedule::every(Duration::from_millis(1)).is_ok());
    assert_eq!("every 0s".parse::<Schedule>(), Err(ScheduleError::ZeroInterval));
    assert_eq!(Schedule::every(Duration::MAX), Err(ScheduleError::OutOfRange));
}

#[test]
fn a_single_time_is_in_the_years_1_to_9999_and_never_early() {
    assert_eq!(Schedule::once(utc("0000-12-31T23:59:59Z")), Err(ScheduleError::OutOfRange));
    assert_eq!(Schedule::once(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50)), Err(ScheduleError::OutOfRange));
    let once = Schedule::once(SystemTime::UNIX_EPOCH + Duration::from_nanos(1)).unwrap();
    assert_eq!(once.to_string(), "once 1970-01-01T00:00:00.001Z");
}

#[test]
fn a_jitter_is_at_most_the_interval_or_a_day() {
    let long = Duration::from_secs(10 * 86_400);
    let of = |schedule: Schedule| schedule.with_jitter(long).to_string();
    assert_eq!(of(Schedule::every(Duration::from_secs(60)).unwrap()), "every 1m; jitter 1m");
    assert_eq!(of(cron("0 0 * * *").unwrap()), "cron 0 0 * * * in UTC; jitter 24h");
}

#[test]
fn days_of_the_month_and_of_the_week_unite_unless_a_plus_joins_them() {
    let days =
        |expression| firings(&cron(expression).unwrap(), "2026-01-31T12:00Z", 4).join(" ").replace(" 00:00:00Z", "");
    assert_eq!(days("0 0 13 * 5"), "2026-02-06 2026-02-13 2026-02-20 2026-02-27");
    assert_eq!(days("0 0 13 * +5"), "2026-02-13 2026-03-13 2026-11-13 2027-08-13");
    assert_eq!(days("0 0 L * *"), "2026-02-28 2026-03-31 2026-04-30 2026-05-31");
    assert_eq!(days("0 0 * * 5#3"), "2026-02-20 2026-03-20 2026-04-17 2026-05-15");
    assert_eq!(days("0 0 * * 5L"), "2026-02-27 2026-03-27 2026-04-24 2026-05-29");
    assert_eq!(days("0 0 15W * *"), "2026-02-16 2026-03-16 2026-04-15 2026-05-15");
    assert_eq!(days("0 0 * * 7"), days("0 0 * * SUN"));
    assert_eq!(days("0 0 */2 * 1"), "2026-02-01 2026-02-02 2026-02-03 2026-02-05", "a step is a restriction");
}

#[test]
fn a_firing_is_later_than_the_time_asked_for_to_the_millisecond() {
    let nightly = cron("30 2 * * *").unwrap();
    assert_eq!(nightly.next_after(utc("2026-01-01T02:29:59.999Z")), Some(utc("2026-01-01T02:30Z")));
    for time in ["2026-01-01T02:30:00Z", "2026-01-01T02:30:00.5Z"] {
        assert_eq!(nightly.next_after(utc(time)), Some(utc("2026-01-02T02:30Z")));
    }
    let minutely = Schedule::cron("* * * * *", "America/New_York").unwrap();
    let change = ["2026-03-08 06:59:00Z", "2026-03-08 07:00:00Z", "2026-03-08 07:01:00Z"];
    assert_eq!(firings(&minutely, "2026-03-08T06:58:00.5Z", 3), change);
}

#[test]
fn a_search_outside_the_calendar_finds_nothing() {
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 50);
    let minutely = Schedule::cron("* * * * *", "America/New_York").unwrap();
    assert_eq!((minutely.next_after(far), minutely.next_after(before)), (None, None));
    assert_eq!(minutely.next_after(utc("9999-12-30T22:00Z")), None, "the calendar ends with the year 9999");
    let centuries = Schedule::every(Duration::from_secs(900 * 365 * 86_400)).unwrap();
    assert_eq!(centuries.next_after(utc("9200-01-01T00:00Z")), None);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in "(cron|every|once)? ?[0-9*/,LW# a-z-]{0,20}( in UTC)?") {
            if let Ok(schedule) = text.parse::<Schedule>() {
                prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
            }
        }

        #[test]
        fn the_next_firing_does_not_depend_on_where_the_search_starts(
            minute in 0..60_u8, hour in 0..24_u8, pattern in any::<bool>(), start in 1_700_000_000_u64..2_000_000_000, back in 0..4_000_000_u64
        ) {
            let hour = if pattern { "*".to_owned() } else { hour.to_string() };
            let schedule = Schedule::cron(&format!("{minute} {hour} * * *"), "Australia/Lord_Howe").unwrap();
            let from = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let wanted = schedule.next_after(from(start));
            let mut walked = schedule.next_after(from(start - back));
            while let Some(time) = walked.filter(|time| *time <= from(start)) {
                walked = schedule.next_after(time);
            }
            prop_assert_eq!(walked, wanted);
        }
    }
}

#[test]
fn the_longest_interval_and_gap_can_be_read_from_their_text() {
    let longest = Schedule::every(Duration::from_secs(999 * 365 * 86_400)).unwrap().with_min_gap(Duration::MAX);
    assert_eq!(longest.to_string().parse(), Ok(longest));
}
