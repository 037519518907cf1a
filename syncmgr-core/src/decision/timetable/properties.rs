//! Properties of the timetable.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::schedule::Missed;

const MAIL: HandlerId = HandlerId::from_u128(1);

const ZONES: [&str; 3] = ["UTC", "America/New_York", "Australia/Lord_Howe"];
const EXPRESSIONS: [&str; 6] =
    ["* * * * *", "30 2 * * *", "*/15 1,2 * * *", "0 0 29 2 *", "7 */5 * * MON-FRI", "0 12 13 * 5"];

fn schedules() -> impl Strategy<Value = Schedule> {
    let cron = (proptest::sample::select(&EXPRESSIONS[..]), proptest::sample::select(&ZONES[..]))
        .prop_map(|(expression, zone)| Schedule::cron(expression, zone).unwrap());
    let every = (1..10_000_000_u64).prop_map(|millis| Schedule::every(Duration::from_millis(millis)).unwrap());
    let once =
        (-500_000..2_000_000_i64).prop_map(|seconds| Schedule::once(from_millis(START + seconds * 1_000)).unwrap());
    let lengths = || prop_oneof![2 => Just(0), 1 => 0..7_200_000_u64].prop_map(Duration::from_millis);
    let missed = prop_oneof![Just(Missed::RunOnce), Just(Missed::Skip)];
    (prop_oneof![4 => cron, 4 => every, 1 => once], lengths(), lengths(), missed)
        .prop_map(|(schedule, jitter, gap, missed)| schedule.with_jitter(jitter).with_min_gap(gap).with_missed(missed))
}

/// The day before the change of the clock in New York in the spring of 2026.
const START: i64 = 1_772_900_000_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Until the next firing, and late by milliseconds.
    Next(i64),
    /// By milliseconds.
    By(i64),
}

fn forward() -> impl Strategy<Value = Step> {
    let late = prop_oneof![3 => Just(0), 1 => 0..120_000_i64];
    let by = prop_oneof![4 => 0..600_000_i64, 2 => 0..90_000_000_i64, 1 => 0..2_000_000_000_i64];
    prop_oneof![3 => late.prop_map(Step::Next), 1 => by.prop_map(Step::By)]
}

fn any_step() -> impl Strategy<Value = Step> {
    let back = prop_oneof![0..120_000_i64, 0..90_000_000_i64, 0..2_000_000_000_i64];
    prop_oneof![4 => forward(), 1 => back.prop_map(|millis| Step::By(-millis))]
}

fn steps<S: Strategy<Value = Step>>(step: S) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step, 1..40)
}

fn perform(timetable: &Timetable, clock: &mut i64, step: Step) -> SystemTime {
    *clock = match step {
        Step::Next(late) => timetable.next().map_or(*clock, |next| to_millis(next).max(*clock)) + late,
        Step::By(millis) => *clock + millis,
    };
    from_millis(*clock)
}

fn set(schedules: &[Schedule], stored: &BTreeMap<Schedule, LastFiring>, now: SystemTime) -> Timetable {
    let mut timetable = Timetable::new(7);
    timetable.set(MAIL, schedules.iter().cloned(), stored, now);
    timetable
}

fn store(timetable: &mut Timetable, stored: &mut BTreeMap<Schedule, LastFiring>) {
    stored.extend(timetable.take_unstored().into_iter().map(|record| (record.schedule, record.last.unwrap())));
}

proptest! {
    #[test]
    fn the_next_firing_is_later_than_now_whatever_the_clock_does(
        schedules in proptest::collection::vec(schedules(), 1..4), steps in steps(any_step())
    ) {
        let mut clock = START;
        let mut timetable = set(&schedules, &BTreeMap::new(), from_millis(clock));
        for step in steps {
            let now = perform(&timetable, &mut clock, step);
            let _ = timetable.fire(now);
            prop_assert!(timetable.next().is_none_or(|next| next > now));
            prop_assert!(timetable.agenda().map(|(due, ..)| due).is_sorted());
            let dues = timetable.agenda().map(|(due, handler, schedule)| timetable.next_of(handler, schedule) == Some(due));
            prop_assert!(dues.into_iter().all(|same| same));
            prop_assert_eq!(timetable.fire(now), []);
        }
    }

    #[test]
    fn the_firings_of_a_schedule_increase_and_keep_its_minimum_gap(schedule in schedules(), steps in steps(forward())) {
        let (mut clock, mut last, mut started) = (START, None, None);
        let mut timetable = set(std::slice::from_ref(&schedule), &BTreeMap::new(), from_millis(clock));
        for step in steps {
            let now = perform(&timetable, &mut clock, step);
            for firing in timetable.fire(now) {
                prop_assert!(firing.last.time <= now && last.is_none_or(|last| last < firing.last.time));
                last = Some(firing.last.time);
                if firing.kind != FiringKind::Skipped {
                    let gap = Duration::from_millis(schedule.min_gap_millis());
                    prop_assert!(started.is_none_or(|started: SystemTime| now >= started + gap));
                    started = Some(now);
                }
            }
        }
    }

    #[test]
    fn the_missed_firings_are_those_since_the_last(schedule in schedules(), steps in steps(forward())) {
        let mut clock = START;
        let mut timetable = set(std::slice::from_ref(&schedule), &BTreeMap::new(), from_millis(clock));
        for step in steps {
            let before = timetable.last_of(MAIL, &schedule).map_or(i64::MIN, |last| to_millis(last.time));
            let now = perform(&timetable, &mut clock, step);
            for firing in timetable.fire(now) {
                let times = std::iter::successors(schedule.after(before), |time| schedule.after(*time));
                let position = times.take(1_001).position(|time| time == to_millis(firing.last.time));
                let many = firing.missed >= 1_000;
                prop_assert!(many || position == Some(firing.missed as usize), "{firing:?} {position:?}");
            }
        }
    }

    #[test]
    fn a_timetable_that_restarts_at_each_step_decides_the_same(
        schedules in proptest::collection::vec(schedules(), 1..4), steps in steps(any_step())
    ) {
        let (mut clock, mut stored) = (START, BTreeMap::new());
        let mut steady = set(&schedules, &stored, from_millis(clock));
        let mut restarted = set(&schedules, &stored, from_millis(clock));
        for step in steps {
            store(&mut restarted, &mut stored);
            let now = perform(&steady, &mut clock, step);
            restarted = set(&schedules, &stored, now);
            let firings = restarted.fire(now);
            stored.extend(firings.iter().map(|firing| (firing.schedule.clone(), firing.last)));
            prop_assert_eq!(firings, steady.fire(now));
            prop_assert_eq!(restarted.next(), steady.next());
        }
    }
}
