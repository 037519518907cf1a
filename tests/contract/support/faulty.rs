//! A handler that panics in a chosen method.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::handler::{HandlerFlags, PropertiesOutcome, Resolution};
use syncmgr::item::ItemObject;
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::{
    HandlerInfo, ItemContext, Items, LogEntry, LogLevel, Participation, PrepareContext, RunContext, Subject,
    SyncHandler, SyncItem, SyncResult, SynchronizeContext, Uuid,
};

use crate::asking::show_error::error;
use crate::support::{HANDLER, id};

/// The method that panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Info,
    Initialize,
    Items,
    Prepare,
    Synchronize,
    Item,
    Status,
    Properties,
    Error,
    Object,
}

/// The moment of the panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In the call, before it returns a future.
    Called,
    /// In the poll of the future.
    Polled,
    /// In the drop of the completed future.
    Dropped,
}

/// A handler with the items `a` and `b`. [`At::Item`] panics in `b`. The items log a link for `show_error`.
pub(crate) struct Faulty(pub(crate) At, pub(crate) When);

impl Faulty {
    /// Returns the future of a method, or panics.
    fn at<'f, T: Send + 'f>(
        &self,
        at: At,
        work: impl Future<Output = SyncResult<T>> + Send + 'f,
    ) -> BoxFuture<'f, SyncResult<T>> {
        let when = (self.0 == at).then_some(self.1);
        assert!(when != Some(When::Called), "the fault");
        if when == Some(When::Dropped) {
            return Box::pin(PanicsWhenDropped(work.boxed()));
        }
        async move {
            assert!(when != Some(When::Polled), "the fault");
            work.await
        }
        .boxed()
    }
}

/// A future whose drop panics.
struct PanicsWhenDropped<'f, T>(BoxFuture<'f, T>);

impl<T> Future for PanicsWhenDropped<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.poll_unpin(cx)
    }
}

impl<T> Drop for PanicsWhenDropped<'_, T> {
    fn drop(&mut self) {
        panic!("the fault")
    }
}

// The expansion of `async_trait`, written out: an `async fn` cannot panic before it returns a future.
impl SyncHandler for Faulty {
    fn info(&self) -> HandlerInfo {
        assert!(self.0 != At::Info, "the fault");
        HandlerInfo::new(HANDLER, "Faulty").with_flags(HandlerFlags::HAS_PROPERTIES)
    }

    fn initialize<'s, 'r, 'f>(&'s self, _: &'r RunContext) -> BoxFuture<'f, SyncResult<Participation>>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        self.at(At::Initialize, async { Ok(Participation::TakePart) })
    }

    fn items<'s, 'f>(&'s self) -> BoxFuture<'f, SyncResult<Items>>
    where
        's: 'f,
        Self: 'f,
    {
        self.at(At::Items, async { Ok(["a", "b"].map(SyncItem::named).into_iter().collect()) })
    }

    fn prepare<'s, 'r, 'f>(&'s self, _: &'r PrepareContext) -> BoxFuture<'f, SyncResult>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        self.at(At::Prepare, async { Ok(()) })
    }

    fn synchronize<'s, 'r, 'f>(&'s self, run: &'r SynchronizeContext) -> BoxFuture<'f, SyncResult>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        self.at(At::Synchronize, run.each_item())
    }

    fn synchronize_item<'s, 'r, 'f>(&'s self, item: &'r ItemContext) -> BoxFuture<'f, SyncResult>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        let work = async {
            item.log(LogEntry::new(LogLevel::Information, "link").with_link(error()));
            // The item continues for a moment after the skip, because the host needs time to push the skip.
            if self.0 == At::Status && item.name() == "a" {
                item.cancelled().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        if item.id() == id("b") { self.at(At::Item, work) } else { work.boxed() }
    }

    fn set_item_status(&self, _: &RunContext, _: Subject, _: Status) {
        assert!(self.0 != At::Status, "the fault");
    }

    fn show_properties<'s, 'r, 'f>(
        &'s self,
        _: &'r RunContext,
        _: Subject,
    ) -> BoxFuture<'f, SyncResult<PropertiesOutcome>>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        self.at(At::Properties, async { Ok(PropertiesOutcome::Done) })
    }

    fn show_error<'s, 'r, 'f>(&'s self, _: &'r RunContext, _: ErrorId) -> BoxFuture<'f, SyncResult<Resolution>>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        self.at(At::Error, async { Ok(Resolution::Done) })
    }

    fn item_object(&self, _: Subject, _: Uuid) -> Option<ItemObject> {
        assert!(self.0 != At::Object, "the fault");
        None
    }
}
