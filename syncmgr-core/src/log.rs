//! The error log: `LogError`, `SYNCMGRLOGLEVEL`, `SYNCMGRLOGERRORINFO`.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::hresult::UnknownCode;
use crate::id::{ErrorId, ItemId};
use crate::page::Page;
use crate::text::{Escaped, MAX_NAME, MAX_TEXT, bounded};
use crate::time::round_down;

/// How serious an entry is: `SYNCMGRLOGLEVEL`.
///
/// ```
/// # use syncmgr_core::log::LogLevel;
/// assert!(LogLevel::Error > LogLevel::Warning);
/// assert!(LogLevel::try_from(4).is_err()); // a number of a COM peer, refused
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the contract has three")]
pub enum LogLevel {
    /// Worth knowing: `SYNCMGRLOGLEVEL_INFORMATION`.
    Information = 1,
    /// Went on, but not as it should: `SYNCMGRLOGLEVEL_WARNING`.
    Warning = 2,
    /// Did not get done: `SYNCMGRLOGLEVEL_ERROR`.
    Error = 3,
}

impl LogLevel {
    /// `SYNCMGRLOGLEVEL_LOGLEVELMAX`: the largest level there is.
    pub const MAX: Self = Self::Error;

    /// The number of the Windows header.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for LogLevel {
    type Error = UnknownCode;

    /// The level with this number; anything outside 1 to 3 is refused (R140).
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
    /// `SYNCMGRERRORFLAGS`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ErrorFlags: u32 {
        /// The entry is a link: opening it calls `ShowError` (R141). `SYNCMGRERRORFLAG_ENABLEJUMPTEXT`.
        const ENABLE_JUMP_TEXT = 0x1;
        const _ = !0;
    }
}

/// What a call/completed-style handler says about an entry: `SYNCMGRLOGERRORINFO`.
///
/// A field that is `None` is one whose bit in `mask` is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields the contract has")]
pub struct LogErrorInfo {
    /// `dwSyncMgrErrorFlags`.
    pub flags: Option<ErrorFlags>,
    /// `ErrorID`: what `ShowError` and `DeleteLogError` name the entry by.
    pub error: Option<ErrorId>,
    /// `ItemID`: the item the entry is about.
    pub item: Option<ItemId>,
}

bitflags! {
    /// `SYNCMGRLOGERROR_*`: which fields of [`LogErrorInfo`] are valid.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct LogErrorMask: u32 {
        /// `SYNCMGRLOGERROR_ERRORFLAGS`.
        const ERROR_FLAGS = 0x0001;
        /// `SYNCMGRLOGERROR_ERRORID`.
        const ERROR_ID = 0x0002;
        /// `SYNCMGRLOGERROR_ITEMID`.
        const ITEM_ID = 0x0004;
    }
}

impl LogErrorInfo {
    /// Which fields are set: `mask`.
    pub fn mask(&self) -> LogErrorMask {
        let mut mask = LogErrorMask::empty();
        mask.set(LogErrorMask::ERROR_FLAGS, self.flags.is_some());
        mask.set(LogErrorMask::ERROR_ID, self.error.is_some());
        mask.set(LogErrorMask::ITEM_ID, self.item.is_some());
        mask
    }

    /// Whether the entry is a link: it needs `ENABLE_JUMP_TEXT` and an error id (R141).
    pub fn is_link(&self) -> bool {
        self.error.is_some() && self.flags.is_some_and(|flags| flags.contains(ErrorFlags::ENABLE_JUMP_TEXT))
    }
}

/// One entry of the error log.
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
#[must_use = "an entry is in no log until it is handed to `log`"]
pub struct LogEntry {
    /// How serious it is.
    pub level: LogLevel,
    /// What happened, in words; cut at [`MAX_TEXT`].
    pub text: Arc<str>,
    /// The item it is about, if it is about one.
    pub item: Option<ItemId>,
    /// What the entry is named by, if it can be opened or deleted.
    pub error: Option<ErrorId>,
    /// What opening the entry does. Without an [`error`](Self::error) id there is nothing to open (R141).
    pub action: Option<Action>,
}

impl LogEntry {
    /// An entry about the handler as a whole.
    pub fn new(level: LogLevel, text: impl AsRef<str>) -> Self {
        let text = Arc::from(bounded(text.as_ref(), MAX_TEXT));
        Self { level, text, item: None, error: None, action: None }
    }

    /// About this item.
    pub fn with_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }

    /// Named by this id, so that it can be deleted with [`RunContext::delete_log`](crate::context::RunContext::delete_log).
    pub fn with_error(self, error: ErrorId) -> Self {
        Self { error: Some(error), ..self }
    }

    /// A link: opening it calls [`show_error`](crate::handler::SyncHandler::show_error) with this id.
    pub fn with_link(self, error: ErrorId) -> Self {
        Self { error: Some(error), action: Some(Action::ShowError), ..self }
    }

    /// A link to a question that the host settles itself.
    pub fn with_question(self, error: ErrorId, question: Question) -> Self {
        Self { error: Some(error), action: Some(Action::Decide(question)), ..self }
    }

    /// A link to something that can be done about what the entry says; opening it also calls
    /// [`show_error`](crate::handler::SyncHandler::show_error).
    ///
    /// ```
    /// # use syncmgr_core::{id::ErrorId, log::{Action, LogEntry, LogLevel, Remedy}};
    /// let expired = LogEntry::new(LogLevel::Warning, "the password was changed elsewhere")
    ///     .with_remedy(ErrorId::from_key("sign-in"), Remedy::SignIn);
    /// assert_eq!(expired.action, Some(Action::Remedy(Remedy::SignIn))); // a button that says "sign in"
    /// ```
    pub fn with_remedy(self, error: ErrorId, remedy: Remedy) -> Self {
        Self { error: Some(error), action: Some(Action::Remedy(remedy.in_millis())), ..self }
    }

    /// The entry of a `LogError` call.
    ///
    /// ```
    /// # use syncmgr_core::log::{LogEntry, LogErrorInfo, LogLevel};
    /// let entry = LogEntry::from_info(LogLevel::Warning, "low on space", Some(&LogErrorInfo::default()));
    /// assert!(!entry.is_link()); // neither an id nor the flag was given (R141)
    /// ```
    pub fn from_info(level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> Self {
        let info = info.copied().unwrap_or_default();
        let action = info.is_link().then_some(Action::ShowError);
        Self { item: info.item, error: info.error, action, ..Self::new(level, text) }
    }

    /// The entry with its texts cut to their bounds, however it was made.
    pub fn bounded(mut self) -> Self {
        cut(&mut self.text, MAX_TEXT);
        if let Some(Action::Decide(question)) = &mut self.action {
            question.bound();
        }
        self
    }

    /// What `LogError` is told of this entry.
    pub fn info(&self) -> LogErrorInfo {
        let flags = self.is_link().then_some(ErrorFlags::ENABLE_JUMP_TEXT);
        LogErrorInfo { flags, error: self.error, item: self.item }
    }

    /// Whether the entry asks something of this item.
    pub fn asks_of(&self, item: ItemId) -> bool {
        self.item == Some(item) && matches!(self.action, Some(Action::Decide(_)))
    }

    /// Whether opening the entry does something (R141).
    pub fn is_link(&self) -> bool {
        self.error.is_some() && self.action.is_some()
    }
}

/// What opening an entry of the log does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Ask the handler: `ShowError`.
    ShowError,
    /// Answer this question; the item runs again with the answer.
    Decide(Question),
    /// Do this, then ask the handler, which may run items again: `ShowError`.
    Remedy(Remedy),
}

/// A decision an item waits for.
///
/// ```
/// # use syncmgr_core::{id::{ErrorId, ItemId}, log::{LogEntry, LogLevel, Question}};
/// let question = Question::new("conflict", "Which side is right?", ["here".into(), "there".into()]);
/// let item = ItemId::from_name("notes.txt");
/// let entry = LogEntry::new(LogLevel::Warning, &question.text).with_item(item);
/// let entry = entry.with_question(ErrorId::of_question(item, "conflict"), question);
/// assert!(entry.asks_of(item));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// Names the decision within its item.
    pub key: Arc<str>,
    /// The question in words.
    pub text: Arc<str>,
    /// The answers to choose from, in words.
    pub choices: Arc<[Arc<str>]>,
    /// What each answer does, where the host asks; empty where the handler does.
    #[serde(default, skip_serializing_if = "no_remedies")]
    pub remedies: Arc<[Remedy]>,
    /// Stands for what the question is about: an answer holds for this and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<u64>,
}

fn no_remedies(remedies: &[Remedy]) -> bool {
    remedies.is_empty()
}

/// Something that can be done about what keeps an item from running.
///
/// ```
/// # use syncmgr_core::{log::Remedy, page::Page};
/// let upgrade = Remedy::OpenPage(Page::new("https://example.org/plans")?);
/// assert_eq!(upgrade.to_string(), "open https://example.org/plans");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Remedy {
    /// Carry the plan out as it was declared.
    Allow,
    /// Leave things as they are.
    Refuse,
    /// Do not delete: bring back what is missing.
    Revert,
    /// This side is right.
    ChooseSide(Arc<str>),
    /// Sign in, or give a new password.
    SignIn,
    /// Make room where it is written.
    FreeSpace,
    /// Wait until this time.
    WaitUntil(#[serde(with = "crate::time")] SystemTime),
    /// Open this page; never by policy.
    OpenPage(Page),
    /// Put the saved state aside and begin afresh.
    Reset,
    /// Try again now.
    TryAgain,
}

impl Remedy {
    /// The same, as a store keeps it: times in whole milliseconds.
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
            Self::Allow => f.write_str("go on"),
            Self::Refuse => f.write_str("leave things as they are"),
            Self::Revert => f.write_str("bring back what is missing"),
            Self::ChooseSide(side) => write!(f, "{} is right", Escaped(side)),
            Self::SignIn => f.write_str("sign in"),
            Self::FreeSpace => f.write_str("free some space"),
            Self::WaitUntil(_) => f.write_str("wait"),
            Self::OpenPage(page) => write!(f, "open {page}"),
            Self::Reset => f.write_str("put the saved state aside and begin afresh"),
            Self::TryAgain => f.write_str("try again"),
        }
    }
}

impl Question {
    /// A question with these answers, in words.
    pub fn new(key: &str, text: &str, choices: impl IntoIterator<Item = Arc<str>>) -> Self {
        let choices = choices.into_iter().collect();
        let mut question = Self { key: key.into(), text: text.into(), choices, remedies: Arc::default(), digest: None };
        question.bound();
        question
    }

    /// A question of the host's about what `digest` stands for. Each answer does something.
    pub fn of_host(key: &str, text: &str, remedies: impl IntoIterator<Item = Remedy>, digest: u64) -> Self {
        let remedies: Arc<[Remedy]> = remedies.into_iter().map(Remedy::in_millis).collect();
        let choices: Vec<_> = remedies.iter().map(|remedy| Arc::from(remedy.to_string())).collect();
        Self { remedies, digest: Some(digest), ..Self::new(key, text, choices) }
    }

    /// Cuts the texts to their bounds.
    pub fn bound(&mut self) {
        cut(&mut self.key, MAX_NAME);
        cut(&mut self.text, MAX_TEXT);
        if self.choices.iter().any(|choice| choice.len() > MAX_NAME) {
            self.choices = self.choices.iter().map(|choice| Arc::from(bounded(choice, MAX_NAME))).collect();
        }
    }
}

fn cut(text: &mut Arc<str>, limit: usize) {
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
    fn an_entry_survives_the_way_over_the_callback() {
        let entry =
            LogEntry::new(LogLevel::Warning, "half").with_item(ItemId::from_u128(2)).with_link(ErrorId::from_u128(3));
        assert_eq!(LogEntry::from_info(entry.level, &entry.text, Some(&entry.info())), entry);
    }
}
