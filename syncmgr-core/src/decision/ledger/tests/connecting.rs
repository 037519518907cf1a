use super::*;
use crate::environment::{Connectivity, Link, LinkKind};

const DELAY: Duration = Duration::from_secs(10);

/// A ledger whose mail handler runs at connect, with the inbox in backoff.
fn delayed() -> RetryLedger {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]).with_connect_delay(DELAY);
    let _ = ledger.set_events(MAIL, RegisterFlags::CONNECT);
    ledger
}

fn on_link(name: &str) -> Environment {
    online().clone().with_link(Link::new(name, LinkKind::Wireless))
}

#[test]
fn a_connect_waits_until_the_network_has_been_up_for_the_delay() {
    let mut ledger = delayed();
    assert_eq!(ledger.environment_changed(offline(), online(), at(10)), [Effect::Wake]);
    assert_eq!(started(&ledger.tick(None, online(), at(10))), []);
    assert_eq!(ledger.next_deadline(), Some(at(20)));
    assert_eq!(started(&ledger.tick(None, online(), at(19))), []);
    let connected = started(&ledger.tick(None, online(), at(20)));
    assert_eq!((connected.len(), connected[0].trigger), (1, Trigger::Connect));
    assert_eq!(ledger.state_of(MAIL, INBOX), None, "its backoff has ended");
}

#[test]
fn a_break_of_the_network_begins_the_connect_delay_again() {
    let mut ledger = delayed();
    let _ = ledger.environment_changed(offline(), online(), at(10));
    let _ = ledger.environment_changed(online(), offline(), at(15));
    assert_eq!(started(&ledger.tick(None, offline(), at(20))), []);
    let _ = ledger.environment_changed(offline(), online(), at(21));
    assert_eq!(started(&ledger.tick(None, online(), at(30))), []);
    assert_eq!(started(&ledger.tick(None, online(), at(31))).len(), 1);
}

#[test]
fn another_link_begins_the_connect_delay_again() {
    let mut ledger = delayed();
    let _ = ledger.environment_changed(offline(), &on_link("café"), at(10));
    let _ = ledger.environment_changed(&on_link("café"), &on_link("home"), at(15));
    assert_eq!(started(&ledger.tick(None, &on_link("home"), at(20))), []);
    assert_eq!(started(&ledger.tick(None, &on_link("home"), at(25))).len(), 1);
    assert_eq!(ledger.environment_changed(&on_link("home"), &on_link("café"), at(30)), [], "it was connected before");
}

#[test]
fn an_item_that_fails_during_the_connect_delay_keeps_its_backoff() {
    let mut ledger = delayed();
    let _ = ledger.environment_changed(offline(), online(), at(10));
    let (after, _) = ledger.ended(&attempted(DRAFTS, failed(), 12));
    let _ = ledger.tick(None, online(), at(20));
    assert_eq!(ledger.state_of(MAIL, DRAFTS), after.as_ref());
}

#[test]
fn a_captive_portal_is_no_connection() {
    let mut ledger = delayed();
    let portal = online().clone().with_connectivity(Connectivity::Portal);
    assert_eq!(ledger.environment_changed(offline(), &portal, at(10)), []);
    assert_eq!(started(&ledger.tick(None, &portal, at(100))), []);
    let _ = ledger.environment_changed(&portal, online(), at(100));
    assert_eq!(started(&ledger.tick(None, online(), at(110))).len(), 1);
}

#[test]
fn a_network_that_is_back_within_the_interval_has_no_deadline_in_the_past() {
    let mut ledger = delayed().with_reconnect_interval(Duration::from_secs(60));
    let _ = ledger.environment_changed(offline(), online(), at(0));
    assert_eq!(started(&ledger.tick(None, online(), at(10))).len(), 1);
    let _ = ledger.environment_changed(online(), offline(), at(12));
    let _ = ledger.environment_changed(offline(), online(), at(15));
    for seconds in [15, 25, 30, 69] {
        let _ = ledger.tick(None, online(), at(seconds));
        assert_eq!(ledger.next_deadline(), Some(at(70)), "at {seconds}");
    }
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(started(&ledger.tick(None, online(), at(70))).len(), 1);
}
