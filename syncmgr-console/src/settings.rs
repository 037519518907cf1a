//! The settings of handlers and items as texts, for the API and the page.

use serde_json::{Value, json};
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::schedule::{KnownSettings, Override, OverrideError, OverrideKind, Settings};

/// Parses a value that a person sets now.
pub(crate) fn parse(kind: OverrideKind, text: &str) -> Result<Override, OverrideError> {
    kind.parse_of_person(text, SystemClock::default().now().wall)
}

/// The texts of one setting.
pub(crate) struct Texts {
    /// What applies. `None` for a schedule of which there is none; an item then has that of its handler.
    pub(crate) in_force: Option<String>,
    /// What the code declares. `None` also if that is not known yet.
    pub(crate) declared: Option<String>,
    /// What a person has set.
    pub(crate) set: Option<String>,
}

impl Texts {
    /// Returns the texts of a setting.
    pub(crate) fn of(known: &KnownSettings, kind: OverrideKind) -> Self {
        Self {
            in_force: text(&known.in_force(), kind),
            declared: known.declared.as_ref().and_then(|declared| text(declared, kind)),
            set: known.overrides.get(kind).map(ToString::to_string),
        }
    }

    /// Returns the JSON form.
    pub(crate) fn json(&self) -> Value {
        json!({ "in_force": self.in_force, "declared": self.declared, "set": self.set })
    }
}

fn text(settings: &Settings, kind: OverrideKind) -> Option<String> {
    let Settings { schedule, requirements, .. } = settings;
    match kind {
        OverrideKind::Schedule => schedule.as_ref().map(ToString::to_string),
        OverrideKind::Requirements => Some(Override::Requirements(requirements.iter().collect()).to_string()),
        _ => {
            let windows: Vec<_> = requirements.windows().map(ToString::to_string).collect();
            Some(if windows.is_empty() { Override::Window(None).to_string() } else { windows.join(" and ") })
        }
    }
}

/// Adds to a JSON object what applies, and what of it a person has set.
pub(crate) fn add_to(object: &mut Value, known: &KnownSettings) {
    let Settings { schedule, requirements, .. } = known.in_force();
    object["schedule"] = json!(schedule);
    object["windows"] = json!(requirements.windows().collect::<Vec<_>>());
    object["requires"] = requirements.iter().map(|requirement| requirement.word()).collect();
    object["set"] = known.overrides.iter().map(|set| set.kind().word()).collect();
}
