//! The answers of the program, as far as they are shown. Fields and variants that this version does not know are left out.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use syncmgr::log::ErrorId;
use syncmgr::text::Escaped;
use syncmgr::{HandlerId, ItemId};

/// A handler with its items.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Handler {
    #[serde(rename = "handler")]
    pub(super) id: HandlerId,
    #[serde(deserialize_with = "safe")]
    pub(super) name: String,
    /// The explanation in one line, with the name.
    text: String,
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    windows: Vec<String>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(skip)]
    pub(super) items: Vec<Item>,
}

impl Handler {
    /// Returns the explanation in one line, without the name.
    pub(super) fn explained(&self) -> &str {
        self.text.strip_prefix(&format!("{}: ", self.name)).unwrap_or(&self.text)
    }

    /// Returns when the handler runs by itself, and what it needs for that.
    pub(super) fn terms(&self) -> Option<String> {
        let schedule = self.schedule.as_ref().map(|schedule| format!("schedule: {schedule}"));
        let listed = |name: &str, of: &[String]| (!of.is_empty()).then(|| format!("{name}: {}", of.join(", ")));
        let parts = [schedule, listed("in", &self.windows), listed("requires", &self.requires)];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join("; ")).filter(|terms| !terms.is_empty())
    }
}

/// An item with its last result and its next run.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Listed")]
pub(super) struct Item {
    pub(super) id: ItemId,
    pub(super) name: String,
    /// The explanation in one line, without the name.
    pub(super) text: String,
    /// The last warning or error, unless the item succeeded since.
    pub(super) reason: Option<String>,
    pub(super) condition: Condition,
    pub(super) choice: Choice,
    /// The entry of the log whose question the item waits for.
    pub(super) question: Option<ErrorId>,
}

#[derive(Deserialize)]
struct Listed {
    text: String,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    item: ItemId,
    #[serde(deserialize_with = "safe")]
    name: String,
    explanation: Explanation,
    #[serde(default)]
    reason: Option<String>,
    choice: Choice,
}

#[derive(Deserialize)]
struct Explanation {
    condition: Condition,
    next: Value,
}

impl From<Listed> for Item {
    fn from(Listed { text, status }: Listed) -> Self {
        let explained = text.strip_prefix(&format!("{}: ", status.name)).unwrap_or(&text);
        let question = status.explanation.next["when_answered"]["error"].as_str().and_then(|id| id.parse().ok());
        Self {
            id: status.item,
            text: explained.to_owned(),
            name: status.name,
            reason: status.reason.map(|reason| Escaped(&reason).to_string()),
            condition: status.explanation.condition,
            choice: status.choice,
            question,
        }
    }
}

/// The choice of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Choice {
    Checked,
    Unchecked,
}

/// The condition of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Running,
    Waiting,
    Succeeded,
    Failed,
    NeedsUser,
    Other,
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match name_of(&Value::deserialize(deserializer)?) {
            "running" => Self::Running,
            "waiting" => Self::Waiting,
            "succeeded" => Self::Succeeded,
            "failed" | "interrupted" => Self::Failed,
            "needs_user" => Self::NeedsUser,
            _ => Self::Other,
        })
    }
}

/// Returns the name of a variant.
pub(super) fn name_of(value: &Value) -> &str {
    let key = || value.as_object().and_then(|fields| fields.keys().next()).map(String::as_str);
    value.as_str().or_else(key).unwrap_or_default()
}

/// An entry of the log of a handler.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Record {
    /// The handler. Only the path of the answer names it: it is set when the log is loaded.
    #[serde(skip, default = "not_set")]
    pub(super) handler: HandlerId,
    pub(super) session: u64,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    #[serde(deserialize_with = "safe_option")]
    pub(super) name: Option<String>,
    /// The revision of the question.
    #[serde(default)]
    pub(super) revision: Option<u32>,
    pub(super) entry: Entry,
}

fn not_set() -> HandlerId {
    HandlerId::from_u128(0)
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) level: String,
    #[serde(deserialize_with = "safe")]
    pub(super) text: String,
    #[serde(default)]
    pub(super) id: Option<ErrorId>,
    #[serde(default, deserialize_with = "action")]
    pub(super) action: Option<Action>,
}

/// The action of an entry.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Asks the handler for more, or applies a remedy. The text says which.
    Show(String),
    /// Answers a question with one of these choices.
    Decide(Vec<String>),
}

fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Action>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let choices = value["decide"]["choices"].as_array();
    let choices = choices.map(|choices| choices.iter().filter_map(Value::as_str).map(|text| Escaped(text).to_string()));
    let remedy = || serde_json::from_value::<syncmgr::log::Remedy>(value["remedy"].clone()).ok();
    Ok(match choices {
        Some(choices) => Some(Action::Decide(choices.collect())),
        None if value.is_null() => None,
        None => Some(Action::Show(remedy().map_or_else(|| "Show more".to_owned(), |remedy| remedy.to_string()))),
    })
}

/// A run that the manager starts without a request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Planned {
    pub(super) text: String,
    pub(super) entry: Of,
}

/// What waits, and why.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Held {
    pub(super) text: String,
    pub(super) held: Of,
}

/// The subject of an entry.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Of {
    pub(super) handler: HandlerId,
    #[serde(default)]
    pub(super) item: Option<ItemId>,
}

/// An earlier session.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Past {
    pub(super) session: u64,
    /// Milliseconds since 1970.
    pub(super) began: i64,
    pub(super) end: Option<End>,
    pub(super) handlers: Vec<HandlerId>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct End {
    pub(super) outcome: String,
    pub(super) items: std::collections::BTreeMap<String, u64>,
}

/// An open question.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Question {
    #[serde(rename = "question")]
    pub(super) id: u64,
    #[serde(deserialize_with = "safe")]
    pub(super) asker: String,
    #[serde(deserialize_with = "safe")]
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// The kind of a question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Confirm,
    Choose { choices: Vec<String> },
    Secret,
    Items { handlers: Vec<Offered> },
}

/// The items of a handler to choose from.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Offered {
    pub(super) handler: HandlerId,
    #[serde(deserialize_with = "safe")]
    pub(super) name: String,
    pub(super) items: Vec<OfferedItem>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct OfferedItem {
    pub(super) item: ItemId,
    #[serde(deserialize_with = "safe")]
    pub(super) name: String,
    pub(super) state: Choice,
}

fn safe<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Escaped(&String::deserialize(deserializer)?).to_string())
}

pub(super) fn safe_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| Escaped(&text).to_string()))
}
