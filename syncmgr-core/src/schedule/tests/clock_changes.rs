//! The tables of `SCHEDULES.md`: our firings on the days on which the clock changes.

use jiff::SignedDuration;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::*;

const NEW_YORK: &str = "America/New_York";

/// Returns the expressions of the table after a sentence, each with our firings.
fn table(after: &str) -> Vec<(&'static str, &'static str)> {
    let (_, text) = include_str!("../../../SCHEDULES.md").split_once(after).expect(after);
    let rows =
        text.lines().skip_while(|line| !line.starts_with("|--")).skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect::<Vec<_>>());
    cells.map(|cells| (cells[0], cells[1])).collect()
}

/// Returns the firings on a day before 04:00 on the local clock. `b` marks the second pass of a repeated hour.
fn firings_before_four(expression: &str, day: Date) -> String {
    let schedule = Schedule::cron(expression, NEW_YORK).unwrap();
    let zone = TimeZone::get(NEW_YORK).unwrap();
    let before = zone.to_timestamp(day.at(0, 0, 0, 0)).unwrap() - SignedDuration::from_millis(1);
    let after = |time: &SystemTime| schedule.next_after(*time);
    let times = std::iter::successors(after(&before.try_into().unwrap()), after);
    let local = times.map(|time| Timestamp::try_from(time).unwrap()).map(|time| (zone.to_datetime(time), time));
    let shown = local.take_while(|(local, _)| *local < day.at(4, 0, 0, 0)).map(|(local, time)| {
        let is_second = zone.to_datetime(time - SignedDuration::from_hours(1)) == local;
        format!("{:02}:{:02}{}", local.hour(), local.minute(), if is_second { "b" } else { "" })
    });
    shown.reduce(|all, next| format!("{all} {next}")).unwrap_or_else(|| "-".to_owned())
}

fn assert_table(after: &str, day: Date) {
    let rows = table(after);
    assert_eq!(rows.len(), 20);
    for (expression, wanted) in rows {
        assert_eq!(firings_before_four(expression, day), wanted, "{expression}");
    }
}

#[test]
fn expressions_fire_in_spring_as_documented() {
    assert_table("On 8 March the clock goes", date(2026, 3, 8));
}

#[test]
fn expressions_fire_in_autumn_as_documented() {
    assert_table("On 1 November the clock goes", date(2026, 11, 1));
}
