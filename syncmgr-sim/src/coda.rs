//! The end of every script: all is well, time passes, and everything that can be done is.

use std::time::Duration;

use syncmgr_core::decision::retry::Ask;
use syncmgr_core::facts::{Network, Power, Presence};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::Question;
use syncmgr_core::retry::Setback;
use syncmgr_core::store::StateStore;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::report::Report;
use tokio::time::timeout;

use crate::act::by_hand;
use crate::answers::question;
use crate::books::{Asked, Terms};
use crate::peer::Key;
use crate::process::Process;
use crate::script::Rule;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An item may be asked about more than once: to be tried again, what to do, whether to delete.
const MOST_QUESTIONS: usize = 12;

impl Process<'_> {
    pub(crate) async fn coda(&mut self) {
        self.world.reach(|state| state.books.step = None);
        self.heal();
        self.pass(3 * DAY).await;
        self.check_retried();
        if self.script.rules().any(|rule| *rule == Rule::ResumeAtOnce) {
            self.check_owed();
        }
        self.next_trigger().await;
        self.check_owed();
        self.all_succeeds().await;
        self.changes_nothing().await;
        self.check_rest().await;
        self.shut_down().await;
    }

    fn heal(&self) {
        self.heal_store();
        self.world.reach(|state| state.sides.heal());
        let fine = |facts: syncmgr_core::facts::Facts| {
            facts.with_network(Network::Online).with_power(Power::Mains).with_user(Presence::Present)
        };
        self.set_facts(fine);
        self.manager.resume();
        for handler in self.made.values() {
            self.register(handler.clone());
        }
    }

    /// What backs off has run again by itself.
    fn check_retried(&self) {
        // What could not be stored is in the memory of the manager alone.
        if self.world.left(|state| state.books.store_trouble) {
            return;
        }
        for key in self.listed() {
            let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
            let waits = |setback| matches!(setback, Setback::Backoff | Setback::NotBefore);
            let was_absent = self.world.left(|state| state.books.item(key).was_absent);
            let excused = was_absent || self.needs_attention(key.0);
            if let Some(retry) = record.retry.filter(|retry| waits(retry.setback) && !excused) {
                let how = format!("{key:?} did not, days after {retry:?}");
                self.world.breaks("what backs off runs again by itself", how);
            }
        }
    }

    /// A session of nobody in particular, in which what is preferred runs, and what was interrupted.
    async fn next_trigger(&mut self) {
        let request = self.manager.session(Trigger::Scheduled);
        let terms = Terms { trigger: Trigger::Scheduled.event(), flags: RunFlags::empty(), chooses: true };
        let asked = Asked { ask: Ask::Automatic, terms, after: 0 };
        let Some(session) = self.begin_session(request, asked) else { return };
        if timeout(DAY, session.finish()).await.is_err() {
            self.world.breaks("whoever asked is answered", format!("not after a day: {:?}", self.manager.held()));
        }
        self.settle().await;
    }

    /// What was interrupted has gone on.
    fn check_owed(&self) {
        self.world.reach(|state| {
            let theirs = |key: &Key| {
                state.sides.theirs.contains_key(key)
                    && !state.books.items.get(key).is_some_and(|item| item.was_absent)
                    && !self.needs_attention(key.0)
            };
            let owed: Vec<_> = state.books.owed.iter().filter(|key| theirs(key)).collect();
            if !owed.is_empty() {
                let how = format!("{owed:?} did not");
                state.breaks("what was interrupted goes on", how);
            }
        });
    }

    /// Whether a handler could not begin so often that somebody has to ask for it.
    fn needs_attention(&self, handler: HandlerId) -> bool {
        let itself = self.disk.store.record(handler, ItemId::from_u128(0)).ok().flatten().unwrap_or_default();
        itself.retry.is_some_and(|retry| retry.setback != Setback::Backoff)
    }

    fn listed(&self) -> Vec<Key> {
        self.world.left(|state| state.sides.theirs.keys().copied().collect())
    }

    /// Somebody insists on everything and answers every question, until both sides are equal.
    async fn all_succeeds(&mut self) {
        for _ in 0..MOST_QUESTIONS {
            let report = self.run_all(true).await;
            if report.as_ref().is_none_or(Report::is_success) {
                break;
            }
            let open = self.questions();
            for (key, question) in open {
                self.answer_to(key.0, key.1, &question, None);
            }
            self.pass(Duration::from_secs(600)).await;
        }
        let unequal = self.world.left(|state| state.sides.unequal());
        if !unequal.is_empty() {
            self.world.breaks("in the end everything is done", format!("{unequal:?} are not"));
        }
    }

    /// The questions that are open, each once.
    fn questions(&self) -> Vec<(Key, Question)> {
        let mut open = Vec::new();
        for handler in &self.cast {
            let log = self.disk.store.log(*handler).unwrap_or_default();
            for (item, question) in log.iter().filter_map(|said| question(&said.entry)) {
                if !open.contains(&((*handler, item), question.clone())) {
                    open.push(((*handler, item), question));
                }
            }
        }
        open
    }

    /// One more session over everything that the peer has.
    async fn run_all(&mut self, insists: bool) -> Option<Report> {
        let mut request = self.manager.session(Trigger::Manual).may_bother_user();
        for (handler, item) in self.listed() {
            request = request.items(handler, [item]);
        }
        let mut asked = by_hand(RunFlags::MAY_BOTHER_USER);
        if insists {
            request = request.force();
            asked.ask = Ask::Forced;
        }
        let session = self.begin_session(request, asked)?;
        let report = timeout(DAY, session.finish()).await;
        if report.is_err() {
            let held = self.manager.held();
            self.world.breaks("whoever asked is answered", format!("not after a day: {held:?}"));
        }
        report.ok()
    }

    async fn changes_nothing(&mut self) {
        if self.world.is_broken() {
            return;
        }
        let before = self.world.left(|state| state.sides.writes());
        let Some(report) = self.run_all(false).await else { return };
        if !report.is_success() {
            self.world.breaks("what is done stays done", crate::heard::said(&report));
        }
        let after = self.world.left(|state| state.sides.writes());
        if before != after {
            self.world.breaks("what is done is not done again", format!("{} more writes", after - before));
        }
    }

    /// Nobody wants anything, and so nothing is held, lent or asked.
    async fn check_rest(&self) {
        self.pass(DAY).await;
        let held = self.manager.held();
        if !held.is_empty() {
            self.world.breaks("nothing is held that nobody wants", format!("{held:?}"));
        }
        self.world.reach(|state| {
            let (connections, attention) = (state.books.connections, state.books.attention);
            if connections + attention > 0 {
                let how = format!("{connections} connections and {attention} permits are");
                state.breaks("nothing stays lent", how);
            }
        });
    }
}
