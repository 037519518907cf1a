//! The screen.

use ratatui::crossterm::event::KeyCode;
use ratatui::style::Color;
use serde_json::json;

use super::{MAIL, ask, item, load, model, parse, press, run_two, screen, text, type_text};
use crate::view::draw::Theme;
use crate::view::load::Loaded;
use crate::view::model::{Message, Model};

#[test]
fn the_items_at_three_sizes() {
    let mut model = model();
    run_two(&mut model);
    type_text(&mut model, "jj");
    insta::assert_snapshot!("items_80x24", text(&mut model, 80, 24));
    insta::assert_snapshot!("items_120x40", text(&mut model, 120, 40));
    insta::assert_snapshot!("items_40x12", text(&mut model, 40, 12));
}

#[test]
fn each_list() {
    let mut model = model();
    run_two(&mut model);
    for (key, name) in [("2", "now"), ("3", "log"), ("4", "agenda"), ("5", "history")] {
        type_text(&mut model, key);
        insta::assert_snapshot!(name, text(&mut model, 80, 16));
    }
}

#[test]
fn the_help_has_all_keys() {
    let mut model = model();
    type_text(&mut model, "?");
    insta::assert_snapshot!("help", text(&mut model, 80, 24));
}

#[test]
fn a_question_in_its_line_and_in_its_dialog() {
    let mut model = model();
    ask(&mut model, json!({ "choose": { "choices": ["left", "right"] } }));
    insta::assert_snapshot!("question", text(&mut model, 80, 16));
    type_text(&mut model, "a");
    insta::assert_snapshot!("dialog", text(&mut model, 80, 16));
}

#[test]
fn a_secret_is_typed_hidden() {
    let mut model = model();
    ask(&mut model, json!("secret"));
    type_text(&mut model, "asesame");
    let screen = text(&mut model, 80, 24);
    assert!(screen.contains("••••••_") && !screen.contains("sesame"), "{screen}");
}

#[test]
fn a_small_terminal_says_so_and_the_selection_stays() {
    let mut model = model();
    type_text(&mut model, "jjj");
    assert!(text(&mut model, 30, 8).contains("This terminal is too small."));
    for (width, height) in [(40, 10), (200, 60), (40, 12), (80, 24)] {
        let screen = text(&mut model, width, height);
        assert!(screen.lines().any(|line| line.starts_with('>') && line.contains("[x] In")), "{screen}");
    }
}

#[test]
fn a_lost_connection_is_said_and_the_rows_stay() {
    let mut model = model();
    model.update(Message::Lost);
    let screen = text(&mut model, 80, 24);
    assert!(screen.contains("The program does not answer.") && screen.contains("[x] Inbox"), "{screen}");
}

#[test]
fn a_pause_is_said_and_can_be_ended() {
    let mut model = model();
    load(&mut model, vec![Loaded::About(true)]);
    let screen = text(&mut model, 80, 24);
    assert!(screen.contains("Paused: no item begins.") && screen.contains("p resume"), "{screen}");
}

#[test]
fn without_colors_the_screen_has_the_same_text() {
    let mut model = model();
    let (plain, colored) = (screen(&mut model, 80, 24, Theme::Plain), screen(&mut model, 80, 24, Theme::Colored));
    assert_eq!(plain.to_string(), colored.to_string());
    assert!(plain.buffer().content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    assert!(colored.buffer().content.iter().any(|cell| cell.fg == Color::Red));
    assert!(matches!(Theme::of(Some("1".into())), Theme::Plain));
    assert!(matches!(Theme::of(Some("".into())), Theme::Colored));
}

#[test]
fn of_many_items_those_on_the_screen_are_drawn() {
    let mut model = many(10_000);
    press(&mut model, KeyCode::End);
    let screen = text(&mut model, 80, 24);
    assert!(screen.contains("[x] item 09999") && !screen.contains("item 00000"), "{screen}");
    press(&mut model, KeyCode::Home);
    press(&mut model, KeyCode::PageDown);
    assert!(text(&mut model, 80, 24).contains("[x] item 00015"));
}

fn many(count: usize) -> Model {
    let mut model = model();
    let item = |at| item(&format!("item {at:05}"), &json!("succeeded"), "succeeded");
    let items = (0..count).map(item).collect::<Vec<_>>();
    load(&mut model, vec![Loaded::Items(MAIL, parse(json!(items)))]);
    type_text(&mut model, "G");
    model
}

#[test]
fn text_of_handlers_cannot_steer_the_terminal() {
    let mut model = model();
    let evil = item("\u{1b}[2J\u{202e}evil", &json!("succeeded"), "succeeded");
    load(&mut model, vec![Loaded::Items(MAIL, parse(json!([evil])))]);
    let screen = text(&mut model, 80, 24);
    assert!(screen.contains("evil") && !screen.contains(['\u{1b}', '\u{202e}']), "{screen}");
}
