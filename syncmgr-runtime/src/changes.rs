//! Notifies all that wait for a change. A faulty waker affects only its own task, unlike in `tokio::sync::Notify`, where
//! the wakers behind it are lost.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use syncmgr_core::foreign;
use syncmgr_core::sync::Mutex;

/// The source of a change.
#[derive(Default)]
pub(crate) struct Changes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The number of changes so far.
    count: u64,
    /// The tasks that wait for the next change, each with the number of its wait.
    waiting: BTreeMap<u64, Waker>,
    /// The number of the last wait.
    last_wait: u64,
}

impl Changes {
    /// Wakes every task that waits for a change.
    pub(crate) fn notify(&self) {
        let mut state = self.0.lock();
        state.count += 1;
        // Most changes have no waiting task.
        if !state.waiting.is_empty() {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_values().for_each(foreign::wake);
        }
    }

    /// Resolves at the next change after this call. Cancel safe.
    pub(crate) fn next(&self) -> NextChange {
        NextChange { count: self.0.lock().count, state: self.0.clone(), wait: None }
    }
}

/// A wait for the next change.
pub(crate) struct NextChange {
    state: Arc<Mutex<State>>,
    count: u64,
    /// The number of the wait, from the first poll on.
    wait: Option<u64>,
}

impl Future for NextChange {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // Wakers are foreign: cloned and dropped while the state is not locked.
        let waker = cx.waker().clone();
        let mut state = this.state.lock();
        if state.count != this.count {
            return Poll::Ready(());
        }
        let wait = *this.wait.get_or_insert_with(|| {
            state.last_wait += 1;
            state.last_wait
        });
        let before = state.waiting.insert(wait, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for NextChange {
    fn drop(&mut self) {
        let waker = self.wait.and_then(|wait| self.state.lock().waiting.remove(&wait));
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use futures::FutureExt;

    use super::*;

    /// A waker that counts.
    #[derive(Default)]
    struct Counts(AtomicU32);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A waker that panics.
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("the fault");
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_a_change_from_the_others() {
        let changes = Changes::default();
        let (mut faulty, mut other) = (changes.next(), changes.next());
        assert!(faulty.poll_unpin(&mut Context::from_waker(&Arc::new(Panics).into())).is_pending());
        let woken = Arc::<Counts>::default();
        assert!(other.poll_unpin(&mut Context::from_waker(&woken.clone().into())).is_pending());
        changes.notify();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(other.now_or_never().is_some());
    }

    #[test]
    fn a_wait_that_was_dropped_leaves_no_waker() {
        let changes = Changes::default();
        let mut wait = changes.next();
        assert!((&mut wait).now_or_never().is_none());
        drop(wait);
        assert!(changes.0.lock().waiting.is_empty());
        changes.notify();
        assert!(changes.next().now_or_never().is_none(), "the change was before the wait");
    }
}
