//! A cron expression in a time zone.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{CivilDateTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::ScheduleError;
use super::zone::Zone;

/// A cron expression in a time zone. Two are equal if their texts are equal.
#[derive(Clone, Debug)]
pub(super) struct CronTimes {
    expression: Box<str>,
    zone: Zone,
    cron: Cron,
    kind: Kind,
}

/// What the hour and the minute of an expression say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Times of day. Each fires once a day.
    Fixed,
    /// A pattern with `*`. It fires whenever the clock shows a time that matches.
    Pattern,
}

impl CronTimes {
    /// Parses an expression of five fields, or a name such as `@daily`.
    pub(super) fn new(expression: &str, zone: Zone) -> Result<Self, ScheduleError> {
        let text = canonical(expression);
        let refused = |reason: &dyn ToString| ScheduleError::expression(expression, reason.to_string());
        let fields: Vec<_> = text.split(' ').collect();
        let [minute, hour, ..] = fields[..] else { return Err(refused(&FIVE_FIELDS)) };
        if fields.len() != 5 {
            return Err(refused(&FIVE_FIELDS));
        }
        long_step(&fields).map_or(Ok(()), |reason| Err(refused(&reason)))?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&text).map_err(|error| refused(&error))?;
        if !ever_fires(&cron) {
            return Err(ScheduleError::NeverFires { expression: text });
        }
        let kind = if minute.contains('*') || hour.contains('*') { Kind::Pattern } else { Kind::Fixed };
        Ok(Self { expression: text.into(), zone, cron, kind })
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first firing later than `time`.
    pub(super) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self.kind {
            Kind::Fixed => self.fixed_after(time),
            Kind::Pattern => self.pattern_after(time),
        }
    }

    fn fixed_after(&self, time: Timestamp) -> Option<Timestamp> {
        let mut local = self.zone.local(time);
        loop {
            local = self.match_after(local)?;
            let instant = self.zone.first_instant(local)?;
            if instant > time {
                return Some(instant);
            }
        }
    }

    /// Searches from one change of the clock to the next.
    fn pattern_after(&self, mut time: Timestamp) -> Option<Timestamp> {
        let mut local = self.zone.local(time);
        loop {
            let change = self.zone.next_change(time);
            let found = self.match_after(local).and_then(|found| self.zone.instant_as_at(time, found));
            match (found, change) {
                (Some(found), Some(change)) if found >= change => {}
                (Some(found), _) => return Some(found),
                (None, _) => return None,
            }
            time = change?;
            local = self.zone.local(time).checked_sub(1.second()).ok()?;
        }
    }

    /// Returns the first local time later than `local` that matches.
    fn match_after(&self, local: DateTime) -> Option<DateTime> {
        self.cron.find_next_occurrence(&Civil(local), false).ok().map(|found| found.0)
    }
}

const FIVE_FIELDS: &str = "write five fields: minute, hour, day of the month, month, day of the week; \
                           for less than a minute use an interval";

/// Returns the expression in capitals with single spaces, and a name such as `@daily` as its fields.
fn canonical(expression: &str) -> String {
    let text = expression.split_whitespace().map(str::to_ascii_uppercase).collect::<Vec<_>>().join(" ");
    match text.as_str() {
        "@YEARLY" | "@ANNUALLY" => "0 0 1 1 *".to_owned(),
        "@MONTHLY" => "0 0 1 * *".to_owned(),
        "@WEEKLY" => "0 0 * * 0".to_owned(),
        "@DAILY" | "@MIDNIGHT" => "0 0 * * *".to_owned(),
        "@HOURLY" => "0 * * * *".to_owned(),
        _ => text,
    }
}

/// Returns what is wrong if a field has a step that is longer than the field, which the parser accepts as the first value.
fn long_step(fields: &[&str]) -> Option<String> {
    const LENGTHS: [u32; 5] = [60, 24, 31, 12, 7];
    let parts = fields.iter().zip(LENGTHS).flat_map(|(field, length)| field.split(',').map(move |part| (part, length)));
    let steps = parts.filter_map(|(part, length)| Some((part.split_once('/')?.1.parse().ok()?, length)));
    let mut long = steps.filter(|(step, length)| step >= length);
    long.next().map(|(step, length): (u32, u32)| format!("the step {step} must be less than {length}"))
}

/// Returns `true` if any date matches. The calendar of the last 50 years of the search has each leap day of the week.
fn ever_fires(cron: &Cron) -> bool {
    cron.find_next_occurrence(&Civil(date(4_950, 1, 1).at(0, 0, 0, 0)), true).is_ok()
}

/// A local time, for a search without a time zone.
#[derive(Clone, Copy)]
struct Civil(DateTime);

impl CronDateTime for Civil {
    fn to_civil(&self) -> CivilDateTime {
        let number = |part: i8| u32::from(part.unsigned_abs());
        let (date, time) = (self.0.date(), self.0.time());
        CivilDateTime::from_ymd_hms_opt(
            i32::from(date.year()),
            number(date.month()),
            number(date.day()),
            number(time.hour()),
            number(time.minute()),
            number(time.second()),
        )
        .expect("jiff's dates and times are valid")
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.0.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |number: u32| i8::try_from(number).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let date = (part(civil.month())?, part(civil.day())?);
        let time = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        let local = DateTime::new(year, date.0, date.1, time.0, time.1, time.2, 0);
        local.map(|local| Resolution::Single(Self(local))).map_err(|_| CronError::InvalidDate)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl CronTimes {
    fn key(&self) -> (&str, &Zone) {
        (&self.expression, &self.zone)
    }
}

impl PartialEq for CronTimes {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for CronTimes {}

impl PartialOrd for CronTimes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CronTimes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for CronTimes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
