//! The parts of a stream that have something new.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;
use syncmgr_core::sync::Mutex;

/// The keys of the parts of a stream that were woken since the stream was last read, and the stream's waker.
pub(super) struct Woken<K> {
    keys: Mutex<BTreeSet<K>>,
    stream: AtomicWaker,
}

impl<K> Default for Woken<K> {
    fn default() -> Self {
        Self { keys: Mutex::default(), stream: AtomicWaker::new() }
    }
}

impl<K: Ord + Copy + Send + Sync + 'static> Woken<K> {
    pub(super) fn add(&self, keys: impl IntoIterator<Item = K>) {
        self.keys.lock().extend(keys);
    }

    /// Takes the keys that were woken. `stream` is woken once there are more.
    pub(super) fn take(&self, stream: &Waker) -> BTreeSet<K> {
        self.stream.register(stream);
        mem::take(&mut *self.keys.lock())
    }

    /// Returns the waker of a part of the stream.
    pub(super) fn waker(self: &Arc<Self>, key: K) -> Waker {
        Waker::from(Arc::new(PartWaker { key, woken: self.clone() }))
    }
}

/// Notes that a part has something new, and wakes the stream.
struct PartWaker<K> {
    key: K,
    woken: Arc<Woken<K>>,
}

impl<K: Ord + Copy + Send + Sync + 'static> Wake for PartWaker<K> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.add([self.key]);
        self.woken.stream.wake();
    }
}
