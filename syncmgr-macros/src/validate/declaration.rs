//! Validates the attribute: one function for each key.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::{LitStr, Path, parse_quote};
use uuid::Uuid;

use super::entry::{Keys, assigned, literal, word, words};
use super::limits::{Limits, limits};
use super::number::count;
use super::retry::{Retry, retry};
use super::settle::{Settle, settle};
use crate::mistakes::Mistakes;
use crate::parse::{Entry, entries};

/// The checked attribute. A default that compiles replaces each invalid value.
pub(crate) struct Declaration {
    pub(crate) krate: Path,
    pub(crate) id: Uuid,
    pub(crate) name: LitStr,
    pub(crate) flags: Vec<&'static str>,
    /// All capabilities, replacing the default ones; `None` if the attribute does not list any.
    pub(crate) capabilities: Option<Vec<&'static str>>,
    /// The requirements of automatic runs.
    pub(crate) requirements: Vec<&'static str>,
    /// The treatment of a run whose conditions end.
    pub(crate) condition_policy: Option<&'static str>,
    pub(crate) importance: Option<&'static str>,
    pub(crate) settle: Settle,
    pub(crate) limits: Limits,
    pub(crate) state_version: Option<u32>,
    /// The handler's retry rules; `None` leaves them to the manager.
    pub(crate) retry: Option<Retry>,
}

const KEYS: [&str; 12] = [
    "id",
    "name",
    "flags",
    "capabilities",
    "requires",
    "when_condition_ends",
    "importance",
    "settle",
    "limits",
    "state_version",
    "retry",
    "crate",
];
const FLAGS: [&str; 4] = ["has_properties", "may_establish_connection", "always_list", "hidden"];
const REQUIREMENTS: [&str; 6] =
    ["unmetered_network", "internet", "mains", "battery_not_low", "idle_user", "active_user"];
const CAPABILITIES: [&str; 6] = ["cancellable", "resumable", "idempotent", "needs_network", "real_time", "low_data"];

const CONDITION_POLICIES: [&str; 2] = ["finish", "stop"];
const IMPORTANCES: [&str; 3] = ["low", "normal", "high"];

/// The advice for each missing key.
const REQUIRED: [(&str, &str); 2] = [
    ("id", "give the handler a fresh UUID, as in `id = \"..\"`; `uuidgen` prints one"),
    ("name", "it is the name that users see, as in `name = \"Offline Web Pages\"`"),
];

/// The message for the keys `claim` and `claims`, which do not exist: the macro could add claims to an `info` that it
/// generates, but if the author writes `info`, the claims of the attribute would be lost unnoticed.
const CLAIMS: &str = "a claim is made at run time and cannot be in the constant `HANDLER`\n\
    add it in `info`, as in `fn info(&self) -> HandlerInfo { Self::HANDLER.with_claim(\"..\") }`";

/// The message for the keys `schedule` and `schedules`, which do not exist either: the time zones are those of the machine on which
/// the handler runs.
const SCHEDULES: &str = "a schedule is checked at run time and cannot be in the constant `HANDLER`\n\
    add it in `info`, as in `fn info(&self) -> HandlerInfo { Self::HANDLER.with_schedule(self.schedule.clone()) }`";

/// The maximum length of a name in UTF-16 code units: that of `szHandlerName` in `SYNCMGRHANDLERINFO`, without its
/// terminator.
const NAME_UNITS: usize = 31;

/// Checks the attribute.
pub(crate) fn declaration(attribute: TokenStream, mistakes: &mut Mistakes) -> Declaration {
    let mut declaration = defaults();
    let mut keys = Keys::new("key", &KEYS);
    for entry in entries(attribute, "`key = value`", mistakes) {
        match entry.key.to_string().as_str() {
            "claims" | "claim" => mistakes.at(&entry.key, CLAIMS),
            "schedules" | "schedule" => mistakes.at(&entry.key, SCHEDULES),
            _ => {
                let key = keys.recognize(&entry.key, mistakes);
                key.into_iter().for_each(|key| declaration.read(key, &entry, mistakes));
            }
        }
    }
    for (key, advice) in REQUIRED {
        if !keys.is_given(key) {
            mistakes.at_attribute(format!("`{key}` is missing\n{advice}"));
        }
    }
    declaration
}

fn defaults() -> Declaration {
    Declaration {
        krate: parse_quote!(::syncmgr),
        id: Uuid::from_u128(1),
        name: LitStr::new("unnamed", Span::call_site()),
        flags: Vec::new(),
        capabilities: None,
        requirements: Vec::new(),
        condition_policy: None,
        importance: None,
        settle: Settle::default(),
        limits: Limits::default(),
        state_version: None,
        retry: None,
    }
}

impl Declaration {
    fn read(&mut self, key: &str, entry: &Entry, mistakes: &mut Mistakes) {
        match key {
            "id" => self.id = id(entry, mistakes).unwrap_or(self.id),
            "name" => self.name = name(entry, mistakes).unwrap_or_else(|| self.name.clone()),
            "flags" => self.flags = flags(entry, mistakes).unwrap_or_default(),
            "capabilities" => self.capabilities = capabilities(entry, mistakes),
            "requires" => self.requirements = requirements(entry, mistakes).unwrap_or_default(),
            "when_condition_ends" => self.condition_policy = condition_policy(entry, mistakes),
            "importance" => self.importance = importance(entry, mistakes),
            "settle" => self.settle = settle(entry, mistakes),
            "limits" => self.limits = limits(entry, mistakes),
            "state_version" => self.state_version = state_version(entry, mistakes),
            "retry" => self.retry = retry(entry, mistakes),
            _ => self.krate = krate(entry, mistakes).unwrap_or_else(|| self.krate.clone()),
        }
    }
}

fn id(entry: &Entry, mistakes: &mut Mistakes) -> Option<Uuid> {
    let literal: LitStr = literal(entry, "a string literal", "id = \"..\"", mistakes)?;
    let text = literal.value();
    let wrong = match Uuid::try_parse(&text) {
        Err(_) => format!("this is not a UUID: {}\n`uuidgen` prints one", flaw(&text)),
        Ok(id) if id.is_nil() => {
            "the nil UUID cannot name a handler\ngive it a fresh UUID; `uuidgen` prints one".to_owned()
        }
        Ok(id) if text.len() != id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).len() => {
            format!("write the UUID with hyphens and nothing around it: `{id}`")
        }
        Ok(id) => return Some(id),
    };
    mistakes.at(literal, wrong);
    None
}

/// Returns the reason why `text` is not a UUID.
fn flaw(text: &str) -> String {
    if let Some(stray) = text.chars().find(|c| *c != '-' && !c.is_ascii_hexdigit()) {
        return format!("`{stray}` is not a hexadecimal digit");
    }
    let groups: Vec<String> = text.split('-').map(|group| group.len().to_string()).collect();
    format!("its digits are grouped {}, not 8-4-4-4-12", groups.join("-"))
}

fn name(entry: &Entry, mistakes: &mut Mistakes) -> Option<LitStr> {
    let literal: LitStr = literal(entry, "a string literal", "name = \"..\"", mistakes)?;
    let text = literal.value();
    let units = text.encode_utf16().count();
    let wrong = if text.trim().is_empty() {
        "the name is empty\nit is the name that users see".to_owned()
    } else if text.contains('\0') {
        "the name contains a NUL, which would end it in SYNCMGRHANDLERINFO".to_owned()
    } else if units > NAME_UNITS {
        format!(
            "a name has at most {NAME_UNITS} UTF-16 characters in SYNCMGRHANDLERINFO (rule R41), \
             this one has {units}\nshorten it: a name is never truncated silently"
        )
    } else {
        return Some(literal);
    };
    mistakes.at(literal, wrong);
    None
}

fn flags(entry: &Entry, mistakes: &mut Mistakes) -> Option<Vec<&'static str>> {
    words(entry, "flag", &FLAGS, "flags(hidden)", mistakes)
}

fn capabilities(entry: &Entry, mistakes: &mut Mistakes) -> Option<Vec<&'static str>> {
    words(entry, "capability", &CAPABILITIES, "capabilities(cancellable, resumable)", mistakes)
}

fn requirements(entry: &Entry, mistakes: &mut Mistakes) -> Option<Vec<&'static str>> {
    let requirements = words(entry, "requirement", &REQUIREMENTS, "requires(mains, idle_user)", mistakes)?;
    let excludes = |user| requirements.contains(&user);
    if excludes("idle_user") && excludes("active_user") {
        let text =
            "`idle_user` and `active_user` exclude each other: no automatic run could start\nrequire one of them";
        mistakes.at(&entry.key, text);
        return None;
    }
    Some(requirements)
}

fn condition_policy(entry: &Entry, mistakes: &mut Mistakes) -> Option<&'static str> {
    word(entry, "condition policy", &CONDITION_POLICIES, "when_condition_ends = stop", mistakes)
}

fn importance(entry: &Entry, mistakes: &mut Mistakes) -> Option<&'static str> {
    word(entry, "importance", &IMPORTANCES, "importance = high", mistakes)
}

fn state_version(entry: &Entry, mistakes: &mut Mistakes) -> Option<u32> {
    count(entry, "state_version = 2", "the first version of a handler's state is 1", mistakes)
}

fn krate(entry: &Entry, mistakes: &mut Mistakes) -> Option<Path> {
    let example = "crate = path::to::syncmgr";
    let tokens = assigned(entry, example, mistakes)?;
    if let Ok(path) = Path::parse_mod_style.parse2(tokens.clone()) {
        return Some(path);
    }
    let quoted = syn::parse2::<LitStr>(tokens.clone()).ok();
    let path = quoted.and_then(|text| text.parse_with(Path::parse_mod_style).ok());
    let found = if path.is_some() { "expected a path without quotes" } else { "expected a path" };
    mistakes.at(tokens, format!("{found}, as in `{example}`"));
    path
}
