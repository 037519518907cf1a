//! Tests of windows.

use super::*;

fn window(text: &str) -> Window {
    text.parse().expect(text)
}

/// Asserts the next opening and the next closing after a time, and whether the window is open then.
#[track_caller]
fn assert_state(window: &Window, time: &str, open: bool, opens: &str, closes: &str) {
    let time = utc(time);
    let next = (window.opens_after(time).map(|time| Utc(time).to_string()), window.closes_after(time));
    assert_eq!((next.0.as_deref(), next.1.map(|time| Utc(time).to_string()).as_deref()), (Some(opens), Some(closes)));
    assert_eq!(window.is_open(time), open);
}

#[test]
fn a_window_is_open_from_its_first_to_before_its_last_minute() {
    let window = window("09:00-17:00 in UTC");
    assert_state(&window, "2026-01-01T08:59:59Z", false, "2026-01-01 09:00:00Z", "2026-01-01 17:00:00Z");
    assert_state(&window, "2026-01-01T09:00:00Z", true, "2026-01-02 09:00:00Z", "2026-01-01 17:00:00Z");
    assert_state(&window, "2026-01-01T17:00:00Z", false, "2026-01-02 09:00:00Z", "2026-01-02 17:00:00Z");
}

#[test]
fn a_window_that_crosses_midnight_belongs_to_the_day_on_which_it_opens() {
    let friday = window("22:00-06:00 in UTC on FRI");
    assert_state(&friday, "2026-01-03T05:00:00Z", true, "2026-01-09 22:00:00Z", "2026-01-03 06:00:00Z");
    assert_state(&friday, "2026-01-02T05:00:00Z", false, "2026-01-02 22:00:00Z", "2026-01-03 06:00:00Z");
    let until_midnight = window("22:00-00:00 in UTC");
    assert_eq!(until_midnight, window("22:00-24:00 in UTC"));
    assert_state(&until_midnight, "2026-01-01T23:00:00Z", true, "2026-01-02 22:00:00Z", "2026-01-02 00:00:00Z");
}

#[test]
fn days_that_touch_are_one_span() {
    let weekend = window("00:00-24:00 in Europe/Berlin on SUN,sat");
    assert_eq!(weekend.to_string(), "00:00-24:00 in Europe/Berlin on SAT,SUN");
    assert_state(&weekend, "2026-01-03T12:00:00Z", true, "2026-01-09 23:00:00Z", "2026-01-04 23:00:00Z");
}

#[test]
fn a_window_that_is_always_open_neither_opens_nor_closes() {
    let always = window("00:00-24:00 in America/New_York");
    let time = utc("2026-03-08T07:00Z");
    assert!(always.is_open(time));
    assert_eq!((always.opens_after(time), always.closes_after(time)), (None, None));
}

#[test]
fn a_window_opens_once_on_the_days_on_which_the_clock_changes() {
    let early = window("01:30-02:30 in America/New_York");
    assert_state(&early, "2026-03-08T05:00:00Z", false, "2026-03-08 06:30:00Z", "2026-03-08 07:00:00Z");
    assert_state(&early, "2026-11-01T05:00:00Z", false, "2026-11-01 05:30:00Z", "2026-11-01 07:30:00Z");
    let skipped = window("02:10-02:50 in America/New_York");
    assert_state(&skipped, "2026-03-08T05:00:00Z", false, "2026-03-09 06:10:00Z", "2026-03-09 06:50:00Z");
    let missing_day = window("10:00-11:00 in Pacific/Apia on FRI");
    assert_state(&missing_day, "2011-12-29T12:00:00Z", false, "2012-01-05 20:00:00Z", "2012-01-05 21:00:00Z");
}

#[test]
fn a_window_of_several_spans_is_open_while_one_of_them_is() {
    let nights = window("22:00-06:00 in Europe/Berlin");
    let both = nights.or(&window("00:00-24:00 in Europe/Berlin on SAT,SUN"));
    assert_eq!(both, window("00:00-24:00 in Europe/Berlin on SUN,SAT or 22:00-06:00 in Europe/Berlin"));
    assert_eq!((both.or(&nights), both.to_string().parse()), (both.clone(), Ok(both.clone())));
    // From Friday night to Monday morning.
    assert_state(&both, "2026-01-02T12:00:00Z", false, "2026-01-02 21:00:00Z", "2026-01-05 05:00:00Z");
    assert_state(&both, "2026-01-04T12:00:00Z", true, "2026-01-05 21:00:00Z", "2026-01-05 05:00:00Z");
    let always = window("00:00-12:00 in UTC or 12:00-24:00 in UTC");
    assert_eq!(always.changes_after(utc("2026-01-02T12:00:00Z")), None);
}

#[test]
fn a_window_without_length_or_days_is_refused() {
    let refused = |text: &str| refusal(text.parse::<Window>());
    assert!(refused("09:00-09:00 in UTC").contains("from 09:00 to 09:00 has no length"));
    assert!(refused("24:00-00:00 in UTC").contains("has no length"));
    assert!(refused("24:00-24:00 in UTC").contains("has no length"));
    assert_eq!(window("08:00-09:00 in UTC").on([]), Err(ScheduleError::NoDays));
    assert!(refused("08:00-25:00 in UTC").contains("`25:00` is not a time of day"));
    assert!(refused("08:60-09:00 in UTC").contains("`08:60` is not a time of day"));
    assert!(refused("08:00-09:00 in Utopia").contains("`Utopia` is not known"));
    for text in ["08:00-09:00", "08:00-09:00 on SAT"] {
        assert!(refused(text).contains("write its time zone after it: ` in local`"), "{text}");
    }
    for text in ["", "08:00 in UTC", "08:00-09:00 in UTC on Someday", "08:00-09:00 in UTC on "] {
        assert!(refused(text).contains("write `22:00-06:00 in Europe/Berlin`"), "{text}");
    }
    assert!(TimeOfDay::new(24, 1).is_err() && TimeOfDay::new(255, 255).is_err());
}

#[test]
fn a_window_survives_a_round_trip_through_json() {
    let nights = window("22:00-06:00 in Europe/Berlin on MON,TUE,FRI");
    let json = serde_json::to_string(&nights).unwrap();
    assert_eq!(json, "\"22:00-06:00 in Europe/Berlin on MON,TUE,FRI\"");
    assert_eq!(serde_json::from_str::<Window>(&json).unwrap(), nights);
    assert_ne!(nights, window("22:00-06:00 in Europe/Berlin"));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_changes_exactly_at_its_openings_and_closings(
            from in 0..1440_u16, to in 0..=1440_u16, days in 1..128_u8, start in 1_262_304_000_u64..1_700_000_000,
            zone in proptest::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
        ) {
            let time_of_day = |minutes: u16| TimeOfDay::new((minutes / 60) as u8, (minutes % 60) as u8).unwrap();
            let days = Day::ALL.into_iter().filter(|day| days & 1 << *day as u8 != 0);
            let window = Window::daily(time_of_day(from), time_of_day(to), zone).and_then(|window| window.on(days));
            let Ok(window) = window else { return Ok(()) };
            prop_assert_eq!(window.to_string().parse(), Ok(window.clone()));
            let mut time = SystemTime::UNIX_EPOCH + Duration::from_secs(start);
            for _ in 0..20 {
                let changes = (window.opens_after(time), window.closes_after(time));
                let (Some(opens), Some(closes)) = changes else {
                    prop_assert_eq!(changes, (None, None));
                    prop_assert!(window.is_open(time));
                    break;
                };
                prop_assert!(opens != closes && opens > time && closes > time);
                prop_assert_eq!(window.is_open(time), closes < opens);
                let change = opens.min(closes);
                prop_assert_eq!(window.is_open(change - Duration::from_millis(1)), window.is_open(time));
                prop_assert_ne!(window.is_open(change), window.is_open(time));
                time = change;
            }
        }
    }
}
