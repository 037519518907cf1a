//! The choice of items: R43, R44, R56, R57, R60.

use std::collections::BTreeSet;

use async_trait::async_trait;
use syncmgr::choice::{Chooser, Chosen, Offer, Visibility};
use syncmgr::handler::HandlerFlags;
use syncmgr::item::{ItemFlags, ItemState};
use syncmgr::{HandlerId, HandlerInfo, Items, RunEnding, SyncItem, SyncManager, Trigger};
use syncmgr_test::Transcript;

use crate::support::awaitable_host::within;
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id};

/// A chooser that picks the items with these names and notes the shown offers. `+` marks preselected items.
#[derive(Clone)]
pub(crate) struct Picker {
    names: Vec<&'static str>,
    transcript: Transcript,
}

impl Picker {
    pub(crate) fn these(names: &[&'static str], transcript: &Transcript) -> Self {
        Self { names: names.to_vec(), transcript: transcript.clone() }
    }

    fn picked(&self, offer: &Offer) -> BTreeSet<syncmgr::ItemId> {
        let wanted = |item: &&syncmgr::choice::OfferedItem| self.names.contains(&&*item.name);
        offer.items.iter().filter(wanted).map(|item| item.item).collect()
    }
}

#[async_trait]
impl Chooser for Picker {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        for offer in offers.iter().filter(|offer| offer.visibility == Visibility::Shown) {
            self.transcript.note(format!("offer {}:{}", offer.name, shown(offer)));
        }
        Some(offers.iter().map(|offer| (offer.handler, self.picked(offer))).collect())
    }
}

/// Returns the shown items of an offer. `+` marks preselected items.
fn shown(offer: &Offer) -> String {
    let listed = offer.items.iter().filter(|item| item.visibility == Visibility::Shown);
    let line = listed.map(|item| {
        let sign = if item.state == ItemState::Checked { '+' } else { '-' };
        format!(" {sign}{}", item.name)
    });
    line.collect()
}

/// Returns a manager with a handler and a chooser.
pub(crate) fn manager_with_chooser(handler: &Scripted, chooser: &Picker) -> SyncManager {
    let manager = SyncManager::builder().chooser(chooser.clone()).build();
    manager.register(handler.clone()).expect("the handler can be registered");
    manager
}

/// Runs a session that lets the user choose.
pub(crate) async fn run_attended(manager: &SyncManager) {
    within(manager.update_all().expect("inside a runtime").finish()).await;
}

/// Runs a session that does not let the user choose.
pub(crate) async fn run_unattended(manager: &SyncManager) {
    within(manager.session(Trigger::Scheduled).start().expect("inside a runtime").finish()).await;
}

fn items_with(names: &[(&'static str, ItemFlags, ItemState)]) -> Items {
    names.iter().map(|(name, flags, state)| SyncItem::named(*name).with_flags(*flags).with_state(*state)).collect()
}

const PLAIN: ItemFlags = ItemFlags::empty();
const ON: ItemState = ItemState::Checked;
const OFF: ItemState = ItemState::Unchecked;

/// Returns the offers shown for a handler with items and for a handler with these flags but without items.
async fn offers_with(flags: HandlerFlags) -> Vec<String> {
    let offers = Transcript::new();
    let manager = manager_with_chooser(&Scripted::new(&["a"]), &Picker::these(&[], &offers));
    let empty = HandlerInfo::new(HandlerId::from_u128(u128::MAX), "Empty").with_flags(flags);
    manager.register(Scripted::new(&[]).info(|_| empty)).expect("the handler can be registered");
    run_attended(&manager).await;
    offers.lines()
}

#[tokio::test(start_paused = true)]
async fn r043_an_always_listed_handler_without_items_is_offered() {
    assert_eq!(offers_with(HandlerFlags::ALWAYS_LIST).await, ["offer Scripted: +a", "offer Empty:"]);
}

#[tokio::test(start_paused = true)]
async fn r044_a_handler_without_items_is_offered_only_with_always_list() {
    let every_other = HandlerFlags::all() - HandlerFlags::ALWAYS_LIST - HandlerFlags::HIDDEN;
    for flags in [HandlerFlags::empty(), every_other] {
        assert_eq!(offers_with(flags).await, ["offer Scripted: +a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hidden_handler_is_not_offered_but_runs() {
    let offers = Transcript::new();
    let hidden = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HIDDEN | HandlerFlags::ALWAYS_LIST));
    run_attended(&manager_with_chooser(&hidden, &Picker::these(&[], &offers))).await;
    assert_eq!(offers.lines(), [""; 0]);
    assert_eq!(hidden.transcript.of(&["prepare"]), ["prepare a"]);
}

#[tokio::test(start_paused = true)]
async fn r056_a_stored_choice_wins_over_the_default_state() {
    let offers = Transcript::new();
    let handler = Scripted::new(&[]).items(|| Ok(items_with(&[("on", PLAIN, ON), ("off", PLAIN, OFF)])));
    let manager = manager_with_chooser(&handler, &Picker::these(&["off"], &offers));
    run_unattended(&manager).await;
    run_attended(&manager).await;
    run_unattended(&manager).await;
    run_attended(&manager).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare on", "prepare off", "prepare off", "prepare off"]);
    assert_eq!(offers.lines(), ["offer Scripted: +on -off", "offer Scripted: -on +off"]);
}

#[tokio::test(start_paused = true)]
async fn r056_a_choice_of_one_handler_does_not_affect_another() {
    let (mine, offers) = (Scripted::new(&["a"]), Transcript::new());
    let manager = manager_with_chooser(&mine, &Picker::these(&[], &offers));
    run_attended(&manager).await;
    let theirs = Scripted::new(&["a"]).info(|_| HandlerInfo::new(HandlerId::from_u128(u128::MAX), "Theirs"));
    manager.register(theirs.clone()).unwrap();
    run_unattended(&manager).await;
    assert_eq!(mine.transcript.of(&["prepare"]), [""; 0]);
    assert_eq!(theirs.transcript.of(&["prepare"]), ["prepare a"]);
}

#[tokio::test(start_paused = true)]
async fn r057_the_choice_of_a_temporary_item_is_not_stored() {
    let offers = Transcript::new();
    let handler =
        Scripted::new(&[]).items(|| Ok(items_with(&[("plain", PLAIN, ON), ("temporary", ItemFlags::TEMPORARY, ON)])));
    let manager = manager_with_chooser(&handler, &Picker::these(&[], &offers));
    run_attended(&manager).await;
    run_unattended(&manager).await;
    run_attended(&manager).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare temporary"]);
    assert_eq!(offers.lines(), ["offer Scripted: +plain +temporary", "offer Scripted: -plain +temporary"]);
}

#[tokio::test(start_paused = true)]
async fn r060_a_hidden_item_is_not_shown_but_runs() {
    let (offers, hidden) = (Transcript::new(), ItemFlags::HIDDEN);
    let items = move || Ok(items_with(&[("a", PLAIN, ON), ("b", PLAIN, ON), ("h", hidden, ON), ("off", hidden, OFF)]));
    let handler = Scripted::new(&[]).items(items);
    let manager = manager_with_chooser(&handler, &Picker::these(&["b"], &offers));
    run_attended(&manager).await;
    assert_eq!(offers.lines(), ["offer Scripted: +a +b"]);
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare b h"]);
}

/// A chooser that cancels the choice.
struct Cancelling;

#[async_trait]
impl Chooser for Cancelling {
    async fn choose(&self, _: &[Offer]) -> Option<Chosen> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_choice_runs_nothing() {
    let handler = Scripted::new(&[]).items(|| Ok(items_with(&[("a", PLAIN, ON), ("h", ItemFlags::HIDDEN, ON)])));
    let manager = SyncManager::builder().chooser(Cancelling).build();
    manager.register(handler.clone()).unwrap();
    let report = within(manager.update_all().unwrap().finish()).await;
    assert_eq!(ran(&report, HANDLER).ending, Some(RunEnding::NothingToDo));
    assert_eq!(handler.transcript.count("prepare"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_choice_changes_no_stored_choice() {
    let handler = Scripted::new(&["a"]);
    let manager = SyncManager::builder().chooser(Cancelling).build();
    manager.register(handler.clone()).unwrap();
    run_attended(&manager).await;
    run_unattended(&manager).await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare a"]);
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    assert!(ran(&report, HANDLER).item(id("a")).is_some(), "{report}");
}
