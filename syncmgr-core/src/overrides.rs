//! What a person has set for a handler or an item, in place of what its code declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::{ErrorId, ItemId, Subject};
use crate::info::HandlerInfo;
use crate::item::SyncItem;
use crate::log::{LogEntry, LogLevel};
use crate::requirements::{Requirement, Requirements, UnknownRequirement};
use crate::schedule::{Schedule, ScheduleError, Window};
use crate::text::{Escaped, MAX_TEXT, bounded};

/// The text of an override that requires nothing.
const NONE: &str = "none";
/// The text of an override that allows automatic work at any time.
const ALWAYS: &str = "always";

/// A value that a person sets for a handler or an item.
///
/// The text form is stable, and is what a store keeps.
///
/// ```
/// # use syncmgr_core::overrides::{Override, OverrideKind};
/// let often = OverrideKind::Schedule.parse("every 15m")?;
/// assert_eq!((often.kind(), often.to_string()), (OverrideKind::Schedule, "every 15m".to_owned()));
/// assert_eq!(OverrideKind::Window.parse("always"), Ok(Override::Window(None)));
/// assert_eq!(OverrideKind::Requirements.parse("mains, internet")?.to_string(), "internet,mains");
/// # Ok::<(), syncmgr_core::overrides::OverrideError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Override {
    /// When it runs by itself. [`Schedule::NEVER`] lets it run only on request, after changes, and for retries.
    Schedule(Schedule),
    /// The conditions that automatic runs require. Empty for none.
    Requirements(BTreeSet<Requirement>),
    /// The window in which automatic runs may start; `None` for any time.
    Window(Option<Window>),
}

/// What can be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverrideKind {
    /// The schedule.
    Schedule,
    /// The conditions.
    Requirements,
    /// The window.
    Window,
}

impl OverrideKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Schedule, Self::Requirements, Self::Window];

    /// Returns the word for the kind, under which a store keeps the value. The words are stable.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Requirements => "requirements",
            Self::Window => "window",
        }
    }

    /// Parses the text form of a value: a schedule; requirements, separated by commas, or `none`; a window, or `always`.
    ///
    /// # Errors
    /// Returns an error if the text is not valid, or a time zone is not known.
    pub fn parse(self, text: &str) -> Result<Override, OverrideError> {
        let text = text.trim();
        Ok(match self {
            Self::Schedule => Override::Schedule(text.parse()?),
            Self::Requirements if text == NONE => Override::Requirements(BTreeSet::new()),
            Self::Requirements => {
                let words = text.split(',').map(|word| word.trim().parse());
                Override::Requirements(words.collect::<Result<_, _>>()?)
            }
            Self::Window if text == ALWAYS => Override::Window(None),
            Self::Window => Override::Window(Some(text.parse()?)),
        })
    }

    /// Parses a value like [`parse`](Self::parse), and refuses what a person who sets it at `now` cannot mean.
    ///
    /// # Errors
    /// Returns the errors of [`parse`](Self::parse), and those of [`Schedule::check_of_person`].
    pub fn parse_of_person(self, text: &str, now: SystemTime) -> Result<Override, OverrideError> {
        let value = self.parse(text)?;
        if let Override::Schedule(schedule) = &value {
            schedule.check_of_person(now)?;
        }
        Ok(value)
    }
}

impl fmt::Display for OverrideKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for OverrideKind {
    type Err = UnknownKind;

    /// Parses the [word](Self::word).
    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or(UnknownKind)
    }
}

/// A word that is not that of an [`OverrideKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write `schedule`, `requirements` or `window`")]
#[expect(clippy::exhaustive_structs, reason = "a fact and nothing else")]
pub struct UnknownKind;

/// A text that is no [`Override`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideError {
    /// The schedule or the window is not valid.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A requirement is not known.
    #[error(transparent)]
    Requirement(#[from] UnknownRequirement),
}

impl Override {
    /// Returns what it overrides.
    pub const fn kind(&self) -> OverrideKind {
        match self {
            Self::Schedule(_) => OverrideKind::Schedule,
            Self::Requirements(_) => OverrideKind::Requirements,
            Self::Window(_) => OverrideKind::Window,
        }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(schedule) => schedule.fmt(f),
            Self::Requirements(none) if none.is_empty() => f.write_str(NONE),
            Self::Requirements(all) => {
                f.write_str(&all.iter().map(|requirement| requirement.word()).collect::<Vec<_>>().join(","))
            }
            Self::Window(None) => f.write_str(ALWAYS),
            Self::Window(Some(window)) => window.fmt(f),
        }
    }
}

/// Everything that a person has set for a handler or an item: at most one value of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<OverrideKind, Override>);

impl Overrides {
    /// Nothing is set.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Returns the value of a kind. `None` if the declared one applies.
    pub fn get(&self, kind: OverrideKind) -> Option<&Override> {
        self.0.get(&kind)
    }

    /// Returns the values that are set.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.0.values()
    }

    /// Returns `true` if nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the value of a kind; `None` lets the declared one apply again.
    pub fn set(&mut self, kind: OverrideKind, value: Option<Override>) {
        match value {
            Some(value) => self.0.insert(value.kind(), value),
            None => self.0.remove(&kind),
        };
    }

    /// Returns the requirements and the window that are set. `None` if neither is.
    pub fn requirements(&self) -> Option<Requirements> {
        let any = self.iter().any(|value| value.kind() != OverrideKind::Schedule);
        any.then(|| Settings::default().with(self).requirements)
    }

    /// Returns the schedule that is set, unless it is [`NEVER`](Schedule::NEVER).
    pub fn firing_schedule(&self) -> Option<&Schedule> {
        match self.get(OverrideKind::Schedule) {
            Some(Override::Schedule(schedule)) => Some(schedule).filter(|schedule| !schedule.is_never()),
            _ => None,
        }
    }
}

impl FromIterator<Override> for Overrides {
    fn from_iter<I: IntoIterator<Item = Override>>(values: I) -> Self {
        Self(values.into_iter().map(|value| (value.kind(), value)).collect())
    }
}

impl Serialize for Overrides {
    /// Serializes a map of the text forms.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(kind, value)| (kind, value.to_string())))
    }
}

impl<'de> Deserialize<'de> for Overrides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<OverrideKind, String>::deserialize(deserializer)?;
        let values = texts.into_iter().map(|(kind, text)| kind.parse(&text));
        values.collect::<Result<_, _>>().map_err(de::Error::custom)
    }
}

/// When a handler or an item runs by itself, and what automatic runs require.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settings {
    /// The schedule. An item without one has that of its handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The requirements. Those of an item add to those of its handler.
    #[serde(flatten)]
    pub requirements: Requirements,
}

impl Settings {
    /// Returns the settings with what a person has set.
    ///
    /// ```
    /// # use syncmgr_core::{item::SyncItem, overrides::{OverrideKind, Overrides, Settings}, requirements::Requirement};
    /// let photos = Settings::from(&SyncItem::named("Photos").requires(Requirement::Mains));
    /// let set = Overrides::from_iter([OverrideKind::Requirements.parse("none")?]);
    /// assert!(photos.with(&set).requirements.is_empty());
    /// # Ok::<(), syncmgr_core::overrides::OverrideError>(())
    /// ```
    #[must_use]
    pub fn with(self, overrides: &Overrides) -> Self {
        overrides.iter().cloned().fold(self, |settings, value| match value {
            Override::Schedule(schedule) => Self { schedule: Some(schedule), ..settings },
            Override::Requirements(conditions) => {
                Self { requirements: settings.requirements.with_conditions(conditions), ..settings }
            }
            Override::Window(window) => Self { requirements: settings.requirements.with_window(window), ..settings },
        })
    }
}

impl From<&HandlerInfo> for Settings {
    fn from(info: &HandlerInfo) -> Self {
        Self { schedule: info.schedule().cloned(), requirements: info.requirements().clone() }
    }
}

impl From<&SyncItem> for Settings {
    fn from(item: &SyncItem) -> Self {
        Self { schedule: item.schedule().cloned(), requirements: item.requirements().clone() }
    }
}

/// The settings of a handler or an item: what its code declares, and what a person has set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownSettings {
    /// What the code declares. `None` for an item that its handler has not listed since it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Settings>,
    /// What a person has set.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

impl KnownSettings {
    /// Creates the settings of a handler or an item.
    pub const fn new(declared: Option<Settings>, overrides: Overrides) -> Self {
        Self { declared, overrides }
    }

    /// Returns the settings that apply.
    pub fn in_force(&self) -> Settings {
        self.declared.clone().unwrap_or_default().with(&self.overrides)
    }
}

/// The overrides of a handler and its items as a store keeps them: the text forms.
pub type StoredOverrides = BTreeMap<(Subject, OverrideKind), Arc<str>>;

/// Reads stored overrides. Those that cannot be read do not apply, and become entries for the log.
pub fn read_stored(stored: &StoredOverrides) -> (BTreeMap<Subject, Overrides>, Vec<LogEntry>) {
    let (mut read, mut unreadable) = (BTreeMap::<_, Overrides>::new(), Vec::new());
    for ((subject, kind), text) in stored {
        match kind.parse(text) {
            Ok(value) => read.entry(*subject).or_default().set(*kind, Some(value)),
            Err(error) => unreadable.push(unreadable_entry(*subject, *kind, text, &error)),
        }
    }
    (read, unreadable)
}

/// Returns the id of the log entry about a stored override that cannot be read. Each start of the program finds the value again, and
/// replaces the entry.
pub fn unreadable_id(subject: Subject, kind: OverrideKind) -> ErrorId {
    ErrorId::of_question(subject.item().unwrap_or(ItemId::from_u128(0)), &format!("override: {kind}"))
}

fn unreadable_entry(subject: Subject, kind: OverrideKind, text: &str, error: &OverrideError) -> LogEntry {
    let text = Escaped(text);
    let problem = format!("the {kind} `{text}` that was set does not apply: {error}; set it again, or reset it");
    let item = subject.item();
    let entry = LogEntry::new(LogLevel::Warning, bounded(&problem, MAX_TEXT)).with_id(unreadable_id(subject, kind));
    item.map_or(entry.clone(), |item| entry.with_item(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: OverrideKind, text: &str) -> Override {
        kind.parse(text).unwrap()
    }

    #[test]
    fn the_text_form_of_each_kind_is_read_back() {
        use OverrideKind::{Requirements, Schedule, Window};
        for (kind, text) in [
            (Schedule, "never"),
            (Schedule, "cron 30 2 * * * in Europe/Berlin; missed skip"),
            (Requirements, "none"),
            (Requirements, "unmetered-network,mains"),
            (Window, "always"),
            (Window, "22:00-06:00 in Europe/Berlin"),
        ] {
            assert_eq!(value(kind, text).to_string(), text);
            assert_eq!(kind.word().parse(), Ok(kind));
        }
    }

    #[test]
    fn a_person_sets_no_interval_below_a_second_and_no_time_that_is_past() {
        let now = crate::time::from_millis(1_800_000_000_000);
        let set = |text| OverrideKind::Schedule.parse_of_person(text, now).map_err(|error| error.to_string());
        let too_often = "a person sets an interval of at least one second, such as `every 15m`";
        assert_eq!(set("every 999ms; jitter 1ms").unwrap_err(), too_often);
        let past = "the time 2027-01-15 07:59:59Z is past; write a time to come";
        assert_eq!(set("once 2027-01-15T07:59:59Z; missed skip").unwrap_err(), past);
        assert!(set("every 1s").is_ok() && set("once 2027-01-15T08:00:00Z").is_ok() && set("never").is_ok());
        let stored = OverrideKind::Schedule.parse("once 2027-01-15T07:59:59Z");
        assert!(stored.is_ok(), "what was set before still applies");
    }

    #[test]
    fn what_is_set_replaces_only_what_is_declared_of_its_kind() {
        let declared = SyncItem::named("a").requires(Requirement::Mains).within("01:00-02:00 in UTC".parse().unwrap());
        let declared = Settings::from(&declared);
        let set = Overrides::from_iter([value(OverrideKind::Window, "03:00-04:00 in UTC")]);
        let settings = declared.clone().with(&set);
        assert_eq!(settings.requirements.iter().collect::<Vec<_>>(), [Requirement::Mains]);
        let windows: Vec<_> = settings.requirements.windows().map(ToString::to_string).collect();
        assert_eq!(windows, ["03:00-04:00 in UTC"]);
        let set =
            Overrides::from_iter([value(OverrideKind::Requirements, "none"), value(OverrideKind::Schedule, "never")]);
        let settings = declared.clone().with(&set);
        assert_eq!(settings.requirements.iter().count() + settings.requirements.windows().count(), 1);
        assert_eq!(settings.schedule, Some(Schedule::NEVER));
        assert_eq!(declared.clone().with(&Overrides::NONE), declared);
    }

    #[test]
    fn requirements_are_set_unless_only_a_schedule_is() {
        let schedule = || value(OverrideKind::Schedule, "never");
        assert_eq!(Overrides::NONE.requirements(), None);
        assert_eq!(Overrides::from_iter([schedule()]).requirements(), None);
        let none = Overrides::from_iter([schedule(), value(OverrideKind::Requirements, "none")]);
        assert_eq!(none.requirements(), Some(Requirements::NONE));
        let window = Overrides::from_iter([value(OverrideKind::Window, "03:00-04:00 in UTC")]);
        assert_eq!(window.requirements().map(|set| set.windows().count()), Some(1));
    }

    #[test]
    fn settings_survive_json() {
        let declared = SyncItem::named("a").requires(Requirement::Mains).within("01:00-02:00 in UTC".parse().unwrap());
        let set = Overrides::from_iter([value(OverrideKind::Window, "always")]);
        for known in [KnownSettings::default(), KnownSettings::new(Some(Settings::from(&declared)), set)] {
            let json = serde_json::to_string(&known).unwrap();
            assert_eq!(serde_json::from_str::<KnownSettings>(&json).unwrap(), known, "{json}");
        }
    }

    #[test]
    fn a_stored_value_that_cannot_be_read_becomes_an_entry_and_the_others_apply() {
        let item = ItemId::from_name("a");
        let stored = StoredOverrides::from([
            ((Subject::Item(item), OverrideKind::Schedule), "cron 0 1 * * * in Mars/Base".into()),
            ((Subject::Item(item), OverrideKind::Requirements), "mains".into()),
            ((Subject::Handler, OverrideKind::Window), "25:00-26:00 in UTC".into()),
        ]);
        let (read, entries) = read_stored(&stored);
        let mains = Overrides::from_iter([value(OverrideKind::Requirements, "mains")]);
        assert_eq!(read, BTreeMap::from([(Subject::Item(item), mains)]));
        assert_eq!(entries.iter().map(|entry| entry.item).collect::<Vec<_>>(), [None, Some(item)]);
        assert!(entries[1].text.contains("Mars/Base"), "{}", entries[1].text);
        assert_ne!(entries[0].id, entries[1].id);
    }
}
