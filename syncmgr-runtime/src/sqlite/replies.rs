//! Replies to the callers of the writing thread. The wakers of callers are foreign code that may panic or block,
//! so they never run on that thread.

use std::thread;

use futures::channel::oneshot;
use syncmgr_core::foreign::{self, Foreign};
use tokio::runtime::Handle;

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

/// Sends results to callers.
pub(super) fn send_all<T: Send + 'static>(results: impl Iterator<Item = (Reply<T>, T)>) {
    deliver(results.map(|(Reply { sender, runtime }, result)| (runtime, Pending(Some((sender, Some(result)))))));
}

/// Cancels the receivers of callers.
pub(super) fn cancel_all<T: Send + 'static>(replies: impl Iterator<Item = Reply<T>>) {
    deliver(replies.map(|Reply { sender, runtime }| (runtime, Pending(Some((sender, None))))));
}

/// Drops replies: in tasks of their callers' runtimes, or on a thread of its own for callers without one.
fn deliver<T: Send + 'static>(replies: impl Iterator<Item = (Option<Handle>, Pending<T>)>) {
    let mut groups: Vec<(Option<Handle>, Vec<Pending<T>>)> = Vec::new();
    for (runtime, pending) in replies {
        let is_same = |known: &Option<Handle>| known.as_ref().map(Handle::id) == runtime.as_ref().map(Handle::id);
        match groups.iter_mut().find(|(known, _)| is_same(known)) {
            Some((_, group)) => group.push(pending),
            None => groups.push((runtime, vec![pending])),
        }
    }
    for (runtime, group) in groups {
        match runtime {
            // One task per caller, so that a waker that blocks delays no other caller.
            Some(runtime) => drop(runtime.spawn(async move {
                group.into_iter().for_each(|pending| drop(tokio::spawn(async move { drop(pending) })));
            })),
            // If no thread can be started, the group is dropped here.
            None => drop(thread::Builder::new().name("syncmgr-reply".to_string()).spawn(|| drop(group))),
        }
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
