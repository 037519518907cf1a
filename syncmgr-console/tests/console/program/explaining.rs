//! Explanations that say what a person can do.

use serde_json::json;

use super::following::Following;
use super::scripted::Scripted;

const HANDLER: &str = "7b0c7e52-7f3c-4a6c-9f0e-0d1b5a3f6e21";

#[tokio::test]
async fn a_handler_whose_session_waits_for_a_choice_says_so() {
    let mut console = Scripted::start();
    let mut explain = Following::at(console.path(), &["explain", "Mail"]);
    let condition = json!({ "running": { "session": 3 } });
    let explanation = json!({ "handler": HANDLER, "condition": condition, "next": "now" });
    console.answer("GET /v1/handlers", json!({ "handlers": [{ "handler": HANDLER, "name": "Mail" }] })).await;
    let explained = json!({ "text": "Mail: running in session 3", "explanation": explanation });
    console.answer(&format!("GET /v1/handlers/{HANDLER}"), explained).await;
    let kind = json!({ "items": { "handlers": [{ "handler": HANDLER, "name": "Mail", "items": [] }] } });
    console.answer("GET /v1/questions", json!({ "questions": [{ "question": 7, "kind": kind }] })).await;
    let advice = "  it waits until its items are chosen; `syncmgr stop 3` ends session 3";
    assert_eq!([explain.line().await, explain.line().await], ["Mail: running in session 3", advice]);
    assert_eq!(explain.end().await, (Ok(0), String::new()));
}
