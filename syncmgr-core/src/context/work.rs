//! Blocking, spawned and concurrent work of an item. All of it ends before the item counts as stopped.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::anyhow;
use futures::channel::oneshot;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use crate::context::ItemContext;
use crate::error::{SyncResult, panic_text};
use crate::foreign::{self, Foreign};
use crate::sync::yield_now;

impl ItemContext {
    /// Runs `work` on a thread that may block and waits for its result.
    ///
    /// `work` receives a context of this item. Call [`check`](Self::check) or [`progress`](Self::progress) in its loops: a
    /// thread cannot be stopped from outside. If the work runs past the hard grace, the item ends *abandoned*. A panic in
    /// `work` is a panic of the item.
    ///
    /// Not cancel safe. If this future is dropped before the work has begun, the work does not run. Once begun, the work
    /// runs to its end and the item waits for it; its failure then counts as [tolerated](Self::tolerate).
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// # let item = ItemContext::for_test("numbers");
    /// # futures::executor::block_on(async {
    /// let sum = item.blocking(|item| {
    ///     let mut sum = 0;
    ///     for number in 1..=100 {
    ///         item.progress(number, 100)?; // returns here once the item is cancelled
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// });
    /// assert_eq!(sum.await?, 5050);
    /// # Ok::<(), anyhow::Error>(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// The error of `work`, or an error if the host shuts down before the work is done.
    pub async fn blocking<T, F>(&self, work: F) -> SyncResult<T>
    where
        T: Send + 'static,
        F: FnOnce(ItemContext) -> SyncResult<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let (item, guard, work) = (self.clone(), self.cell().begin_work(), Foreign::new(work));
        self.run().port().blocking(Box::new(move || {
            if sender.is_canceled() {
                item.record_destructor("blocking work", work.discard());
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| work.into_inner()(item.clone())));
            item.reply(sender, "blocking work", outcome);
            drop((item, guard));
        }));
        match receiver.await {
            Ok(outcome) => read(outcome),
            Err(_) => Err(anyhow!("the host shut down before the blocking work was done")),
        }
    }

    /// Runs `work` as its own task, possibly on another thread.
    ///
    /// Await the handle for the result. Dropping the handle does not stop the task: the item waits for it before it ends,
    /// and its failure counts as [tolerated](Self::tolerate). When the item's future is dropped after the soft grace, the
    /// task is dropped at its next await as well.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// # let item = ItemContext::for_test("page");
    /// # async fn fetch(_: &str) -> anyhow::Result<usize> { Ok(512) }
    /// let index = item.spawn(fetch("index.html"));
    /// let style = item.spawn(fetch("style.css")); // both tasks are running
    /// # futures::executor::block_on(async {
    /// assert_eq!(index.await? + style.await?, 1024);
    /// # Ok::<(), anyhow::Error>(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn spawn<T, Work>(&self, work: Work) -> Spawned<T>
    where
        T: Send + 'static,
        Work: Future<Output = SyncResult<T>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let (item, guard, abort) = (self.clone(), self.cell().begin_work(), self.cell().abort_token());
        let mut work = Foreign::new(Box::pin(work));
        self.run().port().spawn(Box::pin(async move {
            let outcome = abort.run_until_cancelled(AssertUnwindSafe(work.as_mut()).catch_unwind()).await;
            let dropped = work.discard();
            if let Some(outcome) = outcome {
                item.reply(sender, "a task", outcome);
            }
            item.record_destructor("a task", dropped);
            drop((item, guard));
        }));
        Spawned(receiver)
    }

    /// Runs `work` for each input within this future, at most `width` at the same time.
    ///
    /// Returns the results in the order of the inputs. `work` may borrow locals. On the first error, work not yet begun
    /// does not begin, and running work is dropped at its next await. A width of 0 counts as 1. Cancel safe only if the
    /// work is.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// # let item = ItemContext::for_test("site");
    /// # futures::executor::block_on(async {
    /// let base = String::from("https://example.org");
    /// let pages = item.concurrently(4, ["a", "b", "c"], |page| {
    ///     let base = &base;
    ///     async move { Ok(format!("{base}/{page}")) }
    /// });
    /// assert_eq!(pages.await?[2], "https://example.org/c"); // in the order of the inputs
    /// # Ok::<(), anyhow::Error>(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `work`, or [`Cancelled`](crate::cancel::Cancelled) before an input begins.
    pub async fn concurrently<I, F, Work, T>(&self, width: usize, inputs: I, mut work: F) -> SyncResult<Vec<T>>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Work,
        Work: Future<Output = SyncResult<T>>,
    {
        let mut waiting = inputs.into_iter().enumerate().fuse();
        let mut running = FuturesUnordered::new();
        let mut results = Vec::new();
        let mut budget = Budget::default();
        loop {
            while running.len() < width.max(1)
                && let Some((index, input)) = waiting.next()
            {
                self.check()?;
                results.push(None);
                running.push(work(input).map(move |result| (index, result)));
                budget.spend().await;
            }
            match running.next().await {
                Some((index, result)) => results[index] = Some(result?),
                None => return Ok(results.into_iter().flatten().collect()),
            }
        }
    }

    /// Sends the outcome of a piece of work. Records the failure of an outcome whose receiver no longer exists.
    fn reply<T>(&self, sender: Reply<T>, what: &str, outcome: Outcome<T>) {
        // The receiver's waker is foreign, and so is an outcome that the receiver never reads.
        let sent = foreign::call(|| sender.send(Foreign::new(outcome)));
        let Ok(Err(unread)) = sent else { return };
        match &*unread {
            Ok(Ok(_)) => {}
            Ok(Err(_)) if self.check().is_err() => {}
            Ok(Err(error)) => self.record_failure(&format_args!("{what} of the item failed"), error),
            Err(_) => return self.record_panic(what, unread.into_inner()),
        }
        self.record_destructor(what, unread.discard());
    }

    /// Records the panic of a destructor.
    fn record_destructor(&self, what: &str, dropped: Result<(), String>) {
        if let Err(panic) = dropped {
            self.record_failure(&format_args!("{what} of the item panicked in a destructor"), &anyhow!(panic));
        }
    }

    fn record_panic<T>(&self, what: &str, outcome: Outcome<T>) {
        if let Err(panic) = outcome {
            self.record_failure(&format_args!("{what} of the item panicked"), &anyhow!(panic_text(panic)));
        }
    }
}

/// The number of inputs that may begin before other tasks get a turn. Work that is always ready would otherwise keep the
/// thread, and could not be stopped.
const BUDGET: u32 = 32;

/// Counts the inputs that have begun since the last yield.
#[derive(Default)]
struct Budget(u32);

impl Budget {
    async fn spend(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(BUDGET) {
            yield_now().await;
        }
    }
}

/// The result of a piece of work, or the payload of its panic.
type Outcome<T> = Result<SyncResult<T>, Box<dyn std::any::Any + Send>>;

type Reply<T> = oneshot::Sender<Foreign<Outcome<T>>>;

/// Returns the result of a piece of work, or resumes its panic.
fn read<T>(outcome: Foreign<Outcome<T>>) -> SyncResult<T> {
    outcome.into_inner().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A task started with [`ItemContext::spawn`]. Awaiting it returns the task's result or resumes the task's panic.
#[must_use = "await the task for its result; without it, a failure only reaches the log"]
pub struct Spawned<T>(oneshot::Receiver<Foreign<Outcome<T>>>);

impl<T> Future for Spawned<T> {
    type Output = SyncResult<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.0.poll_unpin(cx)) {
            Ok(outcome) => read(outcome),
            Err(_) => Err(anyhow!("the task was dropped with its item")),
        })
    }
}

impl<T> std::fmt::Debug for Spawned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spawned")
    }
}
