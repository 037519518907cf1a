//! Forwards the reads of a custom store to an inner store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::claim::Claim;
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{HandlerRecord, LogRecord, SessionRecord};

// The types in the signatures of the port, under the names that the macro uses.
pub use syncmgr_core::error::SyncResult;
pub use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId};
pub use syncmgr_core::store::{Medium, StoreInUse, StoreLease};
pub type Handlers = BTreeMap<HandlerId, HandlerRecord>;
pub type Handler = Option<HandlerRecord>;
pub type Choice = Option<ItemState>;
pub type LogEntry = Option<LogRecord>;
pub type Ended = bool;
pub type Choices = BTreeMap<ItemId, ItemState>;
pub type FewChoices = Option<Choices>;
pub type Log = Vec<LogRecord>;
pub type Asked<'a> = &'a Question;
pub type Answer = Option<usize>;
pub type Record = Option<syncmgr_core::record::ItemRecord>;
pub type Records = BTreeMap<ItemId, syncmgr_core::record::ItemRecord>;
pub type ItemName = Option<syncmgr_core::store::ItemName>;
pub type Names = BTreeMap<ItemId, syncmgr_core::store::ItemName>;
pub type Disabled = BTreeMap<syncmgr_core::id::Subject, Arc<str>>;
pub type Overrides = syncmgr_core::overrides::StoredOverrides;
pub type Firings = BTreeMap<syncmgr_core::schedule::Schedule, syncmgr_core::decision::timetable::LastFiring>;
pub type RetryStates = BTreeMap<ItemId, RetryState>;
pub type Known = BTreeMap<ItemId, Option<SystemTime>>;
pub type Items = BTreeSet<ItemId>;
pub type Resources = BTreeMap<Claim, RetryState>;
pub type Sessions = Vec<SessionRecord>;
pub type Before = Option<SessionId>;
pub type Limit = usize;
pub type Name<'a> = &'a str;
pub type Histogram = Option<syncmgr_core::store::Histogram>;

/// Implements the read methods and `acquire` of a [`StateStore`](syncmgr_core::store::StateStore) by forwarding to the store in this
/// field: all of them, or only the named ones.
///
/// ```
/// use futures::future::BoxFuture;
/// use syncmgr_core::error::SyncResult;
/// use syncmgr_core::store::{StateChange, StateStore};
/// use syncmgr_runtime::memory::MemoryStore;
///
/// /// A store that prints every write.
/// struct PrintingStore(MemoryStore);
///
/// impl StateStore for PrintingStore {
///     syncmgr_test::reads_from!(0);
///
///     fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
///         println!("{changes:?}");
///         self.0.write(changes)
///     }
/// }
/// ```
#[macro_export]
macro_rules! reads_from {
    ($inner:tt) => {
        $crate::reads_from!($inner: handlers, choices, log, answer, record, retry_states, recorded_items, ended_since, resources);
        $crate::reads_from!($inner: records, name, names, disabled, overrides, firings, handler, choice, few_choices, log_entry, log_about, has_ended_since, medium);
        $crate::reads_from!($inner: sessions, sessions_before, interrupted, last_session, histogram, acquire);
    };
    ($inner:tt: $($read:ident),+) => { $($crate::reads_from!(@$read $inner);)+ };
    (@handlers $inner:tt) => { $crate::reads_from!(@fn $inner handlers() -> Handlers); };
    (@handler $inner:tt) => { $crate::reads_from!(@fn $inner handler(handler: HandlerId) -> Handler); };
    (@choice $inner:tt) => { $crate::reads_from!(@fn $inner choice(handler: HandlerId, item: ItemId) -> Choice); };
    (@few_choices $inner:tt) => { $crate::reads_from!(@fn $inner few_choices(handler: HandlerId) -> FewChoices); };
    (@log_entry $inner:tt) => { $crate::reads_from!(@fn $inner log_entry(handler: HandlerId, error: ErrorId) -> LogEntry); };
    (@log_about $inner:tt) => { $crate::reads_from!(@fn $inner log_about(handler: HandlerId, item: ItemId) -> Log); };
    (@has_ended_since $inner:tt) => {
        $crate::reads_from!(@fn $inner has_ended_since(handler: HandlerId, item: ItemId, session: SessionId) -> Ended);
    };
    (@medium $inner:tt) => {
        fn medium(&self) -> $crate::reads::Medium {
            self.$inner.medium()
        }
    };
    (@choices $inner:tt) => { $crate::reads_from!(@fn $inner choices(handler: HandlerId) -> Choices); };
    (@log $inner:tt) => { $crate::reads_from!(@fn $inner log(handler: HandlerId) -> Log); };
    (@answer $inner:tt) => {
        $crate::reads_from!(@fn $inner answer(handler: HandlerId, item: ItemId, question: Asked) -> Answer);
    };
    (@record $inner:tt) => { $crate::reads_from!(@fn $inner record(handler: HandlerId, item: ItemId) -> Record); };
    (@retry_states $inner:tt) => { $crate::reads_from!(@fn $inner retry_states(handler: HandlerId) -> RetryStates); };
    (@recorded_items $inner:tt) => { $crate::reads_from!(@fn $inner recorded_items(handler: HandlerId) -> Known); };
    (@records $inner:tt) => { $crate::reads_from!(@fn $inner records(handler: HandlerId) -> Records); };
    (@name $inner:tt) => { $crate::reads_from!(@fn $inner name(handler: HandlerId, item: ItemId) -> ItemName); };
    (@names $inner:tt) => { $crate::reads_from!(@fn $inner names(handler: HandlerId) -> Names); };
    (@disabled $inner:tt) => { $crate::reads_from!(@fn $inner disabled(handler: HandlerId) -> Disabled); };
    (@overrides $inner:tt) => { $crate::reads_from!(@fn $inner overrides(handler: HandlerId) -> Overrides); };
    (@firings $inner:tt) => { $crate::reads_from!(@fn $inner firings(handler: HandlerId) -> Firings); };
    (@ended_since $inner:tt) => {
        $crate::reads_from!(@fn $inner ended_since(handler: HandlerId, session: SessionId) -> Items);
    };
    (@resources $inner:tt) => { $crate::reads_from!(@fn $inner resources() -> Resources); };
    (@sessions $inner:tt) => { $crate::reads_from!(@fn $inner sessions() -> Sessions); };
    (@sessions_before $inner:tt) => {
        $crate::reads_from!(@fn $inner sessions_before(before: Before, limit: Limit) -> Sessions);
    };
    (@interrupted $inner:tt) => { $crate::reads_from!(@fn $inner interrupted() -> Sessions); };
    (@last_session $inner:tt) => { $crate::reads_from!(@fn $inner last_session() -> SessionId); };
    (@histogram $inner:tt) => { $crate::reads_from!(@fn $inner histogram(name: Name) -> Histogram); };
    (@acquire $inner:tt) => {
        fn acquire(&self) -> ::std::result::Result<$crate::reads::StoreLease, $crate::reads::StoreInUse> {
            self.$inner.acquire()
        }
    };
    (@fn $inner:tt $read:ident($($name:ident: $given:ident),*) -> $found:ident) => {
        fn $read(&self, $($name: $crate::reads::$given),*) -> $crate::reads::SyncResult<$crate::reads::$found> {
            self.$inner.$read($($name),*)
        }
    };
}
