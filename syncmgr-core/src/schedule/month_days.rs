//! The days of a month on which a cron expression fires.

use croner::{CronPattern, Weekday};

/// The lengths of months, each with a year and a month that has it.
const LENGTHS: [(u8, i32, u32); 4] = [(28, 2023, 2), (29, 2024, 2), (30, 2024, 4), (31, 2024, 1)];

/// The days of a month that match, by its length and by the day of the week of its first day. Bit 5 of a set stands for day 5.
#[derive(Clone, Debug)]
pub(super) enum Days {
    /// Dates and days of the week, counted from Sunday.
    Plain { dates: u32, weekdays: u8, rule: Rule },
    /// Days such as the last one, by the length of the month from 28 days and by the day of the week of its first day.
    Table(Box<[[u32; 7]; 4]>),
}

/// The days that match dates and days of the week. A `*` counts as all of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    Both,
    Either,
}

impl Days {
    pub(super) fn new(pattern: &CronPattern) -> Self {
        let table =
            LENGTHS.map(|(_, year, month)| std::array::from_fn(|first| days_of(pattern, (year, month), first as u32)));
        let plain = Self::plain(pattern);
        let is_plain = LENGTHS.iter().zip(&table).all(|((length, ..), days)| {
            (0..).zip(days).all(|(first, days)| plain.in_month(*length, first) == u64::from(*days))
        });
        if is_plain { plain } else { Self::Table(Box::new(table)) }
    }

    /// Returns what matches if the expression has no special days.
    fn plain(pattern: &CronPattern) -> Self {
        let dates = pattern.days.values().into_iter().fold(0, |set, day| set | 1 << day);
        let weekdays = pattern.days_of_week.values().into_iter().fold(0, |set, day| set | 1 << (day % 7));
        let any = pattern.is_dom_wildcard() || pattern.is_dow_wildcard();
        let rule = if any || pattern.matches_dom_and_dow() { Rule::Both } else { Rule::Either };
        Self::Plain { dates, weekdays, rule }
    }

    /// Returns the days of a month of this length whose first day has this day of the week, from Sunday.
    pub(super) fn in_month(&self, length: u8, first: u8) -> u64 {
        match self {
            Self::Plain { dates, weekdays, rule } => {
                let weeks = (0..6).fold(0, |days, week| days | u64::from(*weekdays) << (7 * week));
                let (dates, weekdays) = (u64::from(*dates), weeks >> first << 1);
                let days = match rule {
                    Rule::Both => dates & weekdays,
                    Rule::Either => dates | weekdays,
                };
                days & ((2 << length) - 2)
            }
            Self::Table(days) => u64::from(days[usize::from(length - 28)][usize::from(first)]),
        }
    }
}

/// Returns the matching days of a month whose first day has a given day of the week, from Sunday. The year decides nothing but
/// the length of February.
fn days_of(pattern: &CronPattern, (year, month): (i32, u32), first: u32) -> u32 {
    let matches = |day: u32| {
        let weekday = Weekday::from_days_from_sunday((first + day - 1) % 7);
        pattern.day_match(year, month, day, weekday).unwrap_or(false)
    };
    (1..=31).filter(|day| matches(*day)).fold(0, |set, day| set | 1 << day)
}
