//! Questions in the terminal, on standard error, so that the output has results only.

use std::cell::Cell;
use std::io::{self, BufRead, Write};

use indicatif::MultiProgress;
use serde_json::{Value, json};
use syncmgr_console::{Client, ClientError};
use tokio::task::spawn_blocking;

use super::echo::Hidden;
use super::failure::Failure;
use super::output::safe;

/// Asks the open questions, one after the other, in place of the bars. A question that was answered elsewhere meanwhile is left.
///
/// If the input ends at a question, dismisses it and notes that in `unanswered`. Then asks the other ones nevertheless, because a terminal
/// may go on after Ctrl-D.
pub(crate) async fn ask_open(client: &Client, bars: &MultiProgress, unanswered: &Cell<bool>) -> Result<(), Failure> {
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
        let answer = answer.unwrap_or_else(|| {
            unanswered.set(true);
            dismiss()
        });
        match client.post::<Value>(&path, &answer).await {
            Ok(_) | Err(ClientError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks a question, and returns the reply to it; `None` at the end of the input. An empty answer is none.
fn prompt(asked: &Value) -> io::Result<Option<Value>> {
    let question = format!("{}: {}", safe(&asked["asker"]), safe(&asked["text"]));
    let kind = &asked["kind"];
    if kind == "confirm" {
        let answer = line(&format!("{question} [y/N] "))?;
        Ok(answer.map(|answer| json!({ "confirm": answer.eq_ignore_ascii_case("y") })))
    } else if kind == "secret" {
        let secret = typed(&format!("{question} "))?;
        Ok(secret.map(|secret| if secret.is_empty() { dismiss() } else { json!({ "secret": secret }) }))
    } else if let Some(choices) = kind["choose"]["choices"].as_array() {
        numbered(&question, choices.iter().map(safe))?;
        let choice = ask("number, or nothing for no answer: ", |text| number(text, choices.len()))?;
        Ok(choice.map(|choice| choice.map_or_else(dismiss, |choice| json!({ "choice": choice }))))
    } else {
        items(&question, &kind["items"]["handlers"])
    }
}

fn dismiss() -> Value {
    json!({ "dismiss": {} })
}

fn numbered(question: &str, choices: impl Iterator<Item = String>) -> io::Result<()> {
    let mut out = io::stderr();
    writeln!(out, "{question}")?;
    (1..).zip(choices).try_for_each(|(number, choice)| writeln!(out, "  {number} {choice}"))
}

/// Returns the line that the user types, without its end; `None` at the end of the input.
fn typed(prompt: &str) -> io::Result<Option<String>> {
    write!(io::stderr(), "{prompt}")?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        writeln!(io::stderr())?;
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

fn line(prompt: &str) -> io::Result<Option<String>> {
    Ok(typed(prompt)?.map(|line| line.trim().to_owned()))
}

/// Asks until the answer can be read, or the input ends.
fn ask<T>(prompt: &str, read: impl Fn(&str) -> Result<T, String>) -> io::Result<Option<T>> {
    while let Some(line) = line(prompt)? {
        match read(&line) {
            Ok(answer) => return Ok(Some(answer)),
            Err(problem) => writeln!(io::stderr(), "{problem}")?,
        }
    }
    Ok(None)
}

/// Returns the indices for numbers from 1 and ranges of them, such as `1-3`.
fn numbers(text: &str, count: usize) -> Result<Vec<usize>, String> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=count).contains(number));
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some(first - 1..last)
    };
    let ranges = words.map(|word| range(word).ok_or_else(|| format!("{word:?} is no number from 1 to {count}")));
    Ok(ranges.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Returns the index for a number from 1; `None` without one.
fn number(text: &str, count: usize) -> Result<Option<usize>, String> {
    match numbers(text, count)?[..] {
        [] => Ok(None),
        [index] => Ok(Some(index)),
        _ => Err("write one number".to_owned()),
    }
}

/// Returns the indices of the items to run; `None` for the preselected ones.
fn selection(text: &str, count: usize) -> Result<Option<Vec<usize>>, String> {
    match text {
        "" => Ok(None),
        "none" => Ok(Some(Vec::new())),
        text => numbers(text, count).map(Some),
    }
}

/// Asks which items run. An empty answer takes the preselected ones; the end of the input is none.
fn items(question: &str, handlers: &Value) -> io::Result<Option<Value>> {
    let handlers = handlers.as_array().into_iter().flatten();
    let offered = handlers.flat_map(|of| of["items"].as_array().into_iter().flatten().map(move |item| (of, item)));
    let offered: Vec<_> = offered.collect();
    let is_checked = |item: &Value| item["state"] == "checked";
    let text = |(of, item): &(&Value, &Value)| {
        let mark = if is_checked(item) { "[x]" } else { "[ ]" };
        format!("{mark} {}/{}", safe(&of["name"]), safe(&item["name"]))
    };
    numbered(question, offered.iter().map(text))?;
    let prompt = "numbers such as `1 3-5`, `none`, or nothing for those with [x]; the choice is kept: ";
    let Some(named) = ask(prompt, |text| selection(text, offered.len()))? else { return Ok(None) };
    let runs = |at: usize, item: &Value| named.as_ref().map_or_else(|| is_checked(item), |named| named.contains(&at));
    let mut chosen = serde_json::Map::new();
    for (_, (of, item)) in offered.iter().enumerate().filter(|(at, (_, item))| runs(*at, item)) {
        let of_handler = chosen.entry(safe(&of["handler"])).or_insert_with(|| json!([]));
        of_handler.as_array_mut().into_iter().for_each(|items| items.push(item["item"].clone()));
    }
    Ok(Some(json!({ "items": chosen })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_one_and_others_are_refused() {
        assert_eq!(numbers("1, 3", 3), Ok(vec![0, 2]));
        assert_eq!(numbers("", 3), Ok(vec![]));
        assert_eq!(numbers("1-2,3-3", 3), Ok(vec![0, 1, 2]));
        for word in ["0", "4", "x", "3-1", "2-4", "1-", "-1", "1-2-3", "\u{1b}[B"] {
            assert_eq!(numbers(&format!("1 {word}"), 3), Err(format!("{word:?} is no number from 1 to 3")));
        }
    }

    #[test]
    fn one_of_several_choices_has_one_number() {
        assert_eq!(["", "2", "2-2"].map(|text| number(text, 2)), [Ok(None), Ok(Some(1)), Ok(Some(1))]);
        assert!(number("1 2", 2).is_err() && number("1-2", 2).is_err());
    }

    #[test]
    fn only_an_empty_answer_takes_the_preselected_items() {
        assert_eq!(["", "none", "2"].map(|text| selection(text, 2)), [Ok(None), Ok(Some(vec![])), Ok(Some(vec![1]))]);
        assert!(selection("n", 2).is_err());
    }
}
