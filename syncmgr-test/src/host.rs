//! A host's callback with scripted answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr_core::classic::{Attention, SyncCallback};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::log::{LogErrorInfo, LogLevel};
use syncmgr_core::progress::{Progress, ProgressState};
use syncmgr_core::sync::Mutex;

use crate::Transcript;

/// A callback that records every call and returns scripted answers. The default answer is `S_OK`.
///
/// The recorded lines use the Windows names: `PrepareForSyncCompleted S_OK`, `Progress <item> <what changed> -> <answer>`,
/// `LogError <level> <text>`.
#[derive(Clone, Default)]
pub struct ScriptedHost {
    transcript: Transcript,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    cancelled: BTreeMap<ItemId, HResult>,
    all: Option<HResult>,
    attention: Option<HResult>,
    connection: Option<HResult>,
    panics: bool,
    states: BTreeMap<ItemId, ProgressState>,
    again: Vec<ItemId>,
}

impl ScriptedHost {
    /// Creates a host that answers every call with `S_OK`.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Creates a host that writes to this transcript.
    pub fn with_transcript(transcript: &Transcript) -> Arc<Self> {
        Arc::new(Self { transcript: transcript.clone(), script: Arc::default() })
    }

    /// Answers all further `Progress` calls for this item with `S_SYNCMGR_CANCELITEM`.
    pub fn cancel_item(&self, item: ItemId) {
        self.script.lock().cancelled.insert(item, HResult::S_SYNCMGR_CANCELITEM);
    }

    /// Answers all further `Progress` calls with `S_SYNCMGR_CANCELALL`.
    pub fn cancel_all(&self) {
        self.script.lock().all = Some(HResult::S_SYNCMGR_CANCELALL);
    }

    /// Answers all further `EnableModeless(TRUE)` calls with this code.
    pub fn answer_attention(&self, code: HResult) {
        self.script.lock().attention = Some(code);
    }

    /// Answers all further `EstablishConnection` calls with this code.
    pub fn answer_connection(&self, code: HResult) {
        self.script.lock().connection = Some(code);
    }

    /// Makes all further calls panic after they are recorded.
    pub fn panic_from_now_on(&self) {
        self.script.lock().panics = true;
    }

    /// Returns the recorded calls, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Returns the last value of every field reported for an item.
    pub fn state(&self, item: ItemId) -> ProgressState {
        self.script.lock().states.get(&item).cloned().unwrap_or_default()
    }

    /// Returns the items in the last `ShowErrorCompleted`.
    pub fn retry_items(&self) -> Vec<ItemId> {
        self.script.lock().again.clone()
    }

    fn note(&self, line: String, answer: HResult) -> HResult {
        self.transcript.note(if answer.is_ok() { line } else { format!("{line} -> {answer}") });
        if self.script.lock().panics {
            // `panic!` would print a message, although the script requests the panic.
            std::panic::resume_unwind(Box::new("panic requested by the script"));
        }
        answer
    }
}

impl SyncCallback for ScriptedHost {
    fn show_properties_completed(&self, code: HResult) -> HResult {
        self.note(format!("ShowPropertiesCompleted {code}"), HResult::S_OK)
    }

    fn prepare_for_sync_completed(&self, code: HResult) -> HResult {
        self.note(format!("PrepareForSyncCompleted {code}"), HResult::S_OK)
    }

    fn synchronize_completed(&self, code: HResult) -> HResult {
        self.note(format!("SynchronizeCompleted {code}"), HResult::S_OK)
    }

    fn show_error_completed(&self, code: HResult, items: &[ItemId]) -> HResult {
        self.script.lock().again = items.to_vec();
        self.note(format!("ShowErrorCompleted {code} {}", items.len()), HResult::S_OK)
    }

    fn enable_modeless(&self, attention: Attention) -> HResult {
        match attention {
            Attention::Ask => {
                let answer = self.script.lock().attention.unwrap_or(HResult::S_OK);
                self.note("EnableModeless TRUE".into(), answer)
            }
            Attention::Release => self.note("EnableModeless FALSE".into(), HResult::S_OK),
        }
    }

    fn progress(&self, item: ItemId, report: Option<&Progress>) -> HResult {
        let answer = {
            let mut script = self.script.lock();
            if let Some(report) = report {
                script.states.entry(item).or_default().apply(report);
            }
            script.all.or(script.cancelled.get(&item).copied()).unwrap_or(HResult::S_OK)
        };
        self.note(format!("Progress {item}{}", report_fields(report)), answer)
    }

    fn log_error(&self, level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> HResult {
        let link = if info.is_some_and(LogErrorInfo::is_link) { " link" } else { "" };
        self.note(format!("LogError {level:?} {text}{link}"), HResult::S_OK)
    }

    fn delete_log_error(&self, scope: ErrorScope) -> HResult {
        self.note(format!("DeleteLogError {scope:?}"), HResult::S_OK)
    }

    fn establish_connection(&self, name: Option<&str>) -> HResult {
        let answer = self.script.lock().connection.unwrap_or(HResult::S_OK);
        self.note(format!("EstablishConnection {}", name.unwrap_or("default")), answer)
    }
}

/// Formats the fields of a report that are set.
fn report_fields(report: Option<&Progress>) -> String {
    let Some(report) = report else { return " nothing".into() };
    let mut line = String::new();
    if let Some(status) = report.status {
        line += &format!(" {status:?}");
    }
    if let Some(value) = report.value {
        line += &format!(" value {value}");
    }
    if let Some(max) = report.max {
        line += &format!(" max {max}");
    }
    if let Some(text) = &report.text {
        line += &format!(" text {text}");
    }
    line
}

impl std::fmt::Debug for ScriptedHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScriptedHost")
    }
}
