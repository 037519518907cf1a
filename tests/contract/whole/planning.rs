//! Strategies that generate handler plans.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::plans::{Bounds, Completion, HandlerPlan, ItemPlan, Listing, ManualReport, ShowError, Style, Synchronize};
use super::steps::{RunStep, first_steps, item_steps, run_steps};

const MIN_SOFT_GRACE: u64 = 0;

pub(crate) fn plan() -> impl Strategy<Value = HandlerPlan> {
    let listed = (bounds(), listing(), prop_oneof![1 => vec(item(), 0..=6), 2 => vec(item(), 3..=6)], 0..8_u32);
    let begins = (rarely(10, first_steps()), prop::bool::weighted(0.03), rarely(2, run_steps()));
    let rest = (synchronize(), show_error(), style());
    (listed, begins, rest).prop_map(|((bounds, listing, items, events), begins, rest)| {
        let ((initialize, declines, prepare), (synchronize, show_error, style)) = (begins, rest);
        HandlerPlan { bounds, listing, items, events, initialize, declines, prepare, synchronize, show_error, style }
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let graces = (prop_oneof![Just(MIN_SOFT_GRACE), MIN_SOFT_GRACE..100], prop_oneof![Just(0_u64), 1..300_u64]);
    (1..5_usize, graces, prop::bool::weighted(0.2)).prop_map(|(items, (soft, hard), reports_stalls)| Bounds {
        items,
        soft,
        hard,
        reports_stalls,
    })
}

fn listing() -> impl Strategy<Value = Listing> {
    use Listing::*;
    let faulty = prop_oneof![Just(Incomplete), Just(WithInvalidItems), Just(Error), Just(Panic), Just(Hang)];
    prop_oneof![12 => Just(Complete), 1 => faulty]
}

fn item() -> impl Strategy<Value = ItemPlan> {
    let claims = prop_oneof![2 => Just(Vec::new()), 3 => prop::sample::subsequence(vec![0, 1, 2], 0..=3)];
    let flags = prop_oneof![4 => Just(0), 1 => Just(0x20), 1 => 0..0x40_u32];
    (claims, prop::bool::weighted(0.8), flags, item_steps()).prop_map(|(claims, checked, flags, steps)| ItemPlan {
        claims,
        checked,
        flags,
        steps,
    })
}

fn rarely(none: u32, steps: impl Strategy<Value = Vec<RunStep>>) -> impl Strategy<Value = Vec<RunStep>> {
    prop_oneof![none => Just(Vec::new()), 1 => steps]
}

fn synchronize() -> impl Strategy<Value = Synchronize> {
    let around = (run_steps(), run_steps()).prop_map(|(before, after)| Synchronize::Around(before, after));
    prop_oneof![
        6 => Just(Synchronize::EachItem),
        1 => Just(Synchronize::EachItemTwice),
        2 => Just(Synchronize::Each),
        2 => vec(manual_report(), 1..=6).prop_map(Synchronize::ManualReports),
        1 => around,
    ]
}

fn manual_report() -> impl Strategy<Value = ManualReport> {
    use ManualReport::*;
    let unusual = prop_oneof![Just(Nothing), Just(Begins), Just(Fails), Just(EndsTwice), Just(NamesAnother)];
    prop_oneof![(0..300_u16).prop_map(Succeeds), unusual]
}

fn show_error() -> impl Strategy<Value = ShowError> {
    use ShowError::*;
    let unusual = prop_oneof![(0..200_u16).prop_map(Ask), Just(Fail), Just(Panic), Just(Hang)];
    prop_oneof![1 => Just(Done), 4 => any::<u8>().prop_map(Retry), 2 => unusual]
}

fn style() -> impl Strategy<Value = Style> {
    let classic = (completion(), completion(), completion())
        .prop_map(|(prepare, synchronize, show_error)| Style::Classic { prepare, synchronize, show_error });
    option::weighted(0.2, classic).prop_map(|classic| classic.unwrap_or(Style::Async))
}

fn completion() -> impl Strategy<Value = Completion> {
    use Completion::*;
    let unusual = prop_oneof![(0..300_u16).prop_map(Twice), Just(Never), Just(Refused), Just(Failing)];
    prop_oneof![2 => Just(Immediately), 3 => (0..300_u16).prop_map(Later), 2 => unusual]
}
