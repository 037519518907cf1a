//! Handlers and items by their names or ids.

use std::collections::BTreeMap;

use serde_json::Value;
use syncmgr::text::Escaped;
use syncmgr_console::Client;

use super::failure::Failure;

/// A handler, and one of its items if one is named.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) handler: String,
    pub(crate) item: Option<String>,
}

impl Named {
    /// Returns the path of the handler or the item.
    pub(crate) fn path(&self) -> String {
        match &self.item {
            Some(item) => format!("/v1/handlers/{}/items/{item}", self.handler),
            None => format!("/v1/handlers/{}", self.handler),
        }
    }
}

/// The names of the handlers and items of a program. Each list is read once.
pub(crate) struct Names<'a> {
    client: &'a Client,
    handlers: Option<Value>,
    items: BTreeMap<String, Value>,
}

impl<'a> Names<'a> {
    /// Creates the names of a program. Reads nothing yet.
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client, handlers: None, items: BTreeMap::new() }
    }

    /// Finds a handler or an item. The name of a handler may contain `/`: the longest one that fits counts.
    pub(crate) async fn find(&mut self, text: &str) -> Result<Named, Failure> {
        let splits = text.match_indices('/').map(|(at, _)| (&text[..at], Some(&text[at + 1..])));
        let splits = [(text, None)].into_iter().chain(splits.collect::<Vec<_>>().into_iter().rev());
        for (name, item) in splits {
            let Some(handler) = one(self.handlers().await?, "handler", name)? else { continue };
            let item = match item {
                Some(item) => Some(self.find_item((&handler, name), item).await?),
                None => None,
            };
            return Ok(Named { handler, item });
        }
        let advice = "`syncmgr status` lists the handlers";
        Err(match text {
            "" => Failure::Unnamed { kind: "handler", advice: advice.into() },
            text => Failure::unknown(text, advice),
        })
    }

    /// Finds an item.
    pub(crate) async fn find_item_of(&mut self, text: &str) -> Result<(String, String), Failure> {
        match self.find(text).await? {
            Named { handler, item: Some(item) } => Ok((handler, item)),
            Named { .. } => Err(Failure::unknown(text, "name an item, as HANDLER/ITEM")),
        }
    }

    /// Finds an item of the handler with this id, which the user has called `name`.
    async fn find_item(&mut self, (handler, name): (&str, &str), item: &str) -> Result<String, Failure> {
        let items = self.items(handler).await?;
        if let Some(found) = one(items, "item", item)? {
            return Ok(found);
        }
        let of = Escaped(name).to_string();
        let advice = format!("`syncmgr items {of}` lists the items").into();
        Err(match items.as_array() {
            _ if item.is_empty() => Failure::Unnamed { kind: "item", advice },
            Some(known) if known.is_empty() => Failure::Unlisted { handler: of },
            _ => Failure::unknown(&format!("{name}/{item}"), advice),
        })
    }

    async fn handlers(&mut self) -> Result<&Value, Failure> {
        let handlers = match self.handlers.take() {
            Some(handlers) => handlers,
            None => self.client.get::<Value>("/v1/handlers").await?["handlers"].take(),
        };
        Ok(self.handlers.insert(handlers))
    }

    async fn items(&mut self, handler: &str) -> Result<&Value, Failure> {
        let items = match self.items.remove(handler) {
            Some(items) => items,
            None => self.client.get::<Value>(&format!("/v1/handlers/{handler}/names")).await?["names"].take(),
        };
        Ok(self.items.entry(handler.to_owned()).or_insert(items))
    }
}

/// Finds a handler or an item.
pub(crate) async fn find(client: &Client, text: &str) -> Result<Named, Failure> {
    Names::new(client).find(text).await
}

/// Finds a handler.
pub(crate) async fn find_handler(client: &Client, text: &str) -> Result<String, Failure> {
    match find(client, text).await? {
        Named { handler, item: None } => Ok(handler),
        Named { .. } => Err(Failure::unknown(text, "name a handler, not an item")),
    }
}

/// Returns the text of a value, such as an id.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the name of a handler among these, or its id.
pub(crate) fn name_of<'a>(handlers: &'a Value, handler: &'a Value) -> &'a Value {
    let named = handlers.as_array().into_iter().flatten().find(|of| of["handler"] == *handler);
    named.map_or(handler, |of| &of["name"])
}

/// Returns the id of the entry with this id or name. Fails if several have the name.
fn one(entries: &Value, key: &str, text: &str) -> Result<Option<String>, Failure> {
    let entries = entries.as_array().into_iter().flatten();
    let fits = entries.filter(|entry| entry[key] == text || entry["name"] == text);
    let mut ids: Vec<_> = fits.filter_map(|entry| entry[key].as_str()).collect();
    match ids.len() {
        0 | 1 => Ok(ids.pop().map(str::to_owned)),
        _ => Err(Failure::unknown(text, "several have this name; use the id, which `--json` shows")),
    }
}
