//! The settings of a host.

mod file;
mod problem;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use offline_files::{Conflicts, Deletions};
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::handler::{Importance, Requirement, Requirements};
use syncmgr::schedule::{Schedule, ScheduleError, Window};
use toml::Spanned;

pub(super) use self::problem::Problem;
use self::problem::Source;
use super::places;
use super::words::{CONFLICTS, DELETE, DIRECTION, IMPORTANCE, Way, value_of};

/// The settings of a host.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) state: PathBuf,
    pub(super) socket: Option<PathBuf>,
    /// The port of the page.
    pub(super) page: Option<u16>,
    /// The maximum number of items that run at the same time, and of threads that work on one pair.
    pub(super) jobs: Option<usize>,
    pub(super) folders: Vec<Folder>,
}

/// The settings of a folder pair.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Folder {
    pub(super) name: String,
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) direction: Direction,
    pub(super) schedule: Option<Schedule>,
    pub(super) window: Option<Window>,
    pub(super) requires: Vec<Requirement>,
    pub(super) is_watched: bool,
    pub(super) importance: Importance,
}

/// In which directions changes go, with what is decided for these.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Direction {
    /// From `from` to `to`.
    To(Deletions),
    Both {
        conflicts: Conflicts,
        keep_replaced: Option<u32>,
        ignore_file: Option<PathBuf>,
    },
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// Returns all values that are not valid. A file that is not TOML, or has unknown keys or values of a wrong type, has one problem:
    /// the first.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = std::fs::read_to_string(path).map_err(|error| vec![Problem::unreadable(path, &error)])?;
        Self::parse(path, &text)
    }

    /// Reads the text of a settings file. Relative paths begin at its directory.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let source = Source::new(path, text);
        let file: file::File = toml::from_str(text).map_err(|error| vec![source.refused(&error)])?;
        let mut reader = Reader { source, problems: Vec::new() };
        let settings = reader.settings(file);
        if reader.problems.is_empty() { Ok(settings) } else { Err(reader.problems) }
    }

    /// Returns the names of the settings that differ and need a restart.
    pub(super) fn fixed_differences(&self, other: &Self) -> impl Iterator<Item = &'static str> + use<> {
        let differ = [
            ("state", self.state != other.state),
            ("socket", self.socket != other.socket),
            ("page", self.page != other.page),
            ("jobs", self.jobs != other.jobs),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name)
    }
}

/// Reads values, and collects the problems.
struct Reader<'a> {
    source: Source<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn settings(&mut self, file: file::File) -> Settings {
        let state = file.state.map(|path| self.source.resolve(path)).or_else(places::state);
        if state.is_none() {
            self.problems.push(Problem::general("there is no directory for the state: HOME is not set; set `state`"));
        }
        self.refuse_repeated_names(&file.folder);
        Settings {
            state: state.unwrap_or_default(),
            socket: file.socket.map(|path| self.source.resolve(path)),
            page: file.page,
            jobs: file.limits.jobs.map(usize::from),
            folders: self.folders(file.folder),
        }
    }

    /// The id of a handler derives from its name.
    fn refuse_repeated_names(&mut self, folders: &[file::Folder]) {
        let mut names = BTreeSet::new();
        for name in folders.iter().map(|folder| &folder.name) {
            if name.get_ref().trim().is_empty() {
                self.refuse("name", name, "a name is not empty");
            } else if !names.insert(name.get_ref()) {
                self.refuse("name", name, "another folder has this name; names are unique");
            }
        }
    }

    fn folders(&mut self, folders: Vec<file::Folder>) -> Vec<Folder> {
        let mut read: Vec<Folder> = Vec::new();
        for folder in folders {
            let span = folder.to.span();
            let folder = self.folder(folder);
            if let Some(message) = overlap(&folder, &read) {
                self.problems.push(self.source.problem("to", span, message));
            }
            read.push(folder);
        }
        read
    }

    /// Reads the path of a directory.
    fn directory(&mut self, key: &str, path: Spanned<PathBuf>) -> PathBuf {
        if path.get_ref().as_os_str().is_empty() {
            self.problems.push(self.source.problem(
                key,
                path.span(),
                "the path of a directory is not empty".to_owned(),
            ));
        }
        self.source.resolve(path.into_inner())
    }

    fn folder(&mut self, mut folder: file::Folder) -> Folder {
        let direction = self.direction(&mut folder);
        Folder {
            name: folder.name.into_inner(),
            from: self.directory("from", folder.from),
            to: self.directory("to", folder.to),
            direction,
            schedule: self.schedule(folder.schedule),
            window: self.value("window", folder.window, |text| text.parse().map_err(in_words)),
            requires: self.requires(folder.requires),
            is_watched: folder.watch,
            importance: self
                .value("importance", folder.importance, |text| value_of(IMPORTANCE, text))
                .unwrap_or_default(),
        }
    }

    fn direction(&mut self, folder: &mut file::Folder) -> Direction {
        let way =
            self.value("direction", folder.direction.take(), |text| value_of(DIRECTION, text)).unwrap_or_default();
        let deletions = self.value("delete", folder.delete.clone(), |text| value_of(DELETE, text));
        let conflicts = self.value("conflicts", folder.conflicts.clone(), |text| value_of(CONFLICTS, text));
        if way == Way::Both {
            let message = "a pair in both directions deletes what the other side has deleted; leave this out";
            self.refuse_key("delete", folder.delete.as_ref().map(Spanned::span), message);
            let ignore_file = folder.ignore_file.take().map(|file| self.source.resolve(file.into_inner()));
            let keep_replaced = folder.keep_replaced.take().map(Spanned::into_inner);
            return Direction::Both { conflicts: conflicts.unwrap_or_default(), keep_replaced, ignore_file };
        }
        const MESSAGE: &str = "only pairs with `direction = \"both\"` have this";
        self.refuse_key("conflicts", folder.conflicts.as_ref().map(Spanned::span), MESSAGE);
        self.refuse_key("keep-replaced", folder.keep_replaced.as_ref().map(Spanned::span), MESSAGE);
        self.refuse_key("ignore-file", folder.ignore_file.as_ref().map(Spanned::span), MESSAGE);
        Direction::To(deletions.unwrap_or_default())
    }

    /// Refuses a key that is there.
    fn refuse_key(&mut self, key: &str, span: Option<Range<usize>>, message: &str) {
        self.problems.extend(span.map(|span| self.source.problem(key, span, message.to_owned())));
    }

    /// Reads a schedule. A single time that is past is no mistake, because the file stays as it is once the time has come.
    fn schedule(&mut self, text: Option<Spanned<String>>) -> Option<Schedule> {
        let span = text.as_ref().map(Spanned::span).unwrap_or_default();
        let now = SystemClock::default().now().wall;
        let parse = |text: &str| text.parse::<Schedule>().map(|schedule| (schedule.check_of_person(now), schedule));
        let (checked, schedule) = self.value("schedule", text, |text| parse(text).map_err(in_words))?;
        match checked {
            Err(past @ ScheduleError::Past { .. }) => {
                tracing::warn!("{}", self.source.problem("schedule", span, past.to_string()));
            }
            Err(error) => self.problems.push(self.source.problem("schedule", span, error.to_string())),
            Ok(()) => {}
        }
        Some(schedule)
    }

    fn requires(&mut self, words: Vec<Spanned<String>>) -> Vec<Requirement> {
        let mut required = Requirements::NONE;
        for word in words {
            let span = word.span();
            let Some(requirement) = self.value("requires", Some(word), |text| text.parse().map_err(in_words)) else {
                continue;
            };
            required = required.with(requirement);
            if let Some((one, other)) = required.contradiction() {
                let message = format!("{one} and {other} exclude each other");
                self.problems.push(self.source.problem("requires", span, message));
            }
        }
        required.iter().collect()
    }

    /// Reads a value from its text. Returns `None` if it is left out or not valid.
    fn value<T>(
        &mut self,
        key: &str,
        text: Option<Spanned<String>>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = text?;
        parse(text.get_ref()).map_err(|message| self.refuse(key, &text, &message)).ok()
    }

    fn refuse(&mut self, key: &str, value: &Spanned<String>, message: &str) {
        self.problems.push(self.source.problem(key, value.span(), message.to_owned()));
    }
}

impl Folder {
    /// The directories that the pair changes.
    fn targets(&self) -> impl Iterator<Item = &Path> {
        let from = matches!(self.direction, Direction::Both { .. }).then_some(&*self.from);
        from.into_iter().chain([&*self.to])
    }
}

/// Says why a folder cannot be synchronized beside itself or these others.
fn overlap(folder: &Folder, others: &[Folder]) -> Option<String> {
    let contains = |one: &Path, other: &Path| one.starts_with(other) || other.starts_with(one);
    if contains(&folder.from, &folder.to) {
        return Some("neither of `from` and `to` may contain the other".to_owned());
    }
    // A pair that deletes nothing leaves the directories of others alone.
    let is_harmless = |outer: &Folder| outer.direction == Direction::To(Deletions::Never);
    let changes = |outer: &Folder, inner: &Folder| {
        let is_in = |target: &Path| outer.targets().any(|outer| target.starts_with(outer));
        let is_same = |target: &Path| outer.targets().any(|outer| target == outer);
        inner.targets().any(|target| is_same(target) || is_in(target) && !is_harmless(outer))
    };
    let other = others.iter().find(|other| changes(folder, other) || changes(other, folder))?;
    let is_both = [folder, other].iter().any(|folder| matches!(folder.direction, Direction::Both { .. }));
    Some(match is_both {
        true => format!(
            "`{}` changes the same directories, as `from` and `to` in both directions; keep them apart",
            other.name
        ),
        false => format!("`{}` mirrors into the same directories; give each folder a `to` of its own", other.name),
    })
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
