//! The fields of a cron expression as sets of bits.

use croner::{CronComponent, CronPattern};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::month_days::Days;

/// The months that a search covers. A leap day can be absent for 8 years, and on one day of the week for 40.
const SEARCHED: usize = 12 * 50;

/// The fields of a cron expression. Bit 5 of a set stands for minute 5, hour 5 or month 5.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    minutes: u64,
    hours: u32,
    months: u16,
    days: Days,
}

impl Fields {
    pub(super) fn new(pattern: &CronPattern) -> Self {
        let [minutes, hours, months] = [&pattern.minutes, &pattern.hours, &pattern.months].map(set);
        let narrow = "an hour is less than 32, and a month less than 16";
        let (hours, months) = (hours.try_into().expect(narrow), months.try_into().expect(narrow));
        Self { minutes, hours, months, days: Days::new(pattern) }
    }

    /// Returns `true` if any date matches.
    pub(super) fn match_a_date(&self) -> bool {
        self.day_after(Date::constant(2000, 1, 1)).is_some()
    }

    /// Returns the first matching minute later than `local`.
    pub(super) fn after(&self, local: DateTime) -> Option<DateTime> {
        let date = local.date();
        let is_today = self.days_in_month_of(date) & bit(date.day()) != 0;
        if let Some((hour, minute)) = self.time_after(local.hour(), local.minute()).filter(|_| is_today) {
            return Some(date.at(hour, minute, 0, 0));
        }
        let (hour, minute) = (first(self.hours.into())?, first(self.minutes)?);
        Some(self.day_after(date)?.at(hour, minute, 0, 0))
    }

    /// Returns the first matching time of a day later than a minute.
    fn time_after(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        let hours = u64::from(self.hours);
        let this_hour = (hours & bit(hour) != 0).then(|| first(self.minutes & later(minute)));
        match this_hour.flatten() {
            Some(minute) => Some((hour, minute)),
            None => Some((first(hours & later(hour))?, first(self.minutes)?)),
        }
    }

    /// Returns the first matching date later than `date`.
    fn day_after(&self, date: Date) -> Option<Date> {
        let (mut month, mut passed) = (date.first_of_month(), later(date.day()));
        for _ in 0..SEARCHED {
            if let Some(day) = first(self.days_in_month_of(month) & passed) {
                return Date::new(month.year(), month.month(), day).ok();
            }
            month = month.checked_add(1.month()).ok()?;
            passed = u64::MAX;
        }
        None
    }

    fn days_in_month_of(&self, date: Date) -> u64 {
        if u64::from(self.months) & bit(date.month()) == 0 {
            return 0;
        }
        let weekday = date.first_of_month().weekday().to_sunday_zero_offset();
        self.days.in_month(date.days_in_month().unsigned_abs(), weekday.unsigned_abs())
    }
}

/// Returns the values of a field as a set.
fn set(field: &CronComponent) -> u64 {
    field.values().into_iter().fold(0, |set, value| set | 1 << value)
}

/// Returns the set of one number from 0 to 59.
fn bit(number: i8) -> u64 {
    1 << number
}

/// Returns the set of all numbers greater than a number from 0 to 59.
fn later(number: i8) -> u64 {
    u64::MAX << (number + 1)
}

/// Returns the least number in a set.
fn first(set: u64) -> Option<i8> {
    (set != 0).then(|| i8::try_from(set.trailing_zeros()).expect("a position in 64 bits"))
}

#[cfg(test)]
mod tests {
    use croner::{Cron, Weekday};
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn field(values: std::ops::Range<u32>) -> impl Strategy<Value = String> {
        let value = values.clone().prop_map(|value| value.to_string());
        let step = (2..values.end).prop_map(|step| format!("*/{step}"));
        let range = (values.clone(), values).prop_map(|(one, other)| format!("{}-{}", one.min(other), one.max(other)));
        prop_oneof![
            Just("*".to_owned()),
            value.clone(),
            (value.clone(), value).prop_map(|(one, two)| format!("{one},{two}")),
            step,
            range
        ]
    }

    fn expressions() -> impl Strategy<Value = String> {
        let special = |texts: Vec<&'static str>| proptest::sample::select(texts).prop_map(str::to_owned);
        let days = prop_oneof![3 => field(1..32), 1 => special(vec!["L", "LW", "1W", "15W", "31W", "30,L"])];
        let weekdays = prop_oneof![3 => field(0..8), 1 => special(vec!["5#3", "1L", "+1", "+5#1", "0#5", "7"])];
        (field(0..60), field(0..24), days, field(1..13), weekdays)
            .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
    }

    /// Decides with the functions of the parser whether a minute matches.
    fn matches(pattern: &CronPattern, local: DateTime) -> bool {
        let part = |part: i8| u32::from(part.unsigned_abs());
        let weekday = Weekday::from_days_from_sunday(part(local.weekday().to_sunday_zero_offset()));
        let date = (i32::from(local.year()), part(local.month()), part(local.day()));
        pattern.minute_match(part(local.minute())).unwrap()
            && pattern.hour_match(part(local.hour())).unwrap()
            && pattern.month_match(date.1).unwrap()
            && pattern.day_match(date.0, date.1, date.2, weekday).unwrap()
    }

    proptest! {
        #[test]
        fn the_next_minute_is_the_first_that_matches(
            expression in expressions(), day in 0..20_000_i64, minute in 0..1_440_i64
        ) {
            let Ok(cron) = expression.parse::<Cron>() else { return Ok(()) };
            let start = date(1990, 1, 1).at(0, 0, 0, 0) + day.days() + minute.minutes();
            let walked = (1..3_000_i64).map(|minutes| start + minutes.minutes()).find(|local| matches(&cron.pattern, *local));
            let found = Fields::new(&cron.pattern).after(start);
            match walked {
                Some(_) => prop_assert_eq!(found, walked),
                None => prop_assert!(found.is_none_or(|found| found >= start + 3_000_i64.minutes() && matches(&cron.pattern, found))),
            }
        }

        #[test]
        fn the_next_day_is_the_first_that_matches(expression in expressions(), day in 0..20_000_i64) {
            let expression = format!("0 0 {}", expression.splitn(3, ' ').last().unwrap());
            let Ok(cron) = expression.parse::<Cron>() else { return Ok(()) };
            let start = date(1990, 1, 1).at(0, 0, 0, 0) + day.days();
            let walked = (1..3_000_i64).map(|days| start + days.days()).find(|local| matches(&cron.pattern, *local));
            let found = Fields::new(&cron.pattern).after(start);
            prop_assert_eq!(found.filter(|found| *found < start + 3_000_i64.days()), walked);
        }
    }
}
