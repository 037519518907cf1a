//! The checks of the kit, and the promises of the contract they test.

use std::fmt;

/// Generates the enum with each check's name, its source in the contract, and the promise it tests.
macro_rules! checks {
    ($($(#[$doc:meta])+ $check:ident $name:ident: $rules:literal, $promise:literal;)+) => {
        /// A promise that the kit checks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[$doc])+ $check,)+
        }

        impl Check {
            /// All checks, in the order in which they run.
            pub const ALL: [Self; 31] = [$(Self::$check),+];

            /// Returns the name of the check, which is also the name of its test.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$check => stringify!($name)),+ }
            }

            /// Returns the source of the promise: rules of the contract, or the documentation of an item.
            pub const fn rules(self) -> &'static str {
                match self { $(Self::$check => $rules),+ }
            }

            /// Returns the text of the promise.
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$check => $promise),+ }
            }
        }
    };
}

checks! {
    /// Every item succeeds if no fault is injected.
    Baseline baseline: "R97, R99", "every selected item succeeds if nothing fails";
    /// The handler returns the same info every time.
    Description description: "R39 to R42", "a handler always returns the same info";
    /// The handler lists the same items every time.
    Listing listing: "R48, R49", "an item has the same id in every session, no id is nil, and none occurs twice";
    /// The items can run alone and in any order, and none changes another.
    Selection selection: "R84, R97, R120", "exactly the selected items are synchronized, for any selection";
    /// An item reports its statuses in a legal order and ends with one terminal status.
    Statuses statuses: "R105, R106, R120", "reports concern only prepared items that have not ended, and each item ends once";
    /// A skipped item ends within its deadline, and the other items are unaffected.
    Skip skip: "R110, R114, R123, R129", "a skipped item ends soon, and the other items are unaffected";
    /// A stopped session ends within its deadline.
    Stop stop: "R111, R115, R125", "a stopped handler ends all its items soon, and completes";
    /// After a stop at any injection point, another run completes the work.
    Resume resume: "`SyncHandler`, Assumptions", "after an interrupted run, running the item again completes the work";
    /// After a kill at any injection point, another run completes the work.
    Kill kill: "`Saved::commit`", "a commit covers only work that was awaited before it, so the run after a kill completes the work";
    /// A second run changes nothing.
    SecondRun second_run: "R104", "a run that finds nothing to do changes nothing";
    /// If the handler declares `IDEMPOTENT`, repeating all work without checkpoints gives the same data.
    Idempotent idempotent: "`Capabilities::IDEMPOTENT`", "IDEMPOTENT: processing an item twice leaves the same data as processing it once";
    /// If the handler declares `RESUMABLE`, an item continues from its last checkpoint.
    Resumable resumable: "`Capabilities::RESUMABLE`", "RESUMABLE: an interrupted item continues from its last checkpoint";
    /// After a change, one run brings the data to the state that the provider names, and another run changes nothing.
    Changes changes: "`Provider::change`", "a run processes what has changed since the last one, and the next run changes nothing";
    /// After a run that is interrupted while it processes a change, another run completes the work.
    InterruptedChanges interrupted_changes: "`Saved::commit`", "after a run that was interrupted while it processed a change, the next run completes the work";
    /// A change that arrives during a run is processed at the latest by the next run.
    LostUpdates lost_updates: "`Provider::change`", "a change that arrives during a run is processed by that run or by the next one";
    /// The handler's stream of local changes reports the changes of the user, and not those of the handler itself.
    LocalChanges local_changes: "`SyncHandler::changes`", "the stream of local changes reports what the user changes, and not what the handler's own runs write";
    /// Each class of failure leads to the retry that the contract promises.
    Failures failures: "`Classify`", "a handler returns the class of a failure, and the host schedules the retry";
    /// The handler copes with a store that fails or is slow.
    Commits commits: "`Saved::commit`", "an item with a failed commit does not succeed, and a later run completes it";
    /// The handler does no work for items that are held.
    Holds holds: "`Session::pause`", "while an item is held and has not begun, the handler does no work for it";
    /// Once a condition of an automatic run has ended, the handler ends its work and does nothing more.
    Conditions conditions: "`CancelReason::ConditionEnded`", "once a condition of an automatic run has ended, the run ends soon, and the handler does nothing until it is called again";
    /// The work before the machine goes down is over by the deadline.
    Endings endings: "R10, `RunContext::time_left`", "before the machine or the network goes down, the work is over by the deadline";
    /// A panic affects only one item of one run.
    Panics panics: "`SyncHandler`, Guarantees", "a panic affects neither other items nor later runs";
    /// The handler does not ask the user in an unattended session.
    Unattended unattended: "R34, R37, R38, R93", "without MAYBOTHERUSER the user is not asked; items that need an answer end as NeedsUser";
    /// The handler releases the user's attention as soon as the user has answered.
    Attention attention: "R130 to R132", "the user's attention is released as soon as the user has answered";
    /// Once the results of a session are closed, the handler holds no value that the run kept.
    Release release: "`RunContext::keep`, R138", "values kept by a run are dropped when the results of its session are closed";
    /// The handler uses no context after the end of its run.
    LateUse late_use: "R77, R120", "a context is not used after its run has ended";
    /// No task of the handler outlives its item.
    Tasks tasks: "`ItemContext::spawn`", "an item awaits the work it has started before it ends";
    /// The handler copes with hosts that are slow, refuse requests, or panic.
    Hosts hosts: "R77, R86, R99, R131", "every call completes once, whatever the host answers, and a later run is unaffected";
    /// The handler copes with any bytes in an invocation.
    Cookie cookie: "R35", "the cookie of an invocation may contain any bytes";
    /// No call blocks its thread.
    Blocking blocking: "`SyncHandler`, Assumptions", "methods do not block their thread";
    /// The handler can load the state that earlier releases have saved.
    Upgrade upgrade: "`SyncHandler::migrate`", "every later release can read the saved state";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
