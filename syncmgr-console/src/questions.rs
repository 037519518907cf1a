//! Questions of handlers, and choices of items, to the users of a console.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncmgr::Interaction;
use syncmgr::choice::{Chooser, Chosen, Offer, Visibility};
use syncmgr::environment::{Asker, Confirmation, Secret};
use syncmgr::item::ItemState;
use syncmgr::prelude::*;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// The time that a question stays open after the last user has gone.
const ALONE: Duration = Duration::from_secs(30);

/// The users of a console, as the [`Interaction`] and the [`Chooser`] of a manager.
///
/// A question is open until a user of the program or the page answers it. It is answered once: the first answer counts. While no
/// user is there who could answer, an item that asks ends with [`NeedsUser`], and asks again in the next session that may.
///
/// ```
/// # use syncmgr::SyncManager;
/// # use syncmgr_console::{Console, Questions};
/// let questions = Questions::new();
/// let manager = SyncManager::builder().interaction(questions.clone()).chooser(questions.clone()).build();
/// let console = Console::new(&manager).with_questions(questions);
/// ```
#[derive(Clone)]
pub struct Questions(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The number of changes.
    changes: watch::Sender<u64>,
    /// The number of users who can answer.
    present: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    last: u64,
    open: BTreeMap<u64, Open>,
}

struct Open {
    asked: Asked,
    answer: oneshot::Sender<Answer>,
}

/// An open question.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Asked {
    pub(crate) question: u64,
    /// Who asks: a handler, and its item.
    pub(crate) asker: String,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

/// The kind of a question.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Confirm,
    Choose { choices: Vec<String> },
    Secret,
    Items { handlers: Vec<Offered> },
}

/// The items of a handler to choose from.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Offered {
    pub(crate) handler: HandlerId,
    pub(crate) name: String,
    pub(crate) items: Vec<OfferedItem>,
}

/// An item to choose.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OfferedItem {
    pub(crate) item: ItemId,
    pub(crate) name: Arc<str>,
    pub(crate) state: ItemState,
}

/// An answer. It has no `Debug`, so that no log contains a secret.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Confirm(bool),
    Choice(#[serde(deserialize_with = "crate::json::index")] u32),
    Secret(String),
    Items(BTreeMap<HandlerId, BTreeSet<ItemId>>),
    /// No answer.
    Dismiss(Dismiss),
}

/// Nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dismiss {}

/// The reason why an answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The question is not open any more.
    Closed,
    /// The answer is for a question of another kind.
    OtherKind,
}

/// Returns a number that no question of another process has, so that no answer reaches another question after a restart. JavaScript
/// represents it exactly.
fn first_number() -> u64 {
    RandomState::new().hash_one(()) >> 12
}

impl Questions {
    /// Creates the users of a console. Clones share the questions.
    pub fn new() -> Self {
        let (changes, present) = (watch::Sender::new(0), watch::Sender::new(0));
        let state = Mutex::new(State { last: first_number(), ..State::default() });
        Self(Arc::new(Shared { state, changes, present }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Returns the open questions, the earliest first.
    pub(crate) fn open(&self) -> Vec<Asked> {
        self.state().open.values().map(|open| open.asked.clone()).collect()
    }

    /// Returns a receiver that notices each change of the open questions.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Notes that a user is there who can answer, until the guard is dropped.
    pub(crate) fn present(&self) -> Present {
        self.0.present.send_modify(|present| *present += 1);
        Present(self.clone())
    }

    /// Answers a question.
    pub(crate) fn answer(&self, question: u64, answer: Answer) -> Result<(), Refused> {
        let mut state = self.state();
        let open = state.open.get(&question).ok_or(Refused::Closed)?;
        if !answer.fits(&open.asked.kind) {
            return Err(Refused::OtherKind);
        }
        let open = state.open.remove(&question).ok_or(Refused::Closed)?;
        drop(state);
        self.changed();
        // A handler that was stopped meanwhile has no use for the answer.
        open.answer.send(answer).map_err(|_| Refused::Closed)
    }

    /// Asks a question. The question is withdrawn if the future is dropped, or if no user is there for a while.
    async fn ask(&self, asker: String, text: &str, kind: Kind) -> Option<Answer> {
        let mut present = self.0.present.subscribe();
        if *present.borrow_and_update() == 0 {
            return None;
        }
        let (question, answer) = self.add(asker, text, kind);
        let _open = Withdraw { questions: self.clone(), question };
        tokio::select! {
            biased;
            answer = answer => answer.ok(),
            () = alone(&mut present) => None,
        }
    }

    fn add(&self, asker: String, text: &str, kind: Kind) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let mut state = self.state();
        state.last += 1;
        let question = state.last;
        let asked = Asked { question, asker, text: text.to_owned(), kind };
        state.open.insert(question, Open { asked, answer });
        drop(state);
        self.changed();
        (question, answered)
    }
}

/// Resolves once no user has been there for a while.
async fn alone(present: &mut watch::Receiver<usize>) {
    loop {
        if present.wait_for(|present| *present == 0).await.is_err() {
            return;
        }
        if timeout(ALONE, present.wait_for(|present| *present > 0)).await.is_err() {
            return;
        }
    }
}

impl Default for Questions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Questions({} open)", self.state().open.len())
    }
}

impl Answer {
    fn fits(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Self::Choice(choice), Kind::Choose { choices }) => (*choice as usize) < choices.len(),
            (Self::Dismiss(_), _)
            | (Self::Confirm(_), Kind::Confirm)
            | (Self::Secret(_), Kind::Secret)
            | (Self::Items(_), Kind::Items { .. }) => true,
            _ => false,
        }
    }
}

/// A user who can answer.
pub(crate) struct Present(Questions);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.0.present.send_modify(|present| *present -= 1);
    }
}

/// Withdraws a question when it is dropped.
struct Withdraw {
    questions: Questions,
    question: u64,
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        let withdrawn = self.questions.state().open.remove(&self.question);
        if withdrawn.is_some() {
            self.questions.changed();
        }
    }
}

fn unanswered() -> syncmgr::anyhow::Error {
    NeedsUser::new("no user has answered; open the console, then run this again").into()
}

#[syncmgr::async_trait]
impl Interaction for Questions {
    async fn confirm(&self, asker: &Asker, question: &str) -> SyncResult<Confirmation> {
        match self.ask(asker.to_string(), question, Kind::Confirm).await.ok_or_else(unanswered)? {
            Answer::Confirm(true) => Ok(Confirmation::Confirm),
            _ => Ok(Confirmation::Refuse),
        }
    }

    async fn choose(&self, asker: &Asker, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        let kind = Kind::Choose { choices: choices.to_vec() };
        match self.ask(asker.to_string(), question, kind).await.ok_or_else(unanswered)? {
            Answer::Choice(choice) => Ok(Some(choice as usize)),
            _ => Ok(None),
        }
    }

    async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
        match self.ask(asker.to_string(), prompt, Kind::Secret).await.ok_or_else(unanswered)? {
            Answer::Secret(secret) => Ok(Some(Secret::new(secret))),
            _ => Ok(None),
        }
    }
}

#[syncmgr::async_trait]
impl Chooser for Questions {
    /// Asks which items run. While no user is there, the preselected items run.
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        let handlers: Vec<_> =
            offers.iter().filter(|offer| offer.visibility == Visibility::Shown).map(offered).collect();
        let preselected = || handlers.iter().map(|offer| (offer.handler, checked(&offer.items))).collect();
        let kind = Kind::Items { handlers: handlers.clone() };
        match self.ask("Choice".to_owned(), "Which items should run?", kind).await {
            Some(Answer::Items(items)) => Some(items),
            Some(_) => None,
            None => Some(preselected()),
        }
    }
}

fn offered(offer: &Offer) -> Offered {
    let items = offer.items.iter().filter(|item| item.visibility == Visibility::Shown);
    let items = items.map(|item| OfferedItem { item: item.item, name: item.name.clone(), state: item.state });
    Offered { handler: offer.handler, name: offer.name.clone(), items: items.collect() }
}

fn checked(items: &[OfferedItem]) -> BTreeSet<ItemId> {
    items.iter().filter(|item| item.state == ItemState::Checked).map(|item| item.item).collect()
}
