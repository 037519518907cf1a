//! Ten years of schedules in eight zones, with sleep, restarts and steps of the clock, against an independent enumeration.

#![allow(clippy::unwrap_used, reason = "a test")]

mod expected;
mod local;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use syncmgr_core::decision::timetable::{Firing, FiringKind, LastFiring, Timetable};
use syncmgr_core::id::HandlerId;
use syncmgr_core::schedule::{Missed, Schedule};

use self::expected::{Books, DAY, MINUTE, kinds};
use self::local::Zone;

const MAIL: HandlerId = HandlerId::from_u128(1);
/// 2008-01-01 and 2018-07-01: four leap days less one, and the changes of the zones below.
const START: i64 = 1_199_145_600_000;
const END: i64 = 1_530_403_200_000;

/// The zones, each with what is special about it in these years.
const ZONES: [(&str, &str); 8] = [
    ("America/New_York", "both changes each year"),
    ("Europe/Berlin", "both changes each year, at another hour"),
    ("Australia/Lord_Howe", "changes of half an hour"),
    ("America/Santiago", "changes at midnight, at dates that moved"),
    ("America/Caracas", "half an hour forward in 2016"),
    ("Asia/Pyongyang", "half an hour back in 2015 and forward in 2018"),
    ("Europe/Istanbul", "summer time for good since 2016"),
    ("Pacific/Apia", "no 30th of December 2011"),
];

fn system(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
}

/// A machine whose clock steps, and the schedules that it runs.
struct Machine {
    timetable: Timetable,
    schedules: Vec<Schedule>,
    stored: BTreeMap<Schedule, LastFiring>,
    books: Books,
    clock: i64,
    random: Rng,
}

impl Machine {
    fn new(zone: &Zone, seed: u64) -> Self {
        let missed = |index: usize| if index.is_multiple_of(2) { Missed::RunOnce } else { Missed::Skip };
        let crons = kinds().into_iter().map(|kind| Schedule::cron(kind.expression, zone.name).unwrap());
        let schedules = crons.chain([Schedule::every(expected::INTERVAL).unwrap()]).enumerate();
        let schedules: Vec<_> = schedules.map(|(index, schedule)| schedule.with_missed(missed(index))).collect();
        let books = Books::new(zone, START - 60 * DAY, END + 10 * DAY, START);
        let (stored, random) = (BTreeMap::new(), Rng::with_seed(seed));
        let mut machine = Self { timetable: Timetable::new(seed), schedules, stored, books, clock: START, random };
        machine.restart();
        machine
    }

    fn restart(&mut self) {
        self.timetable = Timetable::new(self.random.u64(..));
        self.timetable.set(MAIL, self.schedules.clone(), &self.stored, system(self.clock));
        self.store();
    }

    fn store(&mut self) {
        for record in self.timetable.take_unstored() {
            self.stored.insert(record.schedule, record.last.unwrap());
        }
    }

    fn run(&mut self) {
        while self.clock < END {
            self.books.clock_is(self.clock);
            assert_eq!(self.timetable.next(), self.books.next().map(system));
            self.pass_time();
            self.fire();
        }
    }

    /// Sleeps until the next firing, or longer; or steps the clock; or restarts.
    fn pass_time(&mut self) {
        let next = self.books.next().unwrap_or(END).max(self.clock);
        match self.random.u32(..1_000) {
            0..10 => self.clock += self.random.i64(0..3 * DAY),
            10..20 => self.step_back(MINUTE),
            20..24 => self.step_back(23 * 60 * MINUTE),
            24 => self.step_back(20 * DAY),
            25..28 => {
                self.clock += self.random.i64(0..DAY);
                self.books.clock_is(self.clock);
                self.restart();
            }
            28..100 => self.clock = next + self.random.i64(0..2 * MINUTE),
            100..150 => self.clock = self.clock.max(next - self.random.i64(0..MINUTE)),
            _ => self.clock = next,
        }
    }

    fn step_back(&mut self, most: i64) {
        self.clock = (self.clock - self.random.i64(0..most)).max(START - 30 * DAY);
        self.books.clock_is(self.clock);
    }

    fn fire(&mut self) {
        let firings = self.timetable.fire(system(self.clock));
        self.store();
        self.stored.extend(firings.iter().map(|firing| (firing.schedule.clone(), firing.last)));
        let mut fired: Vec<_> = firings.iter().map(|firing| self.plain(firing)).collect();
        fired.sort_unstable();
        assert_eq!(fired, self.books.fire(self.clock), "at {}", self.clock);
    }

    /// Returns the index of the schedule, the time, the missed firings and the kind of a firing.
    fn plain(&self, firing: &Firing) -> expected::Fired {
        let index = self.schedules.iter().position(|schedule| *schedule == firing.schedule).unwrap();
        let time = firing.last.time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let late = firing.kind != FiringKind::OnTime;
        let skips = self.schedules[index].missed() == Missed::Skip;
        assert_eq!(firing.kind == FiringKind::Skipped, late && skips);
        (index, i64::try_from(time).unwrap(), firing.missed, late)
    }
}

#[test]
fn no_firing_is_lost_or_doubled_in_ten_years_in_eight_zones() {
    std::thread::scope(|scope| {
        for (seed, (name, special)) in (0..).zip(ZONES) {
            scope.spawn(move || {
                let mut machine = Machine::new(&Zone::new(name), seed);
                machine.run();
                machine.books.assert_used(name, special);
            });
        }
    });
}
