//! The log.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr::log::{Action, ErrorId, ErrorScope, Question};
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{LogEntry, LogLevel, Outcome, SessionId, Uuid};
use syncmgr_core::log::Remedy;
use syncmgr_core::store::LogRecord;

use crate::common::*;

cases! {
    an_entry_is_read_back_completely,
    a_time_before_1970_is_read_back,
    replacing_a_session_log_also_replaces_entries_with_the_same_ids,
    sessions_of_different_managers_are_distinct,
    logged_entries_are_added_and_replace_entries_with_their_ids,
    entries_in_one_change_replace_each_other_by_id,
    entries_are_deleted_by_id_or_as_a_whole,
    settling_an_item_deletes_only_its_questions,
    the_log_of_an_item_has_only_its_entries,
    handlers_have_separate_logs,
    the_last_ten_thousand_entries_are_kept,
    each_log_keeps_its_own_last_entries_whatever_was_deleted,
}

fn an_entry_is_read_back_completely(store: &dyn StateStore) {
    let question = Question::new("k", "Which?", ["a", "b"].map(Arc::from));
    let (error, time) = (ErrorId::from_u128(7), at(1));
    let entries = [
        LogEntry::new(LogLevel::Information, "line\n\"ü\"\0"),
        LogEntry::new(LogLevel::Warning, "").with_item(ITEM).with_link(error),
        LogEntry::new(LogLevel::Error, "x").with_question(ErrorId::from_u128(8), question),
        LogEntry::new(LogLevel::Error, "y").with_remedy(ErrorId::from_u128(9), Remedy::FreeSpace),
    ];
    put(store, [log(1, &entries)]);
    let expected = entries.map(|entry| LogRecord::new(MANAGER, SessionId(1), time, Arc::new(entry)));
    assert_eq!(store.log(HANDLER).expect("the read succeeds"), expected);
    assert!(matches!(expected[1].entry.action, Some(Action::ShowError)));
}

fn a_time_before_1970_is_read_back(store: &dyn StateStore) {
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let entry = plain("busy").with_item(ITEM).with_remedy(ErrorId::from_u128(9), Remedy::WaitUntil(before));
    put(store, [end_change(1, [(ITEM, item_end(Outcome::Succeeded))]), log(1, std::slice::from_ref(&entry))]);
    assert_eq!(*store.log(HANDLER).expect("the read succeeds")[0].entry, entry);
    assert!(record(store, ITEM).is_some(), "the rest of the write is stored");
}

fn replacing_a_session_log_also_replaces_entries_with_the_same_ids(store: &dyn StateStore) {
    put(store, [log(1, &[named("old", "x"), plain("kept")]), log(2, &[plain("first")])]);
    put(store, [log(2, &[plain("again"), named("new", "x")])]);
    assert_eq!(texts(store), ["1: kept", "2: again", "2: new"]);
}

fn sessions_of_different_managers_are_distinct(store: &dyn StateStore) {
    let (manager, session, time) = (Uuid::from_u128(200), SessionId(1), at(1));
    let entries = vec![Arc::new(plain("theirs"))];
    put(store, [StateChange::Log { handler: HANDLER, manager, session, time, entries }, log(1, &[plain("ours")])]);
    assert_eq!(texts(store), ["1: theirs", "1: ours"]);
}

fn logged_entries_are_added_and_replace_entries_with_their_ids(store: &dyn StateStore) {
    put(store, [log(1, &[named("old", "x"), plain("one")]), add_log_change(1, &[plain("two")])]);
    put(store, [add_log_change(2, &[named("new", "x"), plain("three")])]);
    assert_eq!(texts(store), ["1: one", "1: two", "2: new", "2: three"]);
}

fn entries_in_one_change_replace_each_other_by_id(store: &dyn StateStore) {
    put(store, [add_log_change(1, &[named("old", "x"), plain("between"), named("new", "x")])]);
    assert_eq!(texts(store), ["1: between", "1: new"]);
}

fn entries_are_deleted_by_id_or_as_a_whole(store: &dyn StateStore) {
    let delete = |scope| StateChange::LogDeleted { handler: HANDLER, scope };
    put(store, [log(1, &[named("a", "x"), named("b", "y"), plain("c")])]);
    put(store, [delete(ErrorScope::One(ErrorId::from_key("x"))), delete(ErrorScope::One(ErrorId::from_key("z")))]);
    assert_eq!(texts(store), ["1: b", "1: c"]);
    put(store, [delete(ErrorScope::All)]);
    assert_eq!(texts(store), [""; 0]);
}

fn settling_an_item_deletes_only_its_questions(store: &dyn StateStore) {
    let question = || Question::new("k", "Which?", ["a"].map(Arc::from));
    let asking = |text, item| plain(text).with_item(item).with_question(ErrorId::from_key(text), question());
    let link = plain("link").with_item(ITEM).with_link(ErrorId::from_key("link"));
    put(store, [log(1, &[asking("mine", ITEM), link, asking("theirs", NEXT)])]);
    put(store, [StateChange::Settled { handler: HANDLER, item: ITEM }]);
    put(store, [StateChange::Settled { handler: OTHER, item: NEXT }]);
    assert_eq!(texts(store), ["1: link", "1: theirs"]);
}

fn the_log_of_an_item_has_only_its_entries(store: &dyn StateStore) {
    put(
        store,
        [log(1, &[plain("a").with_item(ITEM), plain("b"), plain("c").with_item(NEXT), plain("d").with_item(ITEM)])],
    );
    let entries = store.log_about(HANDLER, ITEM).expect("the read succeeds");
    assert_eq!(entries.iter().map(|record| &*record.entry.text).collect::<Vec<_>>(), ["a", "d"]);
    assert_eq!(store.log_about(OTHER, ITEM).expect("the read succeeds"), []);
}

fn handlers_have_separate_logs(store: &dyn StateStore) {
    let (manager, session, time, entries) = (MANAGER, SessionId(1), at(1), vec![Arc::new(named("theirs", "x"))]);
    put(store, [StateChange::Logged { handler: OTHER, manager, session, time, entries }, log(1, &[named("a", "x")])]);
    put(store, [StateChange::LogDeleted { handler: HANDLER, scope: ErrorScope::All }]);
    assert_eq!(store.log(OTHER).expect("the read succeeds").len(), 1);
}

fn the_last_ten_thousand_entries_are_kept(store: &dyn StateStore) {
    let entries: Vec<LogEntry> = (0..10_005).map(|number| plain(&number.to_string())).collect();
    put(store, [log(1, &entries[..9_000]), add_log_change(2, &entries[9_000..])]);
    let texts = texts(store);
    assert_eq!((texts.len(), texts[0].as_str()), (10_000, "1: 5"));
    assert_eq!(texts.last().map(String::as_str), Some("2: 10004"));
}

fn each_log_keeps_its_own_last_entries_whatever_was_deleted(store: &dyn StateStore) {
    let add = |handler, from: u64, to: u64| {
        let entries = (from..to).map(|number| Arc::new(named(&number.to_string(), &number.to_string()))).collect();
        let (manager, session, time) = (MANAGER, SessionId(1), at(1));
        put(store, [StateChange::Logged { handler, manager, session, time, entries }]);
    };
    let kept = |handler| {
        let log = store.log(handler).expect("the read succeeds");
        (log.len(), log[0].entry.text.to_string(), log[log.len() - 1].entry.text.to_string())
    };
    let delete = |scope| put(store, [StateChange::LogDeleted { handler: HANDLER, scope }]);
    for batch in 0..25 {
        add(HANDLER, 500 * batch, 500 * (batch + 1));
        add(OTHER, 300 * batch, 300 * (batch + 1));
    }
    assert_eq!(kept(HANDLER), (10_000, "2500".to_string(), "12499".to_string()));
    assert_eq!(kept(OTHER), (7_500, "0".to_string(), "7499".to_string()));
    (3000..3010).for_each(|number: u32| delete(ErrorScope::One(ErrorId::from_key(&number.to_string()))));
    add(HANDLER, 12_500, 12_505);
    assert_eq!(kept(HANDLER), (9_995, "2500".to_string(), "12504".to_string()));
    add(HANDLER, 12_505, 12_515);
    assert_eq!(kept(HANDLER), (10_000, "2505".to_string(), "12514".to_string()));
    delete(ErrorScope::All);
    add(HANDLER, 0, 10_001);
    assert_eq!(kept(HANDLER), (10_000, "1".to_string(), "10000".to_string()));
    assert_eq!(kept(OTHER).0, 7_500);
}
