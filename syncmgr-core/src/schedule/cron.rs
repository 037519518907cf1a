//! A cron expression in a time zone.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, ToSpan};

use super::ScheduleError;
use super::fields::Fields;
use super::zone::Zone;

/// A cron expression in a time zone. Two are equal if their texts are equal.
#[derive(Clone, Debug)]
pub(super) struct CronTimes {
    expression: Box<str>,
    zone: Zone,
    fields: Fields,
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
        let texts: Vec<_> = text.split(' ').collect();
        if texts.len() != 5 {
            return Err(refused(&FIVE_FIELDS));
        }
        long_step(&texts).map_or(Ok(()), |reason| Err(refused(&reason)))?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&text).map_err(|error| refused(&error))?;
        let fields = Fields::new(&cron.pattern);
        if !fields.match_a_date() {
            return Err(ScheduleError::NeverFires { expression: text });
        }
        Ok(Self { expression: text.into(), zone, fields })
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first firing later than `time`.
    pub(super) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self.kind() {
            Kind::Fixed => self.fixed_after(time),
            Kind::Pattern => self.pattern_after(time),
        }
    }

    fn kind(&self) -> Kind {
        let mut minute_and_hour = self.expression.split(' ').take(2);
        if minute_and_hour.any(|field| field.contains('*')) { Kind::Pattern } else { Kind::Fixed }
    }

    fn fixed_after(&self, time: Timestamp) -> Option<Timestamp> {
        let mut local = self.zone.local(time);
        loop {
            local = self.fields.after(local)?;
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
            let found = self.fields.after(local).and_then(|found| self.zone.instant_as_at(time, found));
            match (found, change) {
                (Some(found), Some(change)) if found >= change => {}
                (Some(found), _) => return Some(found),
                (None, _) => return None,
            }
            time = change?;
            local = self.zone.local(time).checked_sub(1.nanosecond()).ok()?;
        }
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
