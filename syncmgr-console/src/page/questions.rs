//! The open questions.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use syncmgr::item::ItemState;
use syncmgr::{HandlerId, ItemId};

use super::fields::{self, Fields};
use crate::api::Api;
use crate::questions::{Answer, Asked, Dismiss, Kind, Offered};

/// Shows the open questions.
pub(super) fn part(questions: &[Asked]) -> Markup {
    html! { @for asked in questions { (question(asked)) } }
}

fn question(asked: &Asked) -> Markup {
    let id = format!("question-{}", asked.question);
    html! {
        section.question id=(id) aria-labelledby=(format!("{id}-text")) {
            h3 id=(format!("{id}-text")) { (asked.asker) ": " (asked.text) }
            form method="post" action=(format!("./reply/{}", asked.question)) {
                (fields(asked, &id))
                " " button id=(format!("{id}-dismiss")) name="answer" value="dismiss" formnovalidate { "No answer" }
            }
        }
    }
}

fn fields(asked: &Asked, id: &str) -> Markup {
    let choice = |value: &str, text: &str| html! { button id=(format!("{id}-{value}")) name="answer" value=(value) { (text) } " " };
    match &asked.kind {
        Kind::Confirm => html! { (choice("yes", "Yes")) (choice("no", "No")) },
        Kind::Choose { choices } => {
            html! { @for (number, text) in choices.iter().enumerate() { (choice(&number.to_string(), text)) } }
        }
        Kind::Secret => html! {
            input type="password" id=(format!("{id}-secret")) name="secret" autocomplete="off" required aria-labelledby=(format!("{id}-text"));
            " " (choice("secret", "Send"))
        },
        Kind::Items { handlers } => {
            html! { @for offered in handlers { (choices(offered, id)) } (choice("items", "Run these")) }
        }
    }
}

fn choices(offered: &Offered, id: &str) -> Markup {
    html! {
        fieldset {
            legend { (offered.name) }
            @for item in &offered.items {
                @let field = format!("{id}-{}-{}", offered.handler, item.item);
                div {
                    input type="checkbox" id=(field) name="item" value=(format!("{}/{}", offered.handler, item.item))
                        checked[item.state == ItemState::Checked];
                    " " label for=(field) { (item.name) }
                }
            }
        }
    }
}

/// Takes the answer to a question, and goes back to the view.
pub(super) async fn reply(
    State(api): State<Api>,
    Path(question): Path<u64>,
    Fields(fields): Fields<Vec<(String, String)>>,
) -> Response {
    let Some(answer) = answer_of(fields) else { return fields::unknown() };
    match api.answer(question, answer) {
        Ok(()) => Redirect::to("../").into_response(),
        Err(error) => error.into_page(),
    }
}

/// Returns the answer in the fields of a form.
fn answer_of(fields: Vec<(String, String)>) -> Option<Answer> {
    let of = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    Some(match of("answer")? {
        "yes" => Answer::Confirm(true),
        "no" => Answer::Confirm(false),
        "dismiss" => Answer::Dismiss(Dismiss {}),
        "secret" => Answer::Secret(of("secret")?.to_owned()),
        "items" => Answer::Items(items_of(&fields)?),
        choice => Answer::Choice(choice.parse().ok()?),
    })
}

fn items_of(fields: &[(String, String)]) -> Option<BTreeMap<HandlerId, BTreeSet<ItemId>>> {
    let mut chosen = BTreeMap::<_, BTreeSet<_>>::new();
    for (_, value) in fields.iter().filter(|(key, _)| key == "item") {
        let (handler, item) = value.split_once('/')?;
        chosen.entry(handler.parse().ok()?).or_default().insert(item.parse().ok()?);
    }
    Some(chosen)
}
