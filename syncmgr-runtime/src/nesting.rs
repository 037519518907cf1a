//! Calls of a handler in progress. A handler that starts a session and waits for it keeps its own run, its worker and its
//! claims meanwhile, so the new session must not need them.

use std::cell::Cell;
use std::future::poll_fn;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::decision::host::RunId;
use syncmgr_core::id::ItemId;
use uuid::Uuid;

thread_local! {
    static CURRENT: Cell<Option<Call>> = const { Cell::new(None) };
}

/// A call of a handler's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The manager that made the call.
    pub(crate) manager: Uuid,
    pub(crate) run: RunId,
    /// The item, for a call of `synchronize_item`.
    pub(crate) item: Option<ItemId>,
}

impl Call {
    /// Returns the call that polls the current code, if any.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Returns the same call for an item.
    pub(crate) fn of_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }
}

/// Runs a part of a call.
pub(crate) fn within<T>(call: Option<Call>, part: impl FnOnce() -> T) -> T {
    let _restore = Restore(CURRENT.replace(call));
    part()
}

/// Makes a task part of the call that spawns it.
pub(crate) fn spawned(mut task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    match Call::current() {
        Some(call) => poll_fn(move |cx| within(Some(call), || task.poll_unpin(cx))).boxed(),
        None => task,
    }
}

/// Makes blocking work part of the call that starts it.
pub(crate) fn blocking(job: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce() + Send> {
    match Call::current() {
        Some(call) => Box::new(move || within(Some(call), job)),
        None => job,
    }
}

/// Restores the outer call when it is dropped.
struct Restore(Option<Call>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
