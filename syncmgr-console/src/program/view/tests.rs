//! Tests of the model and its drawing, with answers as the program sends them.

mod drawing;
mod updates;

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use serde_json::{Value, json};
use syncmgr::{HandlerId, ItemId};

use super::draw::{Theme, draw};
use super::load::{Load, Loaded};
use super::model::{Effect, Message, Model};

const MAIL: HandlerId = HandlerId::from_u128(1);
const PHOTOS: HandlerId = HandlerId::from_u128(2);

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the answer is understood")
}

fn handler(id: HandlerId, name: &str, text: &str) -> Value {
    json!({ "handler": id, "name": name, "text": format!("{name}: {text}"), "schedule": "every 15m" })
}

fn item(name: &str, condition: &Value, text: &str) -> Value {
    let explanation = json!({ "condition": condition, "next": "when_triggered" });
    json!({
        "text": format!("{name}: {text}"),
        "status": { "item": ItemId::from_name(name), "name": name, "explanation": explanation, "choice": "checked" },
    })
}

/// Returns the items of the handler Mail.
fn mail() -> Value {
    let mut items = json!([
        item("Archive", &json!("idle"), "has not run yet; runs with the next trigger"),
        item("Drafts", &json!({ "failed": {} }), "backing off until 2026-12-01 23:00:00Z after 2 failures"),
        item("Inbox", &json!("succeeded"), "succeeded 2026-12-01 22:41:07Z; runs with the next trigger"),
        item("Notes", &json!("needs_user"), "waits for the user; runs once the question is answered"),
    ]);
    items[0]["status"]["choice"] = json!("unchecked");
    items[1]["status"]["reason"] = json!("the disk is full");
    items[3]["status"]["explanation"]["next"] = json!({ "when_answered": { "error": entry_id() } });
    items
}

fn entry_id() -> Value {
    json!("00000000-0000-0000-0000-00000000000a")
}

/// Returns the log of the handler Mail.
fn log() -> Value {
    let question = json!({ "decide": { "key": "side", "text": "Which side is right?", "choices": ["here", "there"] } });
    json!([
        { "session": 2, "time": 1_796_165_000_000_i64, "name": "Notes",
          "entry": { "level": "warning", "text": "Which side is right?", "id": entry_id(), "action": question } },
        { "session": 2, "time": 1_796_164_000_000_i64, "name": "Drafts",
          "entry": { "level": "error", "text": "the disk is full" } },
    ])
}

/// Creates a model with two handlers, as after its first load.
fn model() -> Model {
    let mut model = Model::default();
    model.update(Message::Connected);
    let handlers =
        json!([handler(MAIL, "Mail", "idle; runs at 2026-12-01 23:00:00Z"), handler(PHOTOS, "Photos", "offline")]);
    let planned = json!([{ "text": "2026-12-01 23:00:00Z: the preferred items", "entry": { "handler": MAIL } }]);
    let held = json!([{ "text": "there is no network", "held": { "handler": PHOTOS } }]);
    let history = json!([{ "session": 2, "began": 1_796_164_000_000_i64, "handlers": [MAIL],
        "end": { "outcome": "with problems", "items": { "failed": 1, "succeeded": 1 } } }]);
    load(
        &mut model,
        vec![
            Loaded::Handlers(parse(handlers)),
            Loaded::Agenda(parse(planned), parse(held)),
            Loaded::History(parse(history)),
            Loaded::Items(MAIL, parse(mail())),
            Loaded::Log(MAIL, parse(log())),
        ],
    );
    model
}

fn load(model: &mut Model, parts: Vec<Loaded>) {
    model.update(Message::Loaded(Load { parts, today: "2026-12-01".to_owned(), ..Load::default() }));
}

/// Passes an event that comes at this second.
fn event(model: &mut Model, second: u64, event: Value) {
    model.update(Message::Event(parse(event), Duration::from_secs(second)));
}

/// Lets two items of Mail run in session 3.
fn run_two(model: &mut Model) {
    event(model, 0, json!({ "session": 3, "event": "started", "trigger": "manual", "reason": "requested" }));
    event(model, 0, json!({ "session": 3, "event": "run", "handler": MAIL, "change": { "selected": 3 } }));
    for (name, ended) in [("Archive", true), ("Drafts", false), ("Inbox", false)] {
        let of = |kind: &str| json!({ "session": 3, "event": kind, "handler": MAIL, "item": ItemId::from_name(name), "name": name });
        event(model, 0, of("began"));
        for (second, value) in [(0, 0), (10, 12_000)] {
            let mut progress = of("progress");
            progress["state"] = json!({ "text": "letters", "status": null, "value": value, "max": 20_000 });
            event(model, second, progress);
        }
        if ended {
            let mut end = of("ended");
            end["outcome"] = json!("succeeded");
            event(model, 10, end);
        }
    }
}

fn ask(model: &mut Model, kind: Value) {
    let question = json!([{ "question": 7, "asker": "Mail: Notes", "text": "Which door?", "kind": kind }]);
    load(model, vec![Loaded::Questions(parse(question))]);
}

fn press(model: &mut Model, code: KeyCode) -> Option<Effect> {
    model.update(Message::Key(KeyEvent::from(code)))
}

/// Presses the keys of a text. Returns the requests.
fn type_text(model: &mut Model, text: &str) -> Vec<(String, Value)> {
    text.chars().flat_map(|key| requests(press(model, KeyCode::Char(key)))).collect()
}

fn requests(effect: Option<Effect>) -> Vec<(String, Value)> {
    match effect {
        Some(Effect::Act(act)) => act.requests,
        _ => Vec::new(),
    }
}

/// Draws the model on a screen of this size.
fn screen(model: &mut Model, width: u16, height: u16, theme: Theme) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("the backend does not fail");
    terminal.draw(|frame| draw(frame, model, theme)).expect("the backend does not fail");
    terminal.backend().clone()
}

/// Returns the text of the screen.
fn text(model: &mut Model, width: u16, height: u16) -> String {
    let screen = screen(model, width, height, Theme::Plain).to_string();
    screen.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
}
