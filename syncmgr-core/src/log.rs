//! The error log: `LogError`, `SYNCMGRLOGLEVEL`, `SYNCMGRLOGERRORINFO`.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::hresult::UnknownCode;
use crate::id::{ErrorId, ItemId};
use crate::redacted_url::RedactedUrl;
use crate::text::{Escaped, MAX_NAME, MAX_TEXT, bounded};
use crate::time::round_down;

/// The severity of a log entry: `SYNCMGRLOGLEVEL`.
///
/// ```
/// # use syncmgr_core::log::LogLevel;
/// assert!(LogLevel::Error > LogLevel::Warning);
/// assert!(LogLevel::try_from(4).is_err()); // not a level
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the contract defines exactly three levels")]
pub enum LogLevel {
    /// Information: `SYNCMGRLOGLEVEL_INFORMATION`.
    Information = 1,
    /// The work continued with a problem: `SYNCMGRLOGLEVEL_WARNING`.
    Warning = 2,
    /// The work failed: `SYNCMGRLOGLEVEL_ERROR`.
    Error = 3,
}

impl LogLevel {
    /// The highest level: `SYNCMGRLOGLEVEL_LOGLEVELMAX`.
    pub const MAX: Self = Self::Error;

    /// Returns the number in the Windows header.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for LogLevel {
    type Error = UnknownCode;

    /// Returns the level with this number. Numbers outside 1 to 3 are refused.
    ///
    /// See also: R140.
    fn try_from(value: u32) -> Result<Self, UnknownCode> {
        match value {
            1 => Ok(Self::Information),
            2 => Ok(Self::Warning),
            3 => Ok(Self::Error),
            _ => Err(UnknownCode { what: "log level", value }),
        }
    }
}

bitflags! {
    /// The flags of a log entry: `SYNCMGRERRORFLAGS`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ErrorFlags: u32 {
        /// The entry is a link: opening it calls `ShowError`. `SYNCMGRERRORFLAG_ENABLEJUMPTEXT`.
        const ENABLE_JUMP_TEXT = 0x1;
        const _ = !0;
    }
}

/// The details that a handler with callbacks passes with a log entry: `SYNCMGRLOGERRORINFO`.
///
/// A field is `None` if its bit in `mask` is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract defines exactly these fields")]
pub struct LogErrorInfo {
    /// The flags: `dwSyncMgrErrorFlags`.
    pub flags: Option<ErrorFlags>,
    /// The id that `ShowError` and `DeleteLogError` refer to: `ErrorID`.
    pub error: Option<ErrorId>,
    /// The item of the entry: `ItemID`.
    pub item: Option<ItemId>,
}

bitflags! {
    /// The valid fields of a [`LogErrorInfo`]: `SYNCMGRLOGERROR_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct LogErrorMask: u32 {
        /// The flags are valid: `SYNCMGRLOGERROR_ERRORFLAGS`.
        const ERROR_FLAGS = 0x0001;
        /// The id is valid: `SYNCMGRLOGERROR_ERRORID`.
        const ERROR_ID = 0x0002;
        /// The item is valid: `SYNCMGRLOGERROR_ITEMID`.
        const ITEM_ID = 0x0004;
    }
}

impl LogErrorInfo {
    /// Returns the fields that are set: `mask`.
    pub fn mask(&self) -> LogErrorMask {
        let mut mask = LogErrorMask::empty();
        mask.set(LogErrorMask::ERROR_FLAGS, self.flags.is_some());
        mask.set(LogErrorMask::ERROR_ID, self.error.is_some());
        mask.set(LogErrorMask::ITEM_ID, self.item.is_some());
        mask
    }

    /// Returns `true` if the entry is a link: it has `ENABLE_JUMP_TEXT` and an error id.
    ///
    /// See also: R141.
    pub fn is_link(&self) -> bool {
        self.error.is_some() && self.flags.is_some_and(|flags| flags.contains(ErrorFlags::ENABLE_JUMP_TEXT))
    }
}

/// An entry of the error log.
///
/// ```
/// # use syncmgr_core::{id::{ErrorId, ItemId}, log::{LogEntry, LogLevel}};
/// let full = LogEntry::new(LogLevel::Error, "the mailbox is full")
///     .with_item(ItemId::from_name("Inbox"))
///     .with_link(ErrorId::from_key("quota")); // opening it calls the handler's `show_error`
/// assert!(full.is_link());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "an entry is not logged until it is passed to `log`"]
pub struct LogEntry {
    /// The severity.
    pub level: LogLevel,
    /// The message, truncated to [`MAX_TEXT`].
    pub text: Arc<str>,
    /// The item, if the entry is about one.
    pub item: Option<ItemId>,
    /// The id of the entry, if it can be opened or deleted.
    pub id: Option<ErrorId>,
    /// The action on opening the entry, if any. An action needs an [`id`](Self::id).
    pub action: Option<Action>,
}

impl LogEntry {
    /// Creates an entry about the handler as a whole.
    pub fn new(level: LogLevel, text: impl AsRef<str>) -> Self {
        let text = Arc::from(bounded(text.as_ref(), MAX_TEXT));
        Self { level, text, item: None, id: None, action: None }
    }

    /// Sets the item.
    pub fn with_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }

    /// Sets the id, so that [`RunContext::delete_log`](crate::context::RunContext::delete_log) can delete the entry.
    pub fn with_id(self, id: ErrorId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Makes the entry a link: opening it calls [`show_error`](crate::handler::SyncHandler::show_error) with this id.
    pub fn with_link(self, id: ErrorId) -> Self {
        Self { id: Some(id), action: Some(Action::ShowError), ..self }
    }

    /// Adds a question to the entry. The user's answer goes to the host, not to the handler's `show_error`.
    pub fn with_question(self, id: ErrorId, question: Question) -> Self {
        Self { id: Some(id), action: Some(Action::Decide(Box::new(question))), ..self }
    }

    /// Makes the entry a link to a remedy. Opening it also calls
    /// [`show_error`](crate::handler::SyncHandler::show_error).
    ///
    /// ```
    /// # use syncmgr_core::{id::ErrorId, log::{Action, LogEntry, LogLevel, Remedy}};
    /// let expired = LogEntry::new(LogLevel::Warning, "the password was changed elsewhere")
    ///     .with_remedy(ErrorId::from_key("sign-in"), Remedy::SignIn);
    /// assert_eq!(expired.action, Some(Action::Remedy(Remedy::SignIn))); // a button that says "sign in"
    /// ```
    pub fn with_remedy(self, id: ErrorId, remedy: Remedy) -> Self {
        Self { id: Some(id), action: Some(Action::Remedy(remedy.in_millis())), ..self }
    }

    /// Creates the entry of a `LogError` call.
    ///
    /// ```
    /// # use syncmgr_core::log::{LogEntry, LogErrorInfo, LogLevel};
    /// let entry = LogEntry::from_info(LogLevel::Warning, "low on space", Some(&LogErrorInfo::default()));
    /// assert!(!entry.is_link()); // there is no id and no flag
    /// ```
    pub fn from_info(level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> Self {
        let info = info.copied().unwrap_or_default();
        let action = info.is_link().then_some(Action::ShowError);
        Self { item: info.item, id: info.error, action, ..Self::new(level, text) }
    }

    /// Truncates the texts of the entry to their limits.
    pub fn bounded(mut self) -> Self {
        truncate(&mut self.text, MAX_TEXT);
        if let Some(Action::Decide(question)) = &mut self.action {
            question.bound();
        }
        self
    }

    /// Returns the details of this entry for `LogError`.
    pub fn info(&self) -> LogErrorInfo {
        let flags = self.is_link().then_some(ErrorFlags::ENABLE_JUMP_TEXT);
        LogErrorInfo { flags, error: self.id, item: self.item }
    }

    /// Returns `true` if the entry asks a question about this item.
    pub fn has_question_for(&self, item: ItemId) -> bool {
        self.item == Some(item) && matches!(self.action, Some(Action::Decide(_)))
    }

    /// Returns `true` if the entry has an action on opening.
    pub fn is_link(&self) -> bool {
        self.id.is_some() && self.action.is_some()
    }
}

/// The action on opening a log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Calls the handler: `ShowError`.
    ShowError,
    /// Asks this question; the item runs again with the answer.
    Decide(Box<Question>),
    /// Applies this remedy, then calls the handler, which may run items again: `ShowError`.
    Remedy(Remedy),
}

/// A decision that an item waits for.
///
/// ```
/// # use syncmgr_core::{id::{ErrorId, ItemId}, log::{LogEntry, LogLevel, Question}};
/// let question = Question::new("conflict", "Which side is right?", ["here".into(), "there".into()]);
/// let item = ItemId::from_name("notes.txt");
/// let entry = LogEntry::new(LogLevel::Warning, &question.text).with_item(item);
/// let entry = entry.with_question(ErrorId::of_question(item, "conflict"), question);
/// assert!(entry.has_question_for(item));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The key of the decision, unique within its item.
    pub key: Arc<str>,
    /// The text of the question.
    pub text: Arc<str>,
    /// The texts of the choices.
    pub choices: Arc<[Arc<str>]>,
    /// The remedy of each choice in a question of the host; empty in a question of the handler.
    #[serde(default, skip_serializing_if = "no_remedies")]
    pub remedies: Arc<[Remedy]>,
    /// A digest of the subject. An answer counts only for a question with the same digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u64>,
}

fn no_remedies(remedies: &[Remedy]) -> bool {
    remedies.is_empty()
}

/// A fix that the user can choose for a problem that keeps an item from running.
///
/// ```
/// # use syncmgr_core::{log::Remedy, redacted_url::RedactedUrl};
/// let upgrade = Remedy::OpenPage(RedactedUrl::new("https://example.org/plans")?);
/// assert_eq!(upgrade.to_string(), "open https://example.org/plans");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Remedy {
    /// Carry out the plan as proposed.
    Allow,
    /// Change nothing.
    Refuse,
    /// Delete nothing and restore the missing entries.
    Revert,
    /// Use this side.
    ChooseSide(Arc<str>),
    /// Sign in, or enter a new password.
    SignIn,
    /// Free space at the destination.
    FreeSpace,
    /// Wait until this time.
    WaitUntil(#[serde(with = "crate::time")] SystemTime),
    /// Open this page. No policy does this automatically.
    OpenPage(RedactedUrl),
    /// Set the saved state aside and start over.
    Reset,
    /// Try again now.
    TryAgain,
}

impl Remedy {
    /// Returns the remedy with its time in whole milliseconds, as it is stored.
    fn in_millis(self) -> Self {
        match self {
            Self::WaitUntil(time) => Self::WaitUntil(round_down(time)),
            remedy => remedy,
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("continue"),
            Self::Refuse => f.write_str("change nothing"),
            Self::Revert => f.write_str("restore the missing entries"),
            Self::ChooseSide(side) => write!(f, "use {}", Escaped(side)),
            Self::SignIn => f.write_str("sign in"),
            Self::FreeSpace => f.write_str("free some space"),
            Self::WaitUntil(_) => f.write_str("wait"),
            Self::OpenPage(page) => write!(f, "open {page}"),
            Self::Reset => f.write_str("set the saved state aside and start over"),
            Self::TryAgain => f.write_str("try again"),
        }
    }
}

impl Question {
    /// Creates a question with these choices.
    pub fn new(key: &str, text: &str, choices: impl IntoIterator<Item = Arc<str>>) -> Self {
        let choices = choices.into_iter().collect();
        let mut question = Self { key: key.into(), text: text.into(), choices, remedies: Arc::default(), digest: None };
        question.bound();
        question
    }

    /// Creates a question of the host about the subject of `digest`. Each choice applies its remedy.
    pub fn of_host(key: &str, text: &str, remedies: impl IntoIterator<Item = Remedy>, digest: u64) -> Self {
        let remedies: Arc<[Remedy]> = remedies.into_iter().map(Remedy::in_millis).collect();
        let choices: Vec<_> = remedies.iter().map(|remedy| Arc::from(remedy.to_string())).collect();
        Self { remedies, digest: Some(digest), ..Self::new(key, text, choices) }
    }

    /// Returns a number that changes with the question: with its text, its choices, or its subject. An answer with the revision that the
    /// user has read cannot approve what the user has not seen.
    ///
    /// ```
    /// # use syncmgr_core::log::{Question, Remedy};
    /// let of = |entries: u64| Question::of_host("guard", "Delete them?", [Remedy::Allow, Remedy::Refuse], entries);
    /// assert_eq!(of(22).revision(), of(22).revision());
    /// assert_ne!(of(22).revision(), of(30).revision());
    /// ```
    pub fn revision(&self) -> u32 {
        let Self { key, text, choices, remedies: _, digest } = self;
        let bits = ErrorId::from_key(&format!("{:?}", (key, text, choices, digest))).guid().as_u128();
        (bits >> 96) as u32
    }

    /// Truncates the texts to their limits.
    pub fn bound(&mut self) {
        truncate(&mut self.key, MAX_NAME);
        truncate(&mut self.text, MAX_TEXT);
        if self.choices.iter().any(|choice| choice.len() > MAX_NAME) {
            self.choices = self.choices.iter().map(|choice| Arc::from(bounded(choice, MAX_NAME))).collect();
        }
    }
}

fn truncate(text: &mut Arc<str>, limit: usize) {
    if text.len() > limit {
        *text = Arc::from(bounded(text, limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r140_levels_outside_1_to_3_are_refused_as_an_invalid_argument() {
        let levels: Vec<u32> = (0..10).filter(|&code| LogLevel::try_from(code).is_ok()).collect();
        assert_eq!(levels, [1, 2, 3]);
        let refused = LogLevel::try_from(4).expect_err("4 is above the maximum");
        assert_eq!(refused.hresult(), crate::hresult::HResult::E_INVALIDARG);
    }

    #[test]
    fn r141_an_entry_is_a_link_only_with_jump_text_and_an_error_id() {
        let error = Some(ErrorId::from_u128(1));
        let jump = Some(ErrorFlags::ENABLE_JUMP_TEXT);
        let link = |flags, error| {
            LogEntry::from_info(LogLevel::Error, "x", Some(&LogErrorInfo { flags, error, item: None })).is_link()
        };
        assert!(link(jump, error));
        assert!(!link(jump, None));
        assert!(!link(None, error));
        assert!(!link(Some(ErrorFlags::empty()), error));
        assert!(!LogEntry::from_info(LogLevel::Error, "x", None).is_link());
    }

    #[test]
    fn an_entry_survives_conversion_to_callback_arguments() {
        let entry =
            LogEntry::new(LogLevel::Warning, "half").with_item(ItemId::from_u128(2)).with_link(ErrorId::from_u128(3));
        assert_eq!(LogEntry::from_info(entry.level, &entry.text, Some(&entry.info())), entry);
    }
}
