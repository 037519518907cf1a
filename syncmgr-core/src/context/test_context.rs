//! Contexts for unit tests, from a fake host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::cancel::{Cancel, CancelReason, Cancelled};
use crate::context::{ItemContext, PrepareContext, RunContext};
use crate::error::{NeedsUser, SyncResult, one_line};
use crate::id::{ErrorId, ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::SyncItem;
use crate::log::{LogEntry, LogLevel, Question};
use crate::plan::{Plan, PlanError};
use crate::port::{
    InteractionPermit, ItemWork, Kept, MemorySecrets, ReportError, RunInfo, RunPort, Secret, SecretStore,
    user_unavailable,
};
use crate::progress::Progress;
use crate::sync::Mutex;
use crate::trigger::{RunFlags, Trigger};

/// The id of the handler under test.
const HANDLER: HandlerId = HandlerId::from_u128(0);

/// A fake host: creates the contexts that a unit test passes to a handler's methods. No runtime is needed.
///
/// ```
/// use syncmgr_core::cancel::CancelReason;
/// use syncmgr_core::context::TestContext;
///
/// let host = TestContext::new();
/// let item = host.item("inbox");
/// item.warn("two messages are too large");
/// assert_eq!(host.log().len(), 1);
///
/// host.cancel(&item, CancelReason::Skipped);
/// assert!(item.progress(1, None).is_err());
/// ```
///
/// Blocking work and spawned tasks run to their end on the calling thread. The user cannot be asked and no connection
/// can be established. A question stays open until [`answer`](Self::answer) answers it.
#[derive(Clone, Default)]
pub struct TestContext {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancel: Cancel,
    time_left: Mutex<Option<Duration>>,
    kept: Arc<Kept>,
    log: Mutex<Vec<LogEntry>>,
    answers: Mutex<BTreeMap<(ItemId, Arc<str>), usize>>,
    saved: Mutex<BTreeMap<ItemId, Arc<str>>>,
    plans: Mutex<Vec<Plan>>,
    plan_error: Mutex<Option<PlanError>>,
    secrets: MemorySecrets,
}

impl TestContext {
    /// Creates a fake host with an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a context for an item of this name, the only one in its run.
    pub fn item(&self, name: &str) -> ItemContext {
        ItemContext::new(self.port([SyncItem::named(name)]), 0, Arc::default())
    }

    /// Returns a context for `prepare` with these items selected.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, item::SyncItem};
    /// let host = TestContext::new();
    /// let run = host.prepare([SyncItem::named("Inbox")]);
    /// run.warn("the server will be down at noon");
    /// assert_eq!(host.log().len(), 1);
    /// ```
    pub fn prepare(&self, items: impl IntoIterator<Item = SyncItem>) -> PrepareContext {
        PrepareContext::new(self.port(items))
    }

    /// Returns a context for `initialize`, `show_properties` or `show_error`.
    pub fn run(&self) -> RunContext {
        RunContext::new(self.port([]))
    }

    /// Cancels an item created by [`item`](Self::item).
    pub fn cancel(&self, item: &ItemContext, reason: CancelReason) {
        if let Some(token) = item.cell().cancel().cancel(reason) {
            token.cancel();
        }
    }

    /// Announces that everything is stopped after this time: see [`RunContext::time_left`]. The time does not pass by itself.
    pub fn set_time_left(&self, time: Duration) {
        *self.shared.time_left.lock() = Some(time);
    }

    /// Answers the question `key` of an item. `choice` is an index into the choices of the question.
    ///
    /// ```
    /// # use syncmgr_core::context::TestContext;
    /// let host = TestContext::new();
    /// let item = host.item("notes.txt");
    /// host.answer(&item, "delete", 0);
    /// assert_eq!(item.decide("delete", "Delete it there too?", &["yes", "no"]), Some("yes"));
    /// ```
    pub fn answer(&self, item: &ItemContext, key: &str, choice: usize) {
        self.shared.answers.lock().insert((item.id(), key.into()), choice);
    }

    /// Sets the saved state of the item, as JSON.
    ///
    /// ```
    /// # use syncmgr_core::context::TestContext;
    /// let host = TestContext::new();
    /// let item = host.item("Inbox");
    /// host.save(&item, "42");
    /// assert_eq!(*item.saved::<u64>()?, 42);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn save(&self, item: &ItemContext, state: &str) {
        self.shared.saved.lock().insert(item.id(), state.into());
    }

    /// Returns the state that the item committed last, as JSON.
    pub fn committed(&self, item: &ItemContext) -> Option<Arc<str>> {
        self.shared.saved.lock().get(&item.id()).cloned()
    }

    /// Stores a secret for the handler under test.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, port::Secret};
    /// let host = TestContext::new();
    /// host.store_secret("ann@example.org", Secret::new("correct horse"));
    /// # futures::executor::block_on(async {
    /// let password = host.run().secret("ann@example.org", "Password for ann@example.org").await?;
    /// assert_eq!(password.expose(), "correct horse");
    /// # Ok::<(), anyhow::Error>(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn store_secret(&self, name: &str, secret: Secret) {
        self.shared.secrets.insert(HANDLER, name, secret);
    }

    /// Returns the stored secret of this name. `None` if there is none, or if the handler rejected it.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.shared.secrets.find(HANDLER, name)
    }

    /// Returns the plans proposed so far. A plan may be carried out unless [`refuse_plans`](Self::refuse_plans) was called.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, plan::Plan};
    /// let host = TestContext::new();
    /// let item = host.item("Photos");
    /// assert_eq!(item.propose(&Plan::new().with_deletes(3, 900)), Ok(()));
    /// assert_eq!(host.plans()[0].deletes, 3);
    /// ```
    pub fn plans(&self) -> Vec<Plan> {
        self.shared.plans.lock().clone()
    }

    /// Answers every further plan with this error.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, plan::{Plan, PlanError}};
    /// let host = TestContext::new();
    /// host.refuse_plans(PlanError::Revert);
    /// assert_eq!(host.item("Photos").propose(&Plan::new()), Err(PlanError::Revert));
    /// ```
    pub fn refuse_plans(&self, error: PlanError) {
        *self.shared.plan_error.lock() = Some(error);
    }

    /// Returns the log entries so far.
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.log.lock().clone()
    }

    fn port(&self, items: impl IntoIterator<Item = SyncItem>) -> Arc<TestPort> {
        let run_info = RunInfo::new(HANDLER, SessionId(0), Trigger::Manual, RunFlags::empty())
            .with_selection(items.into_iter().collect());
        Arc::new(TestPort { run_info, shared: self.shared.clone() })
    }
}

/// The port behind test contexts.
struct TestPort {
    run_info: RunInfo,
    shared: Arc<Shared>,
}

impl RunPort for TestPort {
    fn run_info(&self) -> &RunInfo {
        &self.run_info
    }

    fn cancel(&self) -> &Cancel {
        &self.shared.cancel
    }

    fn time_left(&self) -> Option<Duration> {
        *self.shared.time_left.lock()
    }

    fn is_skipped(&self, _: ItemId) -> bool {
        false
    }

    fn kept(&self) -> &Kept {
        &self.shared.kept
    }

    fn log(&self, entry: LogEntry) {
        self.shared.log.lock().push(entry);
    }

    fn delete_log(&self, scope: ErrorScope) {
        self.shared.log.lock().retain(|entry| match scope {
            ErrorScope::All => false,
            ErrorScope::One(id) => entry.id != Some(id),
        });
    }

    fn report(&self, _: ItemId, _: &Progress) -> Result<(), ReportError> {
        Err(ReportError::NotRunning)
    }

    fn exclude(&self, item: ItemId, error: anyhow::Error) -> Result<(), ReportError> {
        if !self.run_info.selection.iter().any(|listed| listed.id() == item) {
            return Err(ReportError::NotPrepared { item });
        }
        let level = if NeedsUser::is_in(&error) { LogLevel::Warning } else { LogLevel::Error };
        self.log(LogEntry::new(level, one_line(&error)).with_item(item));
        Ok(())
    }

    fn each_item(&self) -> BoxFuture<'_, SyncResult> {
        async { Err(ReportError::NotRunning.into()) }.boxed()
    }

    fn each<'a>(&'a self, _: &'a ItemWork<'a>) -> BoxFuture<'a, SyncResult> {
        self.each_item()
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        futures::executor::block_on(task);
    }

    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>> {
        async { Err(user_unavailable().into()) }.boxed()
    }

    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled> {
        Ok(Arc::new(self.shared.secrets.clone()))
    }

    fn connect<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, SyncResult> {
        async { Err(anyhow::anyhow!("a test context has no connections")) }.boxed()
    }

    fn decide(&self, item: ItemId, question: &Question) -> Option<usize> {
        let answer = self.shared.answers.lock().get(&(item, question.key.clone())).copied();
        if answer.is_none() {
            let entry = LogEntry::new(LogLevel::Warning, &question.text).with_item(item);
            self.log(entry.with_question(ErrorId::of_question(item, &question.key), question.clone()));
        }
        answer
    }

    fn saved(&self, item: ItemId) -> SyncResult<Option<Arc<str>>> {
        Ok(self.shared.saved.lock().get(&item).cloned())
    }

    fn commit(&self, item: ItemId, state: Arc<str>) -> BoxFuture<'_, SyncResult> {
        async move {
            self.shared.saved.lock().insert(item, state);
            Ok(())
        }
        .boxed()
    }

    fn propose(&self, _: ItemId, plan: &Plan) -> Result<(), PlanError> {
        self.shared.plans.lock().push(plan.clone());
        self.shared.plan_error.lock().clone().map_or(Ok(()), Err)
    }

    fn sync_paths(&self, _: Vec<PathBuf>) -> BoxFuture<'_, SyncResult> {
        async { Ok(()) }.boxed()
    }
}

impl std::fmt::Debug for TestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TestContext({} entries)", self.shared.log.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::context::Origin;
    use crate::error::{Classify, FailureClass};
    use crate::record::MAX_CHECKPOINT;

    #[test]
    fn a_tolerated_failure_is_logged_and_recorded_with_its_class() {
        let host = TestContext::new();
        let item = host.item("folder");
        let none =
            item.tolerate("read a", Err::<(), _>(std::io::Error::other("gone")).permanent()).expect("not cancelled");
        assert_eq!(none, None);
        assert_eq!(item.tolerate("read b", anyhow::Ok(7)).expect("not cancelled"), Some(7));
        assert_eq!(item.cell().signals().tolerated, Some(FailureClass::Permanent));
        assert_eq!(&*host.log()[0].text, "read a: gone");
        assert_eq!(host.log()[0].item, Some(item.id()));
    }

    #[test]
    fn a_failure_after_a_cancel_is_returned_and_not_logged() {
        let host = TestContext::new();
        let item = host.item("folder");
        host.cancel(&item, CancelReason::Skipped);
        assert!(item.tolerate("read", Err::<(), _>(anyhow::anyhow!("x"))).is_err());
        assert!(host.log().is_empty());
    }

    #[test]
    fn a_question_is_open_until_it_is_answered() {
        let host = TestContext::new();
        let item = host.item("file");
        assert_eq!(item.decide("side", "which side?", &["here", "there"]), None);
        assert!(item.cell().signals().undecided);
        assert_eq!(host.log()[0].id, Some(item.question_id("side")));
        host.answer(&item, "side", 1);
        assert_eq!(item.decide("side", "which side?", &["here", "there"]), Some("there"));
    }

    #[test]
    fn concurrent_work_returns_results_in_input_order_and_may_borrow() {
        let item = ItemContext::for_test("x");
        let names = ["a".to_string(), "b".to_string(), "c".to_string()];
        let lengths = item.concurrently(2, &names, |name| async move { Ok(name.clone()) });
        assert_eq!(block_on(lengths).expect("no work fails"), names);
    }

    #[test]
    fn the_first_error_of_concurrent_work_ends_it() {
        let item = ItemContext::for_test("x");
        let mut begun = 0;
        let result = block_on(item.concurrently(1, 0..10, |number| {
            begun += 1;
            async move { if number == 3 { Err(anyhow::anyhow!("three")) } else { Ok(()) } }
        }));
        assert_eq!(result.expect_err("three fails").to_string(), "three");
        assert_eq!(begun, 4);
    }

    #[test]
    fn blocking_and_spawned_work_return_their_results() {
        let item = ItemContext::for_test("x");
        assert_eq!(block_on(item.blocking(|item| Ok(item.name().len()))).expect("the work succeeds"), 1);
        assert_eq!(block_on(item.spawn(async { Ok(5) })).expect("the task succeeds"), 5);
        assert!(!item.cell().is_working());
    }

    #[test]
    fn a_committed_state_is_loaded_again_and_stays_if_it_does_not_decode() {
        let host = TestContext::new();
        let item = host.item("inbox");
        let mut saved = item.saved::<Vec<u32>>().expect("no state is saved");
        assert_eq!((saved.origin(), saved.len()), (Origin::Fresh, 0));
        saved.push(7);
        assert_eq!(item.saved::<Vec<u32>>().expect("no state is committed").len(), 0);
        block_on(saved.commit()).expect("the state is stored");
        let again = item.saved::<Vec<u32>>().expect("the state was committed");
        assert_eq!((again.origin(), &again[..]), (Origin::Committed, &[7][..]));
        let unreadable = item.saved::<String>().expect_err("a list is not a string");
        assert_eq!(FailureClass::of(&unreadable), FailureClass::UnreadableState);
        assert_eq!(host.committed(&item).as_deref(), Some("[7]"));
    }

    #[test]
    fn invalid_overlong_and_late_commits_fail() {
        let host = TestContext::new();
        let item = host.item("inbox");
        let class_of_refusal = |result: SyncResult| FailureClass::of(&result.expect_err("refused"));
        let mut odd = item.saved::<BTreeMap<Option<u8>, u8>>().expect("no state is saved");
        odd.insert(None, 1);
        assert_eq!(class_of_refusal(block_on(odd.commit())), FailureClass::Permanent);
        let mut long = item.saved::<String>().expect("no state is saved");
        *long = "x".repeat(MAX_CHECKPOINT);
        assert_eq!(class_of_refusal(block_on(long.commit())), FailureClass::Permanent);
        long.clear();
        host.cancel(&item, CancelReason::Skipped);
        block_on(long.commit()).expect("a cancelled item may commit within its grace");
        let _ = item.cell().cancel().close();
        assert!(block_on(long.commit()).is_err());
    }

    #[test]
    fn a_value_stored_in_prepare_is_found_by_its_type() {
        let host = TestContext::new();
        host.prepare([]).keep(41_u32);
        assert_eq!(*host.item("x").kept::<u32>().expect("`prepare` kept the value"), 41);
        let missing = host.item("x").kept::<String>().expect_err("not stored");
        assert_eq!(FailureClass::of(&missing), FailureClass::Permanent);
    }
}
