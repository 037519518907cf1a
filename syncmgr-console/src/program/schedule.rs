//! The command `schedule`: when a handler or an item runs by itself, and what it requires.

use serde_json::{Value, json};
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::schedule::OverrideKind;
use syncmgr_console::Client;

use super::args::Change;
use super::failure::Failure;
use super::names;
use super::output::{line, safe};

/// The word that lets a declared value apply again.
const RESET: &str = "reset";

impl Change {
    /// Returns the values to set; `None` for those to reset. Several words are one schedule.
    fn values(&self) -> Result<Vec<(OverrideKind, Option<String>)>, Failure> {
        if self.reset {
            return Ok(OverrideKind::ALL.map(|kind| (kind, None)).into());
        }
        let schedule = (!self.schedule.is_empty()).then(|| self.schedule.join(" "));
        let given = [
            (OverrideKind::Schedule, schedule),
            (OverrideKind::Requirements, self.requires.clone()),
            (OverrideKind::Window, self.window.clone()),
        ];
        let given = given.into_iter().filter_map(|(kind, text)| Some((kind, text?)));
        // All are checked before the first is set.
        given.map(|(kind, text)| Ok((kind, checked(kind, text)?))).collect()
    }
}

fn checked(kind: OverrideKind, text: String) -> Result<Option<String>, Failure> {
    if text.trim() == RESET {
        return Ok(None);
    }
    kind.parse_of_person(&text, SystemClock::default().now().wall)?;
    Ok(Some(text))
}

/// Shows the settings, or changes them.
pub(crate) async fn schedule(client: &Client, change: &Change, json: bool) -> Result<(), Failure> {
    let values = change.values()?;
    let of = names::find(client, &change.what).await?.path();
    let path = format!("{of}/settings");
    if values.is_empty() {
        return show(&client.get(&path).await?, json);
    }
    for (kind, text) in values {
        let path = format!("{path}/{kind}");
        match text {
            Some(text) => _ = client.post::<Value>(&path, &json!({ "value": text })).await?,
            None => client.delete(&path).await?,
        }
    }
    if json {
        line(json!({}));
    } else {
        // When it runs next.
        line(names::text(&client.get::<Value>(&of).await?["text"]));
    }
    Ok(())
}

fn show(settings: &Value, json: bool) -> Result<(), Failure> {
    if json {
        line(settings);
        return Ok(());
    }
    for kind in OverrideKind::ALL {
        let Value::Object(texts) = &settings[kind.word()] else { continue };
        let text = |key: &str| texts.get(key).filter(|text| !text.is_null()).map(safe);
        let in_force = text("in_force").unwrap_or_else(|| "that of the handler, or none".to_owned());
        let origin = match (text("set"), text("declared")) {
            (None, _) => String::new(),
            (Some(_), Some(declared)) => format!(" (set; declared: {declared})"),
            (Some(_), None) => " (set)".to_owned(),
        };
        line(format_args!("{kind}: {in_force}{origin}"));
    }
    Ok(())
}
