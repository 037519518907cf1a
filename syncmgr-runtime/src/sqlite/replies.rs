//! Replies to the callers of the writing thread. The wakers of callers are foreign code that may panic or block,
//! so they never run on that thread.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::channel::oneshot;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::sync::Mutex;
use tokio::runtime::Handle;

use super::couriers::Couriers;

/// A caller that waits for a result.
#[derive(Debug)]
pub(super) struct Reply<T> {
    sender: Foreign<oneshot::Sender<T>>,
    /// The runtime of the caller, if it has one.
    runtime: Option<Handle>,
}

impl<T> Reply<T> {
    /// Creates a reply to the current caller, and its receiver.
    pub(super) fn channel() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender: Foreign::new(sender), runtime: Handle::try_current().ok() }, receiver)
    }
}

/// Delivers replies without running wakers on the current thread.
#[derive(Debug, Default)]
pub(super) struct Replies {
    couriers: Couriers,
}

impl Replies {
    /// Sends results to callers.
    pub(super) fn send_all<T: Send + 'static>(&self, results: impl Iterator<Item = (Reply<T>, T)>) {
        self.deliver(
            results.map(|(Reply { sender, runtime }, result)| (runtime, Pending(Some((sender, Some(result)))))),
        );
    }

    /// Cancels the receivers of callers.
    pub(super) fn cancel_all<T: Send + 'static>(&self, replies: impl Iterator<Item = Reply<T>>) {
        self.deliver(replies.map(|Reply { sender, runtime }| (runtime, Pending(Some((sender, None))))));
    }

    /// Delivers the replies to the callers of each runtime on a thread of its own, because a caller may block its runtime
    /// while it waits, and also in a task of the runtime, because a waker may block that thread.
    fn deliver<T: Send + 'static>(&self, replies: impl Iterator<Item = (Option<Handle>, Pending<T>)>) {
        let mut groups: Vec<(Option<Handle>, VecDeque<Pending<T>>)> = Vec::new();
        for (runtime, pending) in replies {
            let is_same = |known: &Option<Handle>| known.as_ref().map(Handle::id) == runtime.as_ref().map(Handle::id);
            match groups.iter_mut().find(|(known, _)| is_same(known)) {
                Some((_, group)) => group.push_back(pending),
                None => groups.push((runtime, VecDeque::from([pending]))),
            }
        }
        for (runtime, group) in groups {
            let group = Arc::new(Mutex::new(group));
            if let Some(runtime) = runtime {
                let group = group.clone();
                drop(runtime.spawn(async move { deliver_rest(&group) }));
            }
            self.couriers.run(Box::new(move || deliver_rest(&group)));
        }
    }
}

/// Delivers the replies that no other thread has begun to deliver.
fn deliver_rest<T>(group: &Mutex<VecDeque<Pending<T>>>) {
    let next = || group.lock().pop_front();
    while let Some(pending) = next() {
        drop(pending); // sends the result
    }
}

/// A result that is sent when this value is dropped, so that a runtime that has shut down does not lose it. Without a
/// result, the receiver is cancelled.
struct Pending<T>(Option<(Foreign<oneshot::Sender<T>>, Option<T>)>);

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        let Some((sender, result)) = self.0.take() else { return };
        // Otherwise, dropping the sender cancels the receiver.
        if let Some(result) = result {
            // The receiver may have been dropped.
            let _ = foreign::call(|| drop(sender.into_inner().send(result)));
        }
    }
}
