use super::*;
use crate::local_change::{LocalChange, Settle};

/// Returns a ledger in which these items of [`MAIL`] have changed at second 0. They are due at second 1.
fn changed(states: &[(ItemId, RetryState)], items: &[ItemId]) -> RetryLedger {
    let mut ledger = with(states);
    ledger.set_settle(MAIL, Settle::DEFAULT.with_quiet(Duration::from_secs(1)));
    items.iter().for_each(|item| _ = ledger.local_change(MAIL, LocalChange::Item(*item), at(0)));
    ledger
}

fn tick(ledger: &mut RetryLedger, seconds: u64) -> Vec<Effect> {
    ledger.tick(None, &Environment::UNKNOWN, at(seconds))
}

fn select(ledger: &mut RetryLedger, item: ItemId, seconds: u64) -> Option<Hold> {
    ledger.select(MAIL, item, &[], RequestedBy::Automatic, at(seconds)).0
}

fn starts(item: &[ItemId]) -> [Effect; 1] {
    [start(StartReason::LocalChange, items(MAIL, item))]
}

#[test]
fn a_changed_item_is_started_once_the_handler_was_quiet() {
    let mut ledger = changed(&[], &[INBOX]);
    assert_eq!(ledger.next_deadline(), Some(at(1)));
    assert_eq!(tick(&mut ledger, 0), []);
    assert_eq!(tick(&mut ledger, 1), starts(&[INBOX]));
    assert_eq!((tick(&mut ledger, 9), ledger.next_deadline()), (vec![], None));
}

#[test]
fn only_the_first_change_wakes_the_scheduler() {
    let mut ledger = with(&[]);
    let change = LocalChange::Item(INBOX);
    assert_eq!(ledger.local_change(MAIL, change, at(5)), Some(Effect::Wake));
    assert_eq!(ledger.local_change(MAIL, change, at(6)), None);
    assert_eq!(ledger.local_change(MAIL, change, at(1)), Some(Effect::Wake), "the clock was set back");
    assert_eq!(ledger.local_change(HandlerId::from_u128(9), change, at(5)), None, "the handler is not registered");
}

#[test]
fn a_change_during_an_automatic_run_starts_another_run_after_it() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = tick(&mut ledger, 1);
    assert_eq!(select(&mut ledger, INBOX, 1), None);
    let _ = ledger.local_change(MAIL, LocalChange::Item(INBOX), at(2));
    assert_eq!((tick(&mut ledger, 5), ledger.next_deadline()), (vec![], None));
    let _ = ledger.ended(&attempted(INBOX, Verdict::plain(Outcome::Succeeded), 6));
    assert_eq!(ledger.automatic_run_ended(MAIL), [Effect::Wake]);
    assert_eq!(tick(&mut ledger, 6), starts(&[INBOX]));
}

#[test]
fn a_requested_run_that_selects_a_changed_item_covers_the_change() {
    let mut ledger = changed(&[], &[INBOX, DRAFTS]);
    assert_eq!(select(&mut ledger, INBOX, 0), None);
    assert_eq!(tick(&mut ledger, 1), starts(&[DRAFTS]));
}

#[test]
fn a_change_waits_for_the_backoff_of_its_item() {
    let mut ledger = changed(&[(INBOX, backoff(0, 30))], &[INBOX]);
    assert_eq!(tick(&mut ledger, 1), []);
    assert_eq!(tick(&mut ledger, 30), [start(StartReason::Retry, items(MAIL, &[INBOX]))]);
    assert_eq!(select(&mut ledger, INBOX, 30), None);
    let _ = ledger.ended(&attempted(INBOX, Verdict::plain(Outcome::Succeeded), 31));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(tick(&mut ledger, 60), [], "the retry has looked at the change");
}

#[test]
fn a_change_during_the_forced_run_of_an_item_that_backs_off_is_not_lost() {
    let mut ledger = changed(&[(INBOX, backoff(0, 600))], &[]);
    let _ = ledger.select(MAIL, INBOX, &[], RequestedBy::User, at(1));
    let _ = ledger.local_change(MAIL, LocalChange::Item(INBOX), at(2));
    assert_eq!(tick(&mut ledger, 3), [], "the item still backs off");
    let (_, effects) = ledger.ended(&attempted(INBOX, Verdict::plain(Outcome::Succeeded), 4));
    assert!(effects.contains(&Effect::Wake), "{effects:?}");
    assert_eq!(tick(&mut ledger, 4), starts(&[INBOX]));
}

#[test]
fn a_change_of_a_disabled_item_waits_until_it_is_enabled() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), "large".into());
    assert_eq!(tick(&mut ledger, 1), []);
    let effects = ledger.enable(MAIL, Subject::Item(INBOX), at(5));
    assert!(effects.contains(&Effect::Wake), "{effects:?}");
    assert_eq!(tick(&mut ledger, 5), starts(&[INBOX]));
}

#[test]
fn a_change_of_a_disabled_handler_waits_until_it_is_enabled() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = ledger.disable(MAIL, Subject::Handler, "away".into());
    assert_eq!((tick(&mut ledger, 1), ledger.next_deadline()), (vec![], None));
    let effects = ledger.enable(MAIL, Subject::Handler, at(5));
    assert!(effects.contains(&Effect::Wake), "{effects:?}");
    assert_eq!(tick(&mut ledger, 5), starts(&[INBOX]));
}

#[test]
fn changes_wait_for_the_environment_without_a_deadline() {
    let mut ledger = changed(&[], &[INBOX]);
    assert_eq!(ledger.tick(None, offline(), at(1)), []);
    assert_eq!((ledger.next_deadline(), ledger.has_pending()), (None, true));
    assert_eq!(ledger.tick(None, online(), at(2)), starts(&[INBOX]));
}

#[test]
fn changes_of_a_run_that_the_environment_holds_start_once_it_allows_them() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = ledger.tick(None, online(), at(1));
    let origin = (RequestedBy::Automatic, StartReason::LocalChange);
    let (hold, effects) = ledger.begin(request(MAIL), origin, NEEDS_NETWORK, offline(), at(1));
    assert_eq!((hold, effects), (Some(Hold::Offline), vec![Effect::Wake]));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!((ledger.tick(None, offline(), at(2)), ledger.next_deadline()), (vec![], None));
    assert_eq!(ledger.tick(None, online(), at(3)), starts(&[INBOX]));
}

#[test]
fn changes_wait_while_their_handler_cannot_begin() {
    let mut ledger = changed(&[(HANDLER_ITSELF, backoff(0, 60))], &[INBOX]);
    assert_eq!((tick(&mut ledger, 1), ledger.next_deadline()), (vec![], Some(at(60))));
}

#[test]
fn changes_that_a_run_did_not_select_start_again_after_a_wait() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = tick(&mut ledger, 1);
    let _ = ledger.postpone_changes(MAIL, &POLICY, at(2));
    let _ = ledger.automatic_run_ended(MAIL);
    let due = at(2) + POLICY.cap;
    assert_eq!(ledger.next_deadline(), Some(due));
    assert_eq!(ledger.tick(None, &Environment::UNKNOWN, due), starts(&[INBOX]));
}

#[test]
fn a_changed_item_that_was_stopped_runs_again_after_a_wait() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = tick(&mut ledger, 1);
    assert_eq!(select(&mut ledger, INBOX, 1), None);
    let _ = ledger.ended(&attempted(INBOX, Verdict::plain(Outcome::Stopped), 2));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.next_deadline(), Some(at(2) + POLICY.cap));
}

#[test]
fn an_unknown_change_starts_all_preferred_items() {
    let mut ledger = changed(&[], &[INBOX]);
    let _ = ledger.local_change(MAIL, LocalChange::Unknown, at(0));
    assert_eq!(tick(&mut ledger, 1), [start(StartReason::LocalChange, Targets::Handlers([MAIL].into()))]);
    assert!(ledger.wants_full_look(MAIL));
    ledger.looks_at(MAIL, [INBOX]);
    assert!(!ledger.wants_full_look(MAIL));
}

#[test]
fn an_ignored_or_covered_change_starts_nothing() {
    let mut ledger = changed(&[], &[INBOX, DRAFTS]);
    let _ = tick(&mut ledger, 1);
    ledger.ignore_changes(MAIL, [INBOX]);
    ledger.change_covered(MAIL, DRAFTS);
    assert!(ledger.is_clean(MAIL));
}

#[test]
fn a_change_is_forgotten_with_its_item_and_its_handler() {
    let mut ledger = changed(&[], &[INBOX, DRAFTS]);
    let _ = ledger.forget_item(MAIL, INBOX);
    ledger.forget_absent(MAIL, DRAFTS).clear();
    assert!(ledger.is_clean(MAIL));
    let mut ledger = changed(&[], &[INBOX]);
    ledger.unregister(MAIL);
    assert_eq!((tick(&mut ledger, 1), ledger.has_pending()), (vec![], false));
}

#[test]
fn the_time_of_a_changed_item_is_its_next_run() {
    let ledger = changed(&[], &[INBOX]);
    let due = |item: Option<ItemId>| {
        let mut known = Known::of(MAIL);
        known.item = item;
        ledger.describe(&mut known, (&[], &Requirements::NONE), &Environment::UNKNOWN, at(0));
        known.due
    };
    assert_eq!([due(None), due(Some(INBOX)), due(Some(DRAFTS))], [Some(at(1)), Some(at(1)), None]);
}
