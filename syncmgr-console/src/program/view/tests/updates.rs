//! The model, without drawing it.

use std::collections::BTreeSet;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;
use syncmgr::ItemId;

use super::{
    MAIL, PHOTOS, ask, entry_id, event, handler, load, mail, model, parse, press, requests, run_two, text, type_text,
};
use crate::view::cursor::Key;
use crate::view::load::{Load, Loaded, Part};
use crate::view::model::{Effect, Link, Message, Model, Notice, View};

fn selected(model: &Model) -> Option<Key> {
    model.key(model.view, model.cursor().at())
}

fn inbox() -> Option<Key> {
    Some(Key::Item(MAIL, ItemId::from_name("Inbox")))
}

/// Selects the item Inbox.
fn select_inbox(model: &mut Model) {
    type_text(model, "jjj");
    assert_eq!(selected(model), inbox());
}

#[test]
fn the_selection_stays_with_its_item_when_others_come_and_go() {
    let mut model = model();
    select_inbox(&mut model);
    let mut items = mail();
    items.as_array_mut().unwrap().remove(0);
    load(&mut model, vec![Loaded::Items(MAIL, parse(items))]);
    assert_eq!((selected(&model), model.cursor().at()), (inbox(), 2));
    load(&mut model, vec![Loaded::Items(MAIL, parse(mail()))]);
    assert_eq!((selected(&model), model.cursor().at()), (inbox(), 3));
}

#[test]
fn the_row_in_its_place_is_selected_when_an_item_goes() {
    let mut model = model();
    select_inbox(&mut model);
    let mut items = mail();
    items.as_array_mut().unwrap().remove(2);
    load(&mut model, vec![Loaded::Items(MAIL, parse(items))]);
    assert_eq!(selected(&model), Some(Key::Item(MAIL, ItemId::from_name("Notes"))));
}

#[test]
fn the_selection_outlives_a_restart_of_the_program() {
    let mut model = model();
    select_inbox(&mut model);
    model.update(Message::Lost);
    assert_eq!((&model.link, selected(&model)), (&Link::Lost, inbox()));
    model.update(Message::Connected);
    load(&mut model, vec![Loaded::Handlers(Vec::new())]);
    let handlers = json!([handler(MAIL, "Mail", "idle"), handler(PHOTOS, "Photos", "idle")]);
    load(&mut model, vec![Loaded::Handlers(parse(handlers))]);
    assert!(model.stale.contains(&Part::Items(MAIL)));
    load(&mut model, vec![Loaded::Items(MAIL, parse(mail()))]);
    assert_eq!(selected(&model), inbox());
}

#[test]
fn space_chooses_an_item_and_all_items_of_a_handler() {
    let mut model = model();
    let path = format!("/v1/handlers/{MAIL}/choice");
    let archive = ItemId::from_name("Archive");
    type_text(&mut model, "j");
    assert_eq!(type_text(&mut model, " "), [(path.clone(), json!({ "items": [archive], "state": "checked" }))]);
    type_text(&mut model, "k");
    let all = type_text(&mut model, " ");
    assert_eq!((all[0].1["state"].as_str(), all[0].1["items"].as_array().map(Vec::len)), (Some("unchecked"), Some(4)));
    let none = type_text(&mut model, "jjjjj ");
    assert!(none.is_empty(), "a handler without items has nothing to choose");
}

#[test]
fn enter_runs_the_item_or_the_chosen_items_of_the_handler() {
    let mut model = model();
    let run = |model: &mut Model| requests(press(model, KeyCode::Enter));
    assert_eq!(run(&mut model), [("/v1/sessions".to_owned(), json!({ "handlers": [MAIL] }))]);
    select_inbox(&mut model);
    let request = run(&mut model);
    assert_eq!(request[0].1["items"][MAIL.to_string()], json!([ItemId::from_name("Inbox")]));
    assert_eq!(type_text(&mut model, "R"), [("/v1/sessions".to_owned(), json!({}))]);
}

#[test]
fn skip_and_stop_reach_the_sessions_that_run() {
    let mut model = model();
    select_inbox(&mut model);
    assert!(type_text(&mut model, "sxX").is_empty());
    assert_eq!(model.notice, Some(Notice::Info("Nothing is running.".to_owned())));
    run_two(&mut model);
    let inbox = ItemId::from_name("Inbox");
    let paths: Vec<_> = type_text(&mut model, "sxX").into_iter().map(|(path, _)| path).collect();
    let handler = format!("/v1/sessions/3/handlers/{MAIL}");
    assert_eq!(
        paths,
        [format!("{handler}/items/{inbox}/skip"), format!("{handler}/stop"), "/v1/sessions/3/stop".into()]
    );
    // In the list of what runs now, the first row is the session.
    let paths: Vec<_> = type_text(&mut model, "2xjjs").into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/v1/sessions/3/stop".to_owned(), format!("{handler}/items/{inbox}/skip")]);
}

#[test]
fn p_pauses_and_resumes() {
    let mut model = model();
    assert_eq!(type_text(&mut model, "p")[0].0, "/v1/pause");
    load(&mut model, vec![Loaded::About(true)]);
    assert_eq!(type_text(&mut model, "p")[0].0, "/v1/resume");
}

#[test]
fn a_question_is_answered_by_its_kind() {
    let mut model = model();
    let answer = |model: &mut Model, kind, keys: &str| {
        ask(model, kind);
        type_text(model, "a");
        type_text(model, keys);
        requests(press(model, KeyCode::Enter)).remove(0)
    };
    let path = "/v1/questions/7".to_owned();
    assert_eq!(answer(&mut model, json!("confirm"), "j"), (path.clone(), json!({ "confirm": false })));
    let choose = json!({ "choose": { "choices": ["left", "right"] } });
    assert_eq!(answer(&mut model, choose.clone(), "2"), (path.clone(), json!({ "choice": 1 })));
    assert_eq!(answer(&mut model, choose, "3"), (path.clone(), json!({ "dismiss": {} })));
    assert_eq!(answer(&mut model, json!("secret"), "a q?"), (path.clone(), json!({ "secret": "a q?" })));
    assert_eq!(answer(&mut model, json!("secret"), ""), (path.clone(), json!({ "dismiss": {} })));
    let of = |name: &str| json!({ "item": ItemId::from_name(name), "name": name, "state": "checked" });
    let items = json!({ "items": { "handlers": [{ "handler": MAIL, "name": "Mail", "items": [of("a"), of("b")] }] } });
    let (_, reply) = answer(&mut model, items, " ");
    assert_eq!(reply, json!({ "items": { MAIL.to_string(): [ItemId::from_name("b")] } }));
}

#[test]
fn a_question_opens_by_itself_only_for_a_user_who_has_just_asked_to_choose() {
    let mut model = model();
    ask(&mut model, json!("confirm"));
    assert!(model.overlay.is_none());
    load(&mut model, vec![Loaded::Questions(Vec::new())]);
    assert_eq!(type_text(&mut model, "c")[0].1, json!({ "handlers": [MAIL], "ask": true }));
    ask(&mut model, json!("confirm"));
    assert!(model.overlay.is_some());
}

#[test]
fn the_question_of_an_entry_is_answered_from_the_log_and_from_its_item() {
    for keys in ["3", "jjjj"] {
        let mut model = model();
        type_text(&mut model, keys);
        type_text(&mut model, "a2");
        let request = requests(press(&mut model, KeyCode::Enter)).remove(0);
        let entry = entry_id().as_str().unwrap().to_owned();
        assert_eq!(request, (format!("/v1/handlers/{MAIL}/log/{entry}/answer"), json!({ "choice": 1 })));
    }
}

#[test]
fn only_what_an_event_may_have_changed_is_loaded_again() {
    let mut model = model();
    model.stale.clear();
    event(
        &mut model,
        0,
        json!({ "event": "progress", "session": 3, "handler": MAIL, "item": ItemId::from_name("Inbox") }),
    );
    assert!(model.stale.is_empty());
    event(&mut model, 0, json!({ "event": "logged", "session": 3, "handler": MAIL }));
    assert_eq!(model.stale.iter().collect::<Vec<_>>(), [&Part::Log(MAIL)]);
    event(
        &mut model,
        0,
        json!({ "event": "ended", "session": 3, "handler": MAIL, "item": ItemId::from_name("Inbox") }),
    );
    assert!(model.stale.contains(&Part::Items(MAIL)) && !model.stale.contains(&Part::Items(PHOTOS)));
}

#[test]
fn q_and_ctrl_c_quit_also_in_a_dialog() {
    let mut model = model();
    assert!(matches!(press(&mut model, KeyCode::Char('q')), Some(Effect::Quit)));
    ask(&mut model, json!("secret"));
    type_text(&mut model, "aq");
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(matches!(model.update(Message::Key(ctrl_c)), Some(Effect::Quit)));
}

#[test]
fn the_lists_have_the_words_of_the_page() {
    let titles = View::ALL.map(View::title);
    assert_eq!(titles, ["Items", "Now", "Log", "Agenda", "History"]);
}

#[test]
fn keys_for_a_question_that_is_not_open_any_more_are_no_commands() {
    let mut model = model();
    ask(&mut model, json!("secret"));
    press(&mut model, KeyCode::Char('a'));
    assert_eq!(type_text(&mut model, "open "), []);
    load(&mut model, vec![Loaded::Questions(Vec::new())]);
    assert_eq!(type_text(&mut model, "RpX"), []);
    assert!(text(&mut model, 80, 24).contains("The question is not open any more."));
    press(&mut model, KeyCode::Enter);
    assert!(model.overlay.is_none());
}

#[test]
fn a_lost_program_ends_the_dialog_of_its_question() {
    let mut model = model();
    ask(&mut model, json!("secret"));
    press(&mut model, KeyCode::Char('a'));
    model.update(Message::Lost);
    model.update(Message::Connected);
    ask(&mut model, json!("secret"));
    type_text(&mut model, "sesame");
    assert_eq!(requests(press(&mut model, KeyCode::Enter)), []);
}

#[test]
fn a_question_that_opens_by_itself_is_not_answered_by_a_repeated_key() {
    let mut model = model();
    let question = |id: u64| json!({ "question": id, "asker": "Mail", "text": "Delete it?", "kind": "confirm" });
    load(&mut model, vec![Loaded::Questions(parse(json!([question(7), question(8)])))]);
    press(&mut model, KeyCode::Char('a'));
    let first = requests(press(&mut model, KeyCode::Enter));
    let second = requests(press(&mut model, KeyCode::Enter));
    assert_eq!([&first[0].1, &second[0].1], [&json!({ "confirm": true }), &json!({ "dismiss": {} })]);
}

#[test]
fn what_could_not_be_loaded_stays_stale() {
    let mut model = model();
    model.stale.clear();
    let left = BTreeSet::from([Part::Agenda]);
    model.update(Message::Loaded(Load { left: left.clone(), ..Load::default() }));
    assert_eq!(model.stale, left);
}
