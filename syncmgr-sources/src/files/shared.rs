//! What the threads of a watch and its stream share: the changed items, and the directories to search.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use syncmgr_core::foreign;
use syncmgr_core::local_change::LocalChange;
use syncmgr_runtime::change_source::{WatchEvent, WatchProblem};

use super::roots::{Index, Roots};

/// The number of directories to search above which everything is searched.
const MAX_SEARCHES: usize = 1024;

/// The number of problems that wait for the stream. More are left out.
const MAX_PROBLEMS: usize = 64;

/// The shared state of a watch. Its size depends on the items and directories, and not on the number of events.
pub(super) struct Shared {
    pub(super) roots: Roots,
    state: Mutex<State>,
    /// Notified when there is work for the searcher, and when the watch is closed.
    work: Condvar,
    stream: AtomicWaker,
}

/// What a watch holds between its threads.
struct State {
    /// The changed items that the stream has not returned, in order, and the same as flags.
    changed: VecDeque<Index>,
    is_changed: Vec<bool>,
    problems: VecDeque<WatchProblem>,
    search: Search,
    /// The directories that cannot be read.
    unreadable: BTreeSet<PathBuf>,
    progress: Progress,
}

/// The work of the searcher.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Search these directories.
    Paths(BTreeSet<PathBuf>),
    /// Search everything.
    Everything,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Open,
    /// The source has failed: the stream ends.
    Failed,
    /// The stream was dropped: the threads end.
    Closed,
}

impl Shared {
    pub(super) fn new(roots: Roots) -> Self {
        let state = State {
            changed: VecDeque::new(),
            is_changed: vec![false; roots.len()],
            problems: VecDeque::new(),
            search: Search::nothing(),
            unreadable: BTreeSet::new(),
            progress: Progress::Open,
        };
        Self { roots, state: Mutex::new(state), work: Condvar::new(), stream: AtomicWaker::new() }
    }

    /// Marks items as changed.
    pub(super) fn changed(&self, items: impl IntoIterator<Item = Index>) {
        let is_new = self.lock().mark(items);
        if is_new {
            self.wake_stream();
        }
    }

    /// Handles lost events: everything may have changed, and new directories may not be watched.
    pub(super) fn events_lost(&self) {
        self.search(Search::Everything);
        self.changed(0..self.roots.len());
    }

    /// Adds a problem.
    pub(super) fn problem(&self, problem: WatchProblem) {
        let mut state = self.lock();
        if state.problems.len() < MAX_PROBLEMS {
            state.problems.push_back(problem);
        }
        drop(state);
        self.wake_stream();
    }

    /// Notes that a directory cannot be read. Returns `true` if this was not known.
    pub(super) fn is_unreadable(&self, path: &Path) -> bool {
        self.lock().unreadable.insert(path.to_owned())
    }

    /// Notes that a directory was read.
    pub(super) fn is_readable(&self, path: &Path) {
        self.lock().unreadable.remove(path);
    }

    /// Has a directory searched again whose permissions have changed, if it could not be read.
    pub(super) fn permissions_changed(&self, path: &Path) {
        let was_unreadable = self.lock().unreadable.remove(path);
        if was_unreadable {
            self.search_path(path);
        }
    }

    /// Has a path searched.
    pub(super) fn search_path(&self, path: &Path) {
        self.search(Search::Paths(BTreeSet::from([path.to_owned()])));
    }

    fn search(&self, search: Search) {
        self.lock().search.add(search);
        self.work.notify_one();
    }

    /// Waits for work. Returns `None` once the watch is closed.
    pub(super) fn next_search(&self) -> Option<Search> {
        let state = self.lock();
        let is_idle = |state: &mut State| state.progress == Progress::Open && state.search == Search::nothing();
        let mut state = self.work.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        let search = std::mem::replace(&mut state.search, Search::nothing());
        (state.progress == Progress::Open).then_some(search)
    }

    /// Returns `true` once the watch is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().progress != Progress::Open
    }

    /// Ends the watch because of a problem. Everything may have changed meanwhile.
    pub(super) fn fail(&self, problem: WatchProblem) {
        self.problem(problem);
        self.changed(0..self.roots.len());
        self.lock().progress = Progress::Failed;
        self.wake_stream();
    }

    /// Ends the threads of the watch.
    pub(super) fn close(&self) {
        self.lock().progress = Progress::Closed;
        self.work.notify_one();
    }

    /// Returns the next event for the stream.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        self.stream.register(cx.waker());
        let mut state = self.lock();
        if let Some(problem) = state.problems.pop_front() {
            return Poll::Ready(Some(WatchEvent::Problem(problem)));
        }
        if let Some(index) = state.changed.pop_front() {
            state.is_changed[index] = false;
            return Poll::Ready(Some(WatchEvent::Changed(LocalChange::Item(self.roots.item(index)))));
        }
        if state.progress == Progress::Open { Poll::Pending } else { Poll::Ready(None) }
    }

    fn wake_stream(&self) {
        // The waker is foreign.
        let _ = foreign::call(|| self.stream.wake());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of events that wait for the stream, and of directories that wait for the searcher.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        let directories = if let Search::Paths(paths) = &state.search { paths.len() } else { 0 };
        state.changed.len() + state.problems.len() + directories + state.unreadable.len()
    }

    /// Stops the threads until the guard is dropped, so that the kernel's queue overflows.
    #[cfg(test)]
    pub(super) fn stop_threads(&self) -> impl Drop {
        self.lock()
    }
}

impl State {
    /// Marks items as changed. Returns `true` if one of them was not marked.
    fn mark(&mut self, items: impl IntoIterator<Item = Index>) -> bool {
        let before = self.changed.len();
        for item in items {
            if !std::mem::replace(&mut self.is_changed[item], true) {
                self.changed.push_back(item);
            }
        }
        self.changed.len() > before
    }
}

impl Search {
    const fn nothing() -> Self {
        Self::Paths(BTreeSet::new())
    }

    fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Paths(paths), Self::Paths(more)) if paths.len() + more.len() <= MAX_SEARCHES => paths.extend(more),
            _ => *self = Self::Everything,
        }
    }
}
