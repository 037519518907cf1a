//! What a person can do about what a run refuses: the program has options for it, and a host has commands.

/// The words for what a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remedies {
    pub(crate) conflict: &'static str,
    pub(crate) deletions: &'static str,
    pub(crate) unmounted: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) other_root: &'static str,
    unreadable_state: &'static str,
    /// `false` if deletions that look like a mistake are a failure: an item whose plan the host holds waits for an answer.
    pub(crate) has_questions: bool,
}

impl Remedies {
    pub(crate) const OF_PROGRAM: Self = Self {
        conflict: "make both sides equal, or decide with --conflict A, B or keep-both",
        deletions: "use --yes to delete them",
        unmounted: "mount it, or use --yes",
        missing: "mount or restore it, or use --yes to copy A to a new B",
        other_root: "mount the right one, or use --yes to compare everything again, which deletes nothing",
        unreadable_state: "choose another file with --state to compare everything again",
        has_questions: true,
    };

    /// An item with a question runs only when it is answered or asked for, and one that has failed runs after each change.
    pub(crate) const OF_WATCH: Self = Self {
        conflict: "make both sides equal, or end the watch and run once with --conflict A, B or keep-both",
        deletions: "put them back, or end the watch and run once with --yes to delete them",
        unmounted: "mount it, or end the watch and run once with --yes",
        missing: "mount or restore it, or end the watch and run once with --yes to copy A to a new B",
        other_root: "mount the right one, or end the watch and run once with --yes to compare everything again, which deletes nothing",
        unreadable_state: "end the watch and choose another file with --state to compare everything again",
        has_questions: false,
    };

    pub(crate) const OF_HOST: Self = Self {
        conflict: "make both sides equal, or answer the question",
        deletions: "answer the question to delete them",
        unmounted: "mount it, or forget the item to compare everything in it again",
        missing: "mount or restore it, or forget the pair to copy A to a new B",
        other_root: "mount the right one, or forget the pair to compare everything again, which deletes nothing",
        unreadable_state: "forget the item to compare everything in it again, which deletes nothing",
        has_questions: true,
    };
}

impl Remedies {
    /// The error about a checkpoint that cannot be read.
    pub(crate) fn unreadable_state(&self) -> String {
        format!("the agreed state of an item cannot be read; {}", self.unreadable_state)
    }
}
