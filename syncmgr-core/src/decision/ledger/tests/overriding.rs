use super::*;
use crate::decision::listing::Listing;
use crate::decision::needs::Needs;
use crate::environment::Power;
use crate::info::HandlerInfo;
use crate::item::{Completeness, SyncItem};
use crate::overrides::{OverrideKind, Overrides, Settings, StoredOverrides, read_stored};
use crate::schedule::Schedule;

fn every(seconds: u64) -> Schedule {
    Schedule::every(Duration::from_secs(seconds)).unwrap()
}

fn set<const COUNT: usize>(values: [(OverrideKind, &str); COUNT]) -> Overrides {
    values.into_iter().map(|(kind, text)| kind.parse(text).unwrap()).collect()
}

/// A listing of the item `own`, which runs every minute, and the item `shared`, which has no schedule.
fn listed(of_own: &Overrides) -> Listing {
    let items = [SyncItem::named("own").with_schedule(every(60)), SyncItem::named("shared")];
    let (listing, _) = Listing::check(items.into_iter().collect());
    listing.with_overrides(&BTreeMap::from([(Subject::Item(ItemId::from_name("own")), of_own.clone())]))
}

/// The names of the items that run when these schedules fire, in a handler that runs every hour.
fn fire(listing: &Listing, schedules: &[Schedule]) -> Vec<String> {
    let fired = schedules.iter().cloned().collect();
    let items = listing.select_scheduled(&fired, Some(&every(3600)), &BTreeSet::new(), |_| true);
    items.iter().map(|item| item.name().to_owned()).collect()
}

#[test]
fn a_schedule_that_is_set_replaces_the_declared_one_of_its_handler_or_item() {
    let mail = HandlerInfo::new(MAIL, "Mail").with_schedule(every(60));
    let settings = Settings::from(&mail).with(&set([(OverrideKind::Schedule, "every 5m")]));
    assert_eq!(mail.with_settings(settings).schedule(), Some(&every(300)));
    let listing = listed(&set([(OverrideKind::Schedule, "every 5m")]));
    assert_eq!(fire(&listing, &[every(60)]), [""; 0]);
    assert_eq!(fire(&listing, &[every(300)]), ["own"]);
    assert_eq!(fire(&listing, &[every(3600)]), ["shared"]);
}

#[test]
fn an_item_that_is_set_to_never_does_not_follow_its_handler() {
    let listing = listed(&set([(OverrideKind::Schedule, "never")]));
    assert!(listing.schedules().is_empty());
    assert_eq!(fire(&listing, &[every(60), every(3600)]), ["shared"]);
    let mut ledger = ledger();
    let effects = ledger.set_own_schedule(MAIL, Some(Schedule::NEVER), |_| false, at(0));
    assert_eq!((effects, ledger.own_schedule(MAIL)), (vec![], None));
}

#[test]
fn a_schedule_that_is_set_begins_anew() {
    let mut ledger = ledger();
    let _ = ledger.set_own_schedule(MAIL, Some(every(60)), |_| false, at(0));
    let _ = ledger.set_own_schedule(MAIL, Some(every(120)), |_| false, at(50));
    assert_eq!(ledger.next_by_clock(), Some(at(170)));
    let _ = ledger.set_own_schedule(MAIL, Some(every(60)), |_| false, at(100));
    assert_eq!(ledger.next_by_clock(), Some(at(160)));
}

#[test]
fn a_new_listing_changes_nothing_that_is_set() {
    let mut ledger = ledger();
    let of_own = set([(OverrideKind::Schedule, "every 5m")]);
    for now in [0, 100] {
        let listing = listed(&of_own);
        let schedules = (listing.schedules(), Completeness::Complete);
        let _ = ledger.set_listed_schedules((MAIL, Generation::FIRST), schedules, None, at(now));
        assert_eq!(ledger.next_by_clock(), Some(at(300)));
    }
    assert_eq!(listed(&Overrides::NONE).schedules(), BTreeSet::from([every(60)]));
}

#[test]
fn a_schedule_that_is_replaced_before_the_first_listing_no_longer_fires() {
    let mut ledger = ledger();
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every(60), every(90)], &BTreeMap::new(), at(0));
    let schedules = (BTreeSet::from([every(300)]), Completeness::MissingItems);
    let _ = ledger.set_listed_schedules((MAIL, Generation::FIRST), schedules, Some(&every(60)), at(0));
    assert_eq!(ledger.schedules_of(MAIL), BTreeSet::from([every(90), every(300)]));
}

#[test]
fn requirements_that_are_set_replace_the_declared_ones() {
    let photos = SyncItem::named("photos").requires(Requirement::Mains).requires(Requirement::Internet);
    let settings = Settings::from(&photos).with(&set([(OverrideKind::Requirements, "idle-user")]));
    assert_eq!(settings.requirements, Requirements::NONE.with(Requirement::IdleUser));
}

#[test]
fn a_window_that_is_set_replaces_all_declared_ones() {
    let [day, noon] = ["08:00-18:00 in UTC", "12:00-13:00 in UTC"].map(|text| text.parse().unwrap());
    let photos = SyncItem::named("photos").within(day).within(noon);
    let settings = Settings::from(&photos).with(&set([(OverrideKind::Window, "22:00-06:00 in UTC")]));
    assert_eq!(settings.requirements, Requirements::NONE.within("22:00-06:00 in UTC".parse().unwrap()));
    assert!(Settings::from(&photos).with(&set([(OverrideKind::Window, "always")])).requirements.is_empty());
}

/// A ledger in which the inbox waits for mains power.
fn waiting(battery: &Environment) -> RetryLedger {
    let mut ledger = ledger();
    let run = HeldRun::new(request(MAIL).with_items([INBOX]), (RequestedBy::Automatic, StartReason::Requested));
    let run = run.with_requirements(Requirements::NONE.with(Requirement::Mains));
    assert!(ledger.check_requirements((INBOX, RequestedBy::Automatic), run, battery, at(0)).0.is_some());
    let _ = ledger.tick(None, battery, at(0));
    ledger
}

#[test]
fn an_item_that_waits_for_a_requirement_waits_for_the_ones_that_are_set() {
    let battery = online().clone().with_power(Power::Battery).with_network(Network::Metered);
    let needs = || Needs::from(NEEDS_NETWORK);
    let mut ledger = waiting(&battery);
    let version = ledger.agenda_version();
    let unmetered = Requirements::NONE.with(Requirement::UnmeteredNetwork);
    assert_eq!(ledger.set_needs(MAIL, needs(), |_| Some(unmetered.clone()), at(1)), [Effect::Wake]);
    assert!(ledger.agenda_version() > version);
    assert_eq!(started(&ledger.tick(None, &battery, at(2))), []);
    assert_eq!(ledger.agenda(&battery, at(2))[0].hold, Some(Hold::Metered));
    let _ = ledger.set_needs(MAIL, needs(), |_| Some(Requirements::NONE), at(3));
    assert_eq!(started(&ledger.tick(None, &battery.with_network(Network::Online), at(4))).len(), 1);
    assert!(!ledger.has_pending());
}

#[test]
fn an_item_whose_requirements_are_not_known_waits_for_the_same() {
    let battery = online().clone().with_power(Power::Battery);
    let mut ledger = waiting(&battery);
    let _ = ledger.set_needs(MAIL, NEEDS_NETWORK.into(), |_| None, at(1));
    assert_eq!(started(&ledger.tick(None, &battery, at(2))), []);
    assert_eq!(ledger.agenda(&battery, at(2))[0].hold, Some(Hold::OnBattery));
}

#[test]
fn a_handler_that_waits_for_a_requirement_waits_for_the_ones_that_are_set() {
    let (battery, mut ledger) = (online().clone().with_power(Power::Battery), ledger());
    let mains = Needs { requirements: Requirements::NONE.with(Requirement::Mains), ..NEEDS_NETWORK.into() };
    let _ = ledger.set_needs(MAIL, mains, |_| Some(Requirements::NONE), at(0));
    let _ = ledger.set_own_schedule(MAIL, Some(every(60)), |_| false, at(0));
    assert_eq!(started(&ledger.tick(None, &battery, at(60))), []);
    assert_eq!(ledger.agenda(&battery, at(60))[0].hold, Some(Hold::OnBattery));
    let _ = ledger.set_needs(MAIL, NEEDS_NETWORK.into(), |_| Some(Requirements::NONE), at(61));
    assert_eq!(started(&ledger.tick(None, &battery, at(62))).len(), 1);
}

#[test]
fn a_stored_value_that_cannot_be_read_does_not_apply_and_is_logged() {
    let subject = Subject::Item(ItemId::from_name("own"));
    let stored = StoredOverrides::from([((subject, OverrideKind::Schedule), "cron 0 1 * * * in Mars/Base".into())]);
    let (read, entries) = read_stored(&stored);
    assert!(read.is_empty());
    assert_eq!(entries.iter().map(|entry| entry.item).collect::<Vec<_>>(), [subject.item()]);
}
