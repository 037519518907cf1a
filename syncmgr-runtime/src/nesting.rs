//! Calls of a handler in progress. A handler that starts a session and waits for it keeps its own run, its worker and its
//! claims meanwhile, so the new session must not need them.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::decision::host::RunId;
use syncmgr_core::id::{ItemId, SessionId};
use syncmgr_core::sync::Mutex;
use uuid::Uuid;

thread_local! {
    /// The call that polls the current code. Never dropped, because it is empty again before its thread ends; a value
    /// without a destructor needs no registration and can be read while the thread ends.
    static CURRENT: Cell<Option<ManuallyDrop<Arc<dyn Calling>>>> = const { Cell::new(None) };
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

/// A source of calls, which says only when it is asked which call it is in.
pub(crate) trait Calling: Send + Sync {
    /// Returns the call in progress.
    fn call(&self) -> Call;
}

impl Calling for Call {
    fn call(&self) -> Call {
        *self
    }
}

/// The source of the calls of one piece of code. `None` in a host that is not ours.
pub(crate) type CallSource = Option<Arc<dyn Calling>>;

impl Call {
    /// Returns the call that polls the current code, if any.
    pub(crate) fn current() -> Option<Self> {
        let current = CURRENT.take()?;
        let source = Arc::clone(&current);
        CURRENT.set(Some(current));
        Some(source.call())
    }

    /// Returns this call as the source of the calls of a piece of code.
    pub(crate) fn source(self) -> Arc<dyn Calling> {
        Arc::new(self)
    }
}

/// Runs a part of a call. Moves the source and does not copy it, because this runs at every poll of an item.
pub(crate) fn within<T>(source: &mut CallSource, part: impl FnOnce() -> T) -> T {
    let outer = CURRENT.replace(source.take().map(ManuallyDrop::new));
    let _restore = Restore { source, outer };
    part()
}

/// Makes a task part of the call that spawns it.
pub(crate) fn spawned(mut task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    let mut source = Call::current().map(Call::source);
    if source.is_none() {
        return task;
    }
    poll_fn(move |cx| within(&mut source, || task.poll_unpin(cx))).boxed()
}

/// Makes blocking work part of the call that starts it.
pub(crate) fn blocking(job: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce() + Send> {
    let mut source = Call::current().map(Call::source);
    if source.is_none() {
        return job;
    }
    Box::new(move || within(&mut source, job))
}

/// The sessions that calls await, each with the call. Only the methods of `Session` are known: a call that waits in another
/// way, such as for an event or for a channel, is not.
#[derive(Default)]
pub(crate) struct Waits(Mutex<Vec<(SessionId, Call)>>);

impl Waits {
    pub(crate) fn begin(&self, session: SessionId, call: Call) -> Waiting<'_> {
        self.0.lock().push((session, call));
        Waiting(Some((self, session, call)))
    }

    pub(crate) fn all(&self) -> Vec<(SessionId, Call)> {
        self.0.lock().clone()
    }

    /// Returns the calls that await a session.
    pub(crate) fn of(&self, session: SessionId) -> Vec<Call> {
        self.0.lock().iter().filter(|(awaited, _)| *awaited == session).map(|(_, call)| *call).collect()
    }
}

/// A call's wait for a session, until it is dropped.
#[must_use = "the wait is over once this is dropped"]
pub(crate) struct Waiting<'a>(Option<(&'a Waits, SessionId, Call)>);

impl Waiting<'_> {
    /// Returns the wait of code that is part of no call, for which no call can wait.
    pub(crate) fn of_no_call() -> Self {
        Self(None)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some((waits, session, call)) = self.0 else { return };
        let mut waits = waits.0.lock();
        if let Some(index) = waits.iter().position(|wait| *wait == (session, call)) {
            waits.swap_remove(index);
        }
    }
}

/// Restores the outer call when it is dropped, and returns the inner one to its owner.
struct Restore<'a> {
    source: &'a mut CallSource,
    outer: Option<ManuallyDrop<Arc<dyn Calling>>>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        *self.source = CURRENT.replace(self.outer.take()).map(ManuallyDrop::into_inner);
    }
}
