//! Questions in the terminal, on standard error, so that the output has results only.

use std::io::{self, BufRead, Write};

use indicatif::MultiProgress;
use serde_json::{Value, json};
use syncmgr_console::{Client, ClientError};
use tokio::task::spawn_blocking;

use super::echo::Hidden;
use super::failure::Failure;
use super::output::safe;

/// Asks the open questions, one after the other, in place of the bars. A question that was answered elsewhere meanwhile is left.
pub(crate) async fn ask_open(client: &Client, bars: &MultiProgress) -> Result<(), Failure> {
    loop {
        let open: Value = client.get("/v1/questions").await?;
        let asked = open["questions"][0].clone();
        if asked.is_null() {
            return Ok(());
        }
        let path = format!("/v1/questions/{}", asked["question"]);
        let bars = bars.clone();
        // Not on the thread of the prompt, which goes on if the user leaves the prompt with Ctrl-C.
        let hidden = if asked["kind"] == "secret" { Some(Hidden::new()?) } else { None };
        // A thread that may wait for the user.
        let answer = spawn_blocking(move || bars.suspend(|| prompt(&asked))).await.map_err(io::Error::other)??;
        drop(hidden);
        match client.post::<Value>(&path, &answer).await {
            Ok(_) | Err(ClientError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks a question, and returns the reply to it. An empty answer is none.
fn prompt(asked: &Value) -> io::Result<Value> {
    let question = format!("{}: {}", safe(&asked["asker"]), safe(&asked["text"]));
    let kind = &asked["kind"];
    Ok(if kind == "confirm" {
        json!({ "confirm": line(&format!("{question} [y/N] "))?.eq_ignore_ascii_case("y") })
    } else if kind == "secret" {
        let secret = typed(&format!("{question} "))?;
        if secret.is_empty() { dismiss() } else { json!({ "secret": secret }) }
    } else if let Some(choices) = kind["choose"]["choices"].as_array() {
        numbered(&question, choices.iter().map(safe))?;
        let choice = ask("number, or nothing for no answer: ", |text| numbers(text, choices.len()))?;
        choice.first().map_or_else(dismiss, |choice| json!({ "choice": choice }))
    } else {
        items(&question, &kind["items"]["handlers"])?
    })
}

fn dismiss() -> Value {
    json!({ "dismiss": {} })
}

fn numbered(question: &str, choices: impl Iterator<Item = String>) -> io::Result<()> {
    let mut out = io::stderr();
    writeln!(out, "{question}")?;
    (1..).zip(choices).try_for_each(|(number, choice)| writeln!(out, "  {number} {choice}"))
}

/// Returns the line that the user types, without its end.
fn typed(prompt: &str) -> io::Result<String> {
    write!(io::stderr(), "{prompt}")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn line(prompt: &str) -> io::Result<String> {
    Ok(typed(prompt)?.trim().to_owned())
}

/// Asks until the answer can be read.
fn ask<T>(prompt: &str, read: impl Fn(&str) -> Result<T, String>) -> io::Result<T> {
    loop {
        match read(&line(prompt)?) {
            Ok(answer) => return Ok(answer),
            Err(problem) => writeln!(io::stderr(), "{problem}")?,
        }
    }
}

/// Returns the indices for numbers from 1.
fn numbers(text: &str, count: usize) -> Result<Vec<usize>, String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let index =
        |word: &str| word.parse().ok().filter(|number| (1..=count).contains(number)).map(|number: usize| number - 1);
    words.map(|word| index(word).ok_or_else(|| format!("{word:?} is no number from 1 to {count}"))).collect()
}

/// Returns the indices of the items to run; `None` for the preselected ones.
fn selection(text: &str, count: usize) -> Result<Option<Vec<usize>>, String> {
    match text {
        "" => Ok(None),
        "none" => Ok(Some(Vec::new())),
        text => numbers(text, count).map(Some),
    }
}

/// Asks which items run. An empty answer takes the preselected ones.
fn items(question: &str, handlers: &Value) -> io::Result<Value> {
    let handlers = handlers.as_array().into_iter().flatten();
    let offered = handlers.flat_map(|of| of["items"].as_array().into_iter().flatten().map(move |item| (of, item)));
    let offered: Vec<_> = offered.collect();
    let is_checked = |item: &Value| item["state"] == "checked";
    let text = |(of, item): &(&Value, &Value)| {
        let mark = if is_checked(item) { "[x]" } else { "[ ]" };
        format!("{mark} {}/{}", safe(&of["name"]), safe(&item["name"]))
    };
    numbered(question, offered.iter().map(text))?;
    let prompt = "numbers, `none`, or nothing for those with [x]; the choice is kept: ";
    let named = ask(prompt, |text| selection(text, offered.len()))?;
    let runs = |at: usize, item: &Value| named.as_ref().map_or_else(|| is_checked(item), |named| named.contains(&at));
    let mut chosen = serde_json::Map::new();
    for (_, (of, item)) in offered.iter().enumerate().filter(|(at, (_, item))| runs(*at, item)) {
        let of_handler = chosen.entry(safe(&of["handler"])).or_insert_with(|| json!([]));
        of_handler.as_array_mut().into_iter().for_each(|items| items.push(item["item"].clone()));
    }
    Ok(json!({ "items": chosen }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_one_and_others_are_refused() {
        assert_eq!(numbers("1, 3", 3), Ok(vec![0, 2]));
        assert_eq!(numbers("", 3), Ok(vec![]));
        for word in ["0", "4", "x", "1-2", "\u{1b}[B"] {
            assert_eq!(numbers(&format!("1 {word}"), 3), Err(format!("{word:?} is no number from 1 to 3")));
        }
    }

    #[test]
    fn only_an_empty_answer_takes_the_preselected_items() {
        assert_eq!(["", "none", "2"].map(|text| selection(text, 2)), [Ok(None), Ok(Some(vec![])), Ok(Some(vec![1]))]);
        assert!(selection("n", 2).is_err());
    }
}
