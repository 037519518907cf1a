//! Entries of the log by their short names: the beginning of an id, with the handler in front if handlers share the id. The name of a
//! question ends with the beginning of its revision, so that an answer is to the question that the user has read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syncmgr::text::Escaped;
use syncmgr_console::Client;

use super::failure::Failure;
use super::{log, names};

/// The length from which on a beginning of an id names an entry.
const SHORTEST: usize = 4;

/// The length of a printed name, unless other entries begin alike.
const PRINTED: usize = 8;

/// The number of digits of a printed revision.
const REVISION: usize = 4;

/// Finds the entry with this short name or id.
pub(crate) async fn find(client: &Client, text: &str) -> Result<Value, Failure> {
    // An id contains no `/` and no `.`, and the name of a handler may.
    let (handler, name) = text.rsplit_once('/').map_or((None, text), |(handler, name)| (Some(handler), name));
    let (id, read) = name.split_once('.').map_or((name, None), |(id, revision)| (id, Some(revision)));
    let record = find_id(client, text, handler, id).await?;
    match (read, revision(&record)) {
        (Some(read), now) if !now.as_deref().is_some_and(|now| now.starts_with(read)) => {
            Err(Failure::OtherRevision { text: Escaped(text).to_string() })
        }
        _ => Ok(record),
    }
}

async fn find_id(client: &Client, text: &str, handler: Option<&str>, id: &str) -> Result<Value, Failure> {
    let unknown = |advice| Err(Failure::unknown(&format!("entry {text}"), advice));
    if id.len() < SHORTEST {
        return unknown("write at least 4 characters of its id; `syncmgr log` shows the entries");
    }
    let records = log::entries(client, handler).await?;
    let fits = |record: &&Value| id_of(record).is_some_and(|known| known.starts_with(id));
    let mut found: Vec<_> = records.as_array().into_iter().flatten().filter(fits).collect();
    match (found.pop(), found.is_empty()) {
        (Some(record), true) => Ok(record.clone()),
        (Some(record), false) => {
            found.push(record);
            let all = Names::of(found.iter().copied());
            let entries = found.iter().filter_map(|record| all.name(record)).collect::<Vec<_>>().join(", ");
            Err(Failure::Ambiguous { text: Escaped(text).to_string(), entries })
        }
        (None, _) => unknown("`syncmgr log` shows the entries"),
    }
}

/// The revision of a question, as digits.
fn revision(record: &Value) -> Option<String> {
    record["revision"].as_u64().map(|revision| format!("{revision:08x}"))
}

fn id_of(record: &Value) -> Option<&str> {
    record["entry"]["id"].as_str()
}

fn handler_of(record: &Value) -> &str {
    record["handler"].as_str().unwrap_or_default()
}

/// The ids of entries, with the handlers that have them. Handlers with items of the same name share the ids of their questions.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut names = Self::default();
        records.into_iter().for_each(|record| names.add(record));
        names
    }

    pub(crate) fn add(&mut self, record: &Value) {
        if let Some(id) = id_of(record) {
            self.0.entry(id.to_owned()).or_default().insert(handler_of(record).to_owned());
        }
    }

    /// Returns a name of the entry that no other one has, as a word of a command. `None` for an entry without an id.
    pub(crate) fn name(&self, record: &Value) -> Option<String> {
        let id = id_of(record)?;
        let before = self.0.range(..id.to_owned()).next_back();
        let after = self.0.range(id.to_owned()..).find(|(other, _)| *other != id);
        let alike = before.into_iter().chain(after).map(|(other, _)| common(id, other) + 1).max().unwrap_or_default();
        let short = id.get(..alike.max(PRINTED)).unwrap_or(id);
        let is_shared = self.0.get(id).is_some_and(|handlers| handlers.len() > 1);
        let short = revision(record).map_or_else(|| short.to_owned(), |now| format!("{short}.{}", &now[..REVISION]));
        Some(if is_shared { word(record, &short) } else { short })
    }
}

/// Returns the number of bytes that both begin with.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// Returns the name of an entry with that of its handler, or with its id if a shell would not leave the name as it is.
fn word(record: &Value, short: &str) -> String {
    let is_plain = |name: &&str| name.chars().all(|letter| letter.is_alphanumeric() || " ._-".contains(letter));
    let name = record["handler_name"].as_str().filter(is_plain).unwrap_or_else(|| handler_of(record));
    if name.contains(' ') { format!("'{name}/{short}'") } else { format!("{name}/{short}") }
}

/// Returns the path of an entry.
pub(crate) fn path(record: &Value) -> String {
    format!("/v1/handlers/{}/log/{}", handler_of(record), names::text(&record["entry"]["id"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(handler: &str, id: &str) -> Value {
        json!({ "handler": "7b0c7e52", "handler_name": handler, "entry": { "id": id } })
    }

    #[test]
    fn a_name_is_as_long_as_the_others_require() {
        let all = [record("a", "11112222-3333"), record("a", "11112222-3344"), record("a", "55556666-7777")];
        let names = Names::of(&all);
        let shown = all.iter().map(|record| names.name(record).unwrap()).collect::<Vec<_>>();
        assert_eq!(shown, ["11112222-333", "11112222-334", "55556666"]);
        assert_eq!(names.name(&json!({ "entry": { "id": null } })), None);
    }

    #[test]
    fn the_name_of_a_question_has_the_beginning_of_its_revision() {
        let mut record = record("a", "11112222-3333");
        record["revision"] = json!(0x0a1b_2c3d);
        assert_eq!(Names::of([&record]).name(&record).unwrap(), "11112222.0a1b");
    }

    #[test]
    fn a_name_that_handlers_share_begins_with_the_handler() {
        let mut all =
            [record("My docs", "11112222-3333"), record("pics", "11112222-3333"), record("$(x)", "11112222-3333")];
        for (at, record) in all.iter_mut().enumerate() {
            record["handler"] = json!(at.to_string());
        }
        let names = Names::of(&all);
        let shown = all.iter().map(|record| names.name(record).unwrap()).collect::<Vec<_>>();
        assert_eq!(shown, ["'My docs/11112222'", "pics/11112222", "2/11112222"]);
    }
}
